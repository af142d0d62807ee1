"""The life of a registration as one table: which action leads from which state to which."""

from __future__ import annotations

from dataclasses import dataclass

from flowclass.errors import RegistryError
from flowclass.registries.row import STATUSES


@dataclass(frozen=True, slots=True)
class Transition:
    """One permitted step.

    Parameters
    ----------
    action : str
        What is done.
    before : str or None
        The state it is done in; None = not at the desk yet.
    after : str
        The state it leads to.
    needs_why : bool
        Whether the reason must be given.
    """

    action: str
    before: str | None
    after: str
    needs_why: bool = False


TRANSITIONS = (
    Transition("apply", None, "pending"),
    Transition("approve", "pending", "approved"),
    Transition("reject", "pending", "rejected", True),
    Transition("amend", "pending", "pending", True),
    Transition("suspend", "approved", "suspended", True),
    Transition("approve", "suspended", "approved", True),
    Transition("revoke", "approved", "revoked", True),
    Transition("revoke", "suspended", "revoked", True),
    Transition("renew", "approved", "approved"),
    # A list that is imported tells where a registration stands, and by its dates how it came there.
    *(Transition("import", None, status) for status in STATUSES),
    *(Transition("import", "pending", status) for status in STATUSES if status != "pending"),
    Transition("import", "approved", "suspended"),
    Transition("import", "approved", "revoked"),
)
_DONE = {
    "approve": "approved",
    "reject": "rejected",
    "amend": "amended",
    "suspend": "suspended",
    "revoke": "revoked",
    "renew": "renewed",
}


def permitted(state: str) -> tuple[str, ...]:
    """Give the actions that a registrar may take in a state; none in a final one.

    Examples
    --------
    >>> permitted("suspended"), permitted("revoked")
    (('approve', 'revoke'), ())
    """
    return tuple(step.action for step in TRANSITIONS if step.before == state and step.action != "import")


def step(action: str, state: str, registration_id: str) -> Transition:
    """Find the transition for an action in a state.

    Parameters
    ----------
    action : str
        One of ``approve, reject, amend, suspend, revoke, renew``.
    state : str
        Where the registration stands.
    registration_id : str
        For the sentence.

    Raises
    ------
    RegistryError
        Where it is not permitted, with what is.
    """
    for transition in TRANSITIONS:
        if (transition.action, transition.before) == (action, state):
            return transition
    now = permitted(state)
    what = f"permitted now: {', '.join(now)}" if now else f"{state} is final; it takes a new application"
    raise RegistryError(f"{registration_id} is {state}, it cannot be {_DONE[action]}; {what}")

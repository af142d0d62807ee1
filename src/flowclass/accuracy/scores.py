"""What a classifier said of flows, and the counts that come of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from flowclass.accuracy.intervals import Share
from flowclass.accuracy.labels import Key

FOUND = ("confirmed", "probable")
TIERS = ("none", "possible", "probable", "confirmed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a classifier said of a flow.

    Parameters
    ----------
    ids : tuple of str
        Protocol ids that its answer means, the first the one to count it under; empty for no answer.
    shown : str
        The answer for people.
    tier : str
        Of `TIERS`.
    tunnel : bool
        Whether that is a VPN or a tunnel.
    """

    ids: tuple[str, ...]
    shown: str
    tier: str
    tunnel: bool


@dataclass(slots=True, kw_only=True)
class Seen:
    """One capture as one classifier saw it.

    Parameters
    ----------
    first_frames : dict of Key to int
        Every outer flow, with its first frame.
    claims : dict of (bool, Key) to list of Claim
        What was said of flows, by whether they are in a tunnel, and their ends; flows that are neither labelled,
        nor hard negatives, nor called a tunnel may be left out.
    problem : str
        Why the capture could not be read, or not to its end.
    """

    first_frames: dict[Key, int] = field(default_factory=dict)
    claims: dict[tuple[bool, Key], list[Claim]] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A miss or a false positive, to be looked at.

    Parameters
    ----------
    capture : str
        The file's name.
    frame : int
        First frame of the flow.
    family : str
        What it is; empty for a flow that is no tunnel.
    variant : str or None
        Form, as the label has it.
    said : tuple of str
        What was said of it.
    reason : str
        Why that is a miss, or wrong.
    tier : str
        The strongest of what was said.
    """

    capture: str
    frame: int
    family: str
    variant: str | None
    said: tuple[str, ...]
    reason: str
    tier: str


@dataclass(slots=True, kw_only=True)
class Family:
    """Counts of one protocol.

    Parameters
    ----------
    tiers : dict of str to int
        Certain gate flows, by the best tier of a right answer.
    ordinary : bool
        Whether it is no tunnel.
    labelled : int
        All flows labelled so that are judged, hints and likely ones too.
    wrong : int
        Those of `tiers` that were given another protocol's name.
    right_claims : int
        Labelled flows, gate or not, that were rightly called so, confirmed or probable.
    false_claims, false_possible : int
        Flows that were wrongly called so: confirmed or probable; possible.
    """

    tiers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TIERS, 0))
    ordinary: bool = False
    labelled: int = 0
    wrong: int = 0
    right_claims: int = 0
    false_claims: int = 0
    false_possible: int = 0

    @property
    def flows(self) -> int:
        """Certain gate flows."""
        return sum(self.tiers.values())

    @property
    def found(self) -> int:
        """Those confirmed or probable."""
        return sum(self.tiers[tier] for tier in FOUND)

    @property
    def recall(self) -> Share:
        """Found of all."""
        return Share(right=self.found, of=self.flows)

    @property
    def precision(self) -> Share:
        """Right of all confirmed or probable answers."""
        return Share(right=self.right_claims, of=self.right_claims + self.false_claims)


@dataclass(slots=True, kw_only=True)
class Score:
    """Everything counted over some captures.

    Parameters
    ----------
    families : dict of str to Family
        By protocol id.
    misses, false_positives : list of Finding
        One by one.
    negatives : int
        Flows known to be no tunnel.
    negatives_called, negatives_possible : int
        Those that were called one: confirmed or probable; possible.
    negatives_vpn : int
        Those that were called a VPN, and not another kind of tunnel, in any tier.
    ordinary, ordinary_called, ordinary_possible, ordinary_vpn : int
        Labelled flows of ordinary protocols; those that were called a tunnel: confirmed or probable; possible; and
        those called a VPN in any tier.
    hard, hard_called : int
        Negatives that look like a tunnel; those called one in any tier.
    hints : dict of str to int
        Likely flows and hints: ``right``, ``silent``, ``wrong``.
    left_out : dict of str to int
        ``disputed``, ``out_of_scope`` labels and ``unvouched`` flows.
    """

    families: dict[str, Family] = field(default_factory=dict)
    misses: list[Finding] = field(default_factory=list)
    false_positives: list[Finding] = field(default_factory=list)
    negatives: int = 0
    negatives_called: int = 0
    negatives_possible: int = 0
    negatives_vpn: int = 0
    ordinary: int = 0
    ordinary_called: int = 0
    ordinary_possible: int = 0
    ordinary_vpn: int = 0
    hard: int = 0
    hard_called: int = 0
    hints: dict[str, int] = field(default_factory=lambda: {"right": 0, "silent": 0, "wrong": 0})
    left_out: dict[str, int] = field(default_factory=lambda: {"disputed": 0, "out_of_scope": 0, "unvouched": 0})

    @property
    def recall(self) -> Share:
        """Certain gate flows that were found, of all."""
        return Share(
            right=sum(family.found for family in self.families.values()),
            of=sum(family.flows for family in self.families.values()),
        )

    @property
    def tunnel_recall(self) -> Share:
        """Certain gate flows of tunnels that were found, of all."""
        tunnels = [family for family in self.families.values() if not family.ordinary]
        return Share(right=sum(one.found for one in tunnels), of=sum(one.flows for one in tunnels))

    def false_alarms_of(self, name: str) -> Share:
        """Flows that were wrongly called this, confirmed or probable, of all judged flows that are not."""
        others = sum(family.labelled for other, family in self.families.items() if other != name)
        false = self.families[name].false_claims if name in self.families else 0
        return Share(right=min(false, self.negatives + others), of=self.negatives + others)

    @property
    def false_alarms(self) -> Share:
        """Flows that were called a tunnel, confirmed or probable, of all that are none, labelled or not."""
        return Share(right=self.negatives_called + self.ordinary_called, of=self.negatives + self.ordinary)

    def family(self, name: str) -> Family:
        """Give the counts of a protocol."""
        return self.families.setdefault(name, Family())

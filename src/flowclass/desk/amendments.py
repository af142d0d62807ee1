"""What an application is amended by while it is pending: other addresses, protocols, dates, further references."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from flowclass.desk.applications import REQUIRED, Application
from flowclass.desk.intake import Entry
from flowclass.desk.validity import check_period
from flowclass.errors import ConfigError, RowProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What is other than applied for; what is not given stays.

    Parameters
    ----------
    prefixes : sequence of str
        All addresses, prefixes and ranges that are applied for now; empty = those there are.
    protocols : sequence of str or None
        Ids; empty = all protocols, None = those there are.
    valid_from, valid_until : str or None
        ISO 8601; empty = open, None = as they are.
    references : mapping of str to str
        Further ones, or others in their place.
    waived : collection of str
        Kinds of reference that need not be given.

    Raises
    ------
    ConfigError
        Where nothing is given.
    """

    prefixes: tuple[str, ...] = ()
    protocols: tuple[str, ...] | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    references: Mapping[str, str] = field(default_factory=dict, repr=False)
    waived: Collection[str] = ()

    def __post_init__(self) -> None:
        given = (self.protocols, self.valid_from, self.valid_until)
        if not self.prefixes and not self.references and not self.waived and all(one is None for one in given):
            raise ConfigError(
                "nothing is amended; give addresses, --protocols, --valid-from, --valid-until or references"
            )

    def held_references(self) -> list[tuple[str, str | None]]:
        """Give each kind that is given with its reference, None where it is waived, by kind."""
        given: dict[str, str | None] = dict(self.references)
        return sorted((given | dict.fromkeys(self.waived)).items())

    def entries(
        self,
        held: Sequence[Entry],
        *,
        registration: tuple[str, str],
        at: int,
        known_protocols: Collection[str] = (),
    ) -> tuple[tuple[Entry, ...], list[RowProblem]]:
        """Check it as every application is checked.

        An address that was applied for before keeps the instant it was submitted at; one that comes in now is
        submitted now, so that its pending window begins now.

        Parameters
        ----------
        held : sequence of Entry
            The rows until now.
        registration : (str, str)
            Its id and category.
        at : int
            The instant of the amendment, ns UTC.
        known_protocols : collection of str
            Protocol ids to warn against.

        Returns
        -------
        entries : tuple of Entry
            The rows from now on.
        warnings : list of RowProblem
            What is odd but usable.

        Raises
        ------
        ConfigError, RegistryError
            Where it is no application any more.
        """
        registration_id, category = registration
        kind = category.partition(":")[0]
        application = Application(
            category=category,
            prefixes=self.prefixes or tuple(dict.fromkeys(entry[0] for entry in held)),
            protocols=self.protocols or (),
            valid_from=self.valid_from or "",
            valid_until=self.valid_until or "",
            registration_id=registration_id,
            references=self.references,
            # What the first application gave or was waived is not asked for again.
            waived={*self.waived, *(one for one in REQUIRED.get(kind, ()) if one not in self.references)},
        )
        rows, warnings = application.rows(known_protocols)
        before: dict[str, list[Entry]] = {}
        for entry in held:
            before.setdefault(entry[0], []).append(entry)
        found: list[Entry] = []
        for row in rows:
            for name in map(str, row.prefixes):
                for _, protocols, begin, end, submitted_at, _ in before.get(name, [(name, *held[0][1:4], at, None)]):
                    made = (
                        protocols if self.protocols is None else ";".join(row.protocols),
                        begin if self.valid_from is None else row.valid_from,
                        end if self.valid_until is None else row.valid_until,
                    )
                    check_period(made[1], made[2], registration_id)
                    found.append((name, *made, submitted_at, None))
        return tuple(dict.fromkeys(found)), warnings

"""An application: who asks for which addresses, with references to the registrar's own files, never what is in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from flowclass.errors import ConfigError, RegistryError, RowProblem
from flowclass.registries.row import RegistryRow, RowChecker

REFERENCES = {
    "company": "the company's registration",
    "taxpayer": "the taxpayer status",
    "identity": "the proof of identity",
    "letter": "the employer's letter",
    "file": "the application itself",
}
"""What the registrar's files are referred to for. The desk holds where they lie, not what they say."""

REQUIRED = {"organization": ("company", "taxpayer", "identity"), "freelancer": ("identity", "letter")}
_MOST = 128
_NOT_YET = "NEW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What is applied for.

    Parameters
    ----------
    category : str
        ``organization`` or ``freelancer``, with a free sub-sector behind a colon.
    prefixes : sequence of str
        Addresses, prefixes and ranges.
    protocols : sequence of str
        Ids of the protocols that are asked for; empty = all.
    valid_from, valid_until : str
        ISO 8601, from inclusive, until exclusive; empty = open.
    registration_id : str
        Empty = the desk gives the next one of the year.
    references : mapping of str to str
        Where the registrar's files lie, by the keys of `REFERENCES`.
    waived : collection of str
        The kinds of reference that this registrant need not give (an embassy has no taxpayer status).

    Raises
    ------
    ConfigError
        Where a reference is missing, of no known kind, or no reference.
    """

    category: str
    prefixes: tuple[str, ...]
    protocols: tuple[str, ...] = ()
    valid_from: str = ""
    valid_until: str = ""
    registration_id: str = ""
    references: Mapping[str, str] = field(default_factory=dict, repr=False)
    waived: Collection[str] = ()

    def __post_init__(self) -> None:
        for kind, text in self.references.items():
            if not text.isprintable() or not text.strip() or len(text) > _MOST or ";" in text or text == "waived":
                raise ConfigError(
                    f"the reference {kind!r} is no reference: give the name or number of your own file, at most {_MOST}"
                    " printable characters without ';'"
                )
        for kind in (*self.references, *self.waived):
            if kind not in REFERENCES:
                raise ConfigError(f"{kind!r} is no kind of reference; there are {', '.join(REFERENCES)}")
        both = sorted(set(self.references) & set(self.waived))
        if both:
            raise ConfigError(f"the reference {both[0]!r} is given and waived; give it or waive it")
        required = REQUIRED.get(self.kind, ())
        missing = [kind for kind in required if kind not in self.references and kind not in self.waived]
        if missing:
            wanted = ", ".join(f"--{kind} ({REFERENCES[kind]})" for kind in missing)
            raise ConfigError(f"an application of this category ({self.kind}) lacks {wanted}; give it or --waive it")
        if not self.prefixes:
            raise ConfigError("an application names no address; give one or more addresses, prefixes or ranges")

    @property
    def kind(self) -> str:
        """``organization`` or ``freelancer``, as far as the category says it."""
        return self.category.partition(":")[0].partition("/")[0].strip()

    def held_references(self) -> list[tuple[str, str | None]]:
        """Give each kind with its reference, None where it is waived, by kind."""
        given: dict[str, str | None] = dict(self.references)
        return sorted((given | dict.fromkeys(self.waived)).items())

    def rows(self, known_protocols: Collection[str] = ()) -> tuple[list[RegistryRow], list[RowProblem]]:
        """Check it as every row of a registry is checked.

        Returns
        -------
        rows : list of RegistryRow
            One for each text in `prefixes`.
        warnings : list of RowProblem
            What is odd but usable.

        Raises
        ------
        RegistryError
            With every defect.
        """
        checker = RowChecker("application", known_protocols)
        rows = []
        for line, prefix in enumerate(self.prefixes, 1):
            row = checker.check(
                line,
                {
                    "registration_id": self.registration_id or _NOT_YET,
                    "category": self.category,
                    "status": "pending",
                    "prefix": prefix,
                    "protocols": ";".join(self.protocols),
                    "valid_from": self.valid_from,
                    "valid_until": self.valid_until,
                    "submitted_at": "1970-01-01",  # the desk's own instant takes its place
                },
            )
            rows += [] if row is None else [row]
        problems = checker.finish()
        if any(problem.severity == "error" for problem in problems):
            raise RegistryError("the application is refused; correct these and apply again", problems)
        if self.registration_id.startswith(("=", "+", "-", "@")):
            raise RegistryError(f"registration_id = {self.registration_id!r}: begin it with a letter or digit")
        return rows, problems


def parse_references(text: str) -> list[tuple[str, str | None]]:
    """Read a `note_ref`: as the desk writes it (``company:C-1; taxpayer:waived``), or any other text as one file.

    Examples
    --------
    >>> parse_references("company:C-1; taxpayer:waived"), parse_references("drawer 7")
    ([('company', 'C-1'), ('taxpayer', None)], [('file', 'drawer 7')])
    """
    if not text:
        return []
    parts = [part.strip().partition(":") for part in text.split(";")]
    found = {kind: value for kind, colon, value in parts if colon and value and kind in REFERENCES}
    if len(found) != len(parts):
        return [("file", text)]
    return sorted((kind, None if value == "waived" else value) for kind, value in found.items())

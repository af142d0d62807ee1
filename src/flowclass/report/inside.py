"""Takes addresses. Says which are inside: in the operator's own prefixes, or else in private space."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from flowclass.errors import ConfigError
from flowclass.registries.row import parse_prefixes

# RFC 1918, RFC 6598 (shared space behind carriers' NAT), RFC 3927, RFC 4193, RFC 4291 §2.5.6. Not what the standard
# library calls private, which includes the ranges for documentation.
PRIVATE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10",
)  # fmt: skip
MOST_KEPT = 100_000


class Inside:
    """Says of addresses whether they are inside.

    Parameters
    ----------
    scope : iterable of str
        The operator's own prefixes; empty = private space.
    anonymized : bool
        Whether the addresses are not the real ones; then nothing is inside without a scope.
    hidden : bool
        Whether the addresses are not to be shown, those of the scope neither.

    Attributes
    ----------
    known : bool
        Whether inside can be told at all.
    rule : str
        What counts as inside, for people.

    Raises
    ------
    ConfigError
        When a prefix cannot be read.

    Examples
    --------
    >>> Inside().holds("10.1.2.3"), Inside().holds("192.0.2.1"), Inside(["192.0.2.0/24"]).holds("192.0.2.1")
    (True, False, True)
    """

    def __init__(self, scope: Iterable[str] = (), *, anonymized: bool = False, hidden: bool = False) -> None:
        given = tuple(scope)
        self.scope = () if hidden else given
        self.known = bool(given) or not anonymized
        if given and hidden:
            self.rule = f"the {len(given)} prefixes given with --scope, which are not shown as addresses are anonymised"
        elif given:
            self.rule = f"the prefixes given with --scope: {', '.join(given)}"
        elif anonymized:
            self.rule = (
                "nothing here: the addresses of this run are anonymised, so private space cannot be told; give the"
                " prefixes as they are in this run with --scope"
            )
        else:
            self.rule = "private address space (RFC 1918, RFC 6598, RFC 4193, link-local), because no --scope was given"
        self._networks: dict[tuple[int, int], set[int]] = {}
        self._known: dict[str, bool] = {}
        for text in given or (() if anonymized else PRIVATE):
            try:
                prefixes = parse_prefixes(text.strip())
            except ValueError as problem:
                raise ConfigError(f"scope {text!r}: {problem}") from None
            for prefix in prefixes:
                shift = prefix.max_prefixlen - prefix.prefixlen
                held = self._networks.setdefault((prefix.version, shift), set())
                held.add(int(prefix.network_address) >> shift)

    def holds(self, address: str) -> bool:
        """Say whether one address is inside; what is no address is not."""
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            known = self._known[address] = self._find(address)
        return known

    def mask(self, column: Any) -> Any:
        """Say of a column of addresses which are inside.

        Parameters
        ----------
        column : pyarrow.ChunkedArray of string
            Addresses.

        Returns
        -------
        pyarrow.ChunkedArray of bool
            In the order of the column.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        within = [address for address in pc.unique(column).to_pylist() if address is not None and self.holds(address)]
        return pc.is_in(column, value_set=pa.array(within, pa.string()))

    def _find(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        value = int(address)
        return any(
            version == address.version and value >> shift in held for (version, shift), held in self._networks.items()
        )

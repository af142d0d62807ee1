"""What a scenario's [path] table may say: how the path between client and server spoils packets."""

from __future__ import annotations

import dataclasses
import ipaddress
from dataclasses import dataclass

__all__ = ["Impairments"]

_LEAST_MTU = 576


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairments:
    """How the path spoils packets; the default is a path that does nothing.

    Parameters
    ----------
    loss, duplicate, reorder : float
        Shares of packets, in each direction, that are dropped, sent twice, or overtaken by the one behind them.
    delay, jitter : int
        Milliseconds one way: for every packet, and at most on top of it by chance. Jitter alone reorders nothing.
    mtu : int
        Longest packet that passes whole; 0: the links' own 1500. IPv4 packets that may be are fragmented,
        others come back as "too big".
    nat : str, optional
        The address that the client's packets get, with ports of the path's choice.
    snaplen : int
        Octets that recorders keep of a frame; 0: all.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: int = 0
    jitter: int = 0
    mtu: int = 0
    nat: str | None = None
    snaplen: int = 0

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder"):
            if not 0 <= getattr(self, name) <= 0.5:
                raise ValueError(f"{name} {getattr(self, name)!r} is not a share between 0 and 0.5")
        for name in ("delay", "jitter"):
            if not 0 <= getattr(self, name) <= 2000:
                raise ValueError(f"{name} {getattr(self, name)} is not between 0 and 2000 ms")
        if self.mtu and not _LEAST_MTU <= self.mtu <= 1500:
            raise ValueError(f"mtu {self.mtu} is not between {_LEAST_MTU} and 1500")
        if self.snaplen and not 96 <= self.snaplen <= 262144:
            raise ValueError(f"snaplen {self.snaplen} is not between 96 and 262144")
        if self.nat is not None:
            ipaddress.ip_address(self.nat)

    @property
    def forwards(self) -> bool:
        """Whether packets are forwarded by our own program instead of the router's kernel."""
        return dataclasses.replace(self, snaplen=0) != Impairments()

    def stated(self) -> dict[str, object]:
        """Give what differs from a path that does nothing."""
        nothing = Impairments()
        names = [item.name for item in dataclasses.fields(self)]
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(nothing, name)}

"""The small frozen values that pass between the rooms: options, reports, balances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, runtime_checkable

from flowclass import _core
from flowclass.anonymize import CryptoPan
from flowclass.errors import ConfigError

SECOND_NS = 1_000_000_000
MAX_TIMEOUT_NS = 7 * 24 * 3600 * SECOND_NS
MIN_MEMCAP = 1 << 20
MAX_THREADS = 256


def check_range(name: str, value: int, least: int, most: int) -> None:
    """Raise unless ``least <= value <= most``.

    Parameters
    ----------
    name : str
        What the value is called, for the sentence.
    value, least, most : int
        The value and the permitted range, both ends included.

    Raises
    ------
    ConfigError
        With the value and the range.

    Examples
    --------
    >>> check_range("threads", 2, 1, 256)
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{name} = {value!r} is not permitted: give a whole number from {least} to {most}")


@runtime_checkable
class UserFunction(Protocol):
    """What users' own functions have in common."""

    @property
    def kind(self) -> str:
        """``fingerprint``, ``feature`` or ``scorer``."""

    @property
    def name(self) -> str:
        """Of the protocol or column."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that it reads."""

    @property
    def sha256(self) -> str:
        """Of its source."""


def check_udf(functions: tuple[UserFunction, ...], *, features: bool) -> None:
    """Raise unless these are users' functions with different names, and the columns that they read are there.

    Raises
    ------
    ConfigError
        With the function that is not permitted.

    Examples
    --------
    >>> check_udf((), features=False)
    """
    names: set[str] = set()
    for function in functions if isinstance(functions, (tuple, list)) else (functions,):
        if not isinstance(functions, tuple) or not isinstance(function, UserFunction):
            raise ConfigError(
                f"udf = {functions!r} is not permitted: give a tuple of what flowclass.fingerprint, flow_feature and"
                " flow_scorer made"
            )
        if function.name in names:
            raise ConfigError(f"udf has two functions called {function.name}: give one of them another name")
        names.add(function.name)
        absent = [name for name in function.reads if name in _feature_names()]
        if absent and not features:
            raise ConfigError(
                f"udf: {function.name} reads {', '.join(absent)}, which only runs with features have: give"
                " features=True (--features)"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How flows are cut and how much memory they may take.

    Parameters
    ----------
    idle_timeout_ns : int
        A flow without a packet for this long has ended, in ns of packet time.
    active_timeout_ns : int
        A flow older than this is cut into segments, in ns of packet time.
    tcp_linger_ns : int
        How long a TCP flow is kept after FIN or RST, in ns of packet time.
    memcap : int
        Cap of the flow table in octets; 0 = a quarter of the machine's memory.
    batch_rows : int
        Rows of a full record batch.
    vlan_in_key : bool
        Whether the VLAN ids are part of the flow key.
    tunnels : bool
        Whether flows inside tunnels become records too.
    heads : bool
        Whether records have the column ``head``: what the fingerprints saw of the flow's first payloads, so that it
        can be matched again without the capture. It holds payload.
    features : bool
        Whether records have the feature columns: statistics of lengths, times and control bits, see docs/features.md.
    anonymize : CryptoPan, optional
        The key by which records have other addresses, once registry and policy have judged. Not with `heads`.
    udf : tuple of Fingerprint and FlowFunction
        Users' own functions, made by `fingerprint`, `flow_feature` and `flow_scorer`.

    Examples
    --------
    >>> EngineOptions(idle_timeout_ns=60_000_000_000).batch_rows
    8192
    """

    idle_timeout_ns: int = 120 * SECOND_NS
    active_timeout_ns: int = 1800 * SECOND_NS
    tcp_linger_ns: int = 5 * SECOND_NS
    memcap: int = 0
    batch_rows: int = 8_192
    vlan_in_key: bool = True
    tunnels: bool = True
    heads: bool = False
    features: bool = False
    anonymize: CryptoPan | None = None
    udf: tuple[UserFunction, ...] = ()

    def __post_init__(self) -> None:
        check_range("idle_timeout_ns", self.idle_timeout_ns, 1, MAX_TIMEOUT_NS)
        check_range("active_timeout_ns", self.active_timeout_ns, 1, MAX_TIMEOUT_NS)
        check_range("tcp_linger_ns", self.tcp_linger_ns, 0, MAX_TIMEOUT_NS)
        if self.memcap != 0:
            check_range("memcap", self.memcap, MIN_MEMCAP, 1 << 46)
        check_range("batch_rows", self.batch_rows, 1, 1 << 24)
        if self.anonymize is not None and not isinstance(self.anonymize, CryptoPan):
            raise ConfigError("anonymize is not permitted as it is: give flowclass.CryptoPan(key) or its load(path)")
        if self.anonymize is not None and self.heads:
            raise ConfigError("heads hold payload, which anonymize cannot take the addresses out of: leave one out")
        check_udf(self.udf, features=self.features)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Every packet and octet read is in a flow or has a named reason why not.

    Parameters
    ----------
    packets_read, bytes_read : int
        Frames the source gave, and their octets on the wire.
    packets_in_flows, bytes_in_flows : int
        Those in flows; the octets are IP octets.
    link_overhead_bytes : int
        Octets around the IP packets of frames in flows.
    packets_skipped, bytes_skipped : mapping of str to int
        The others, by reason.

    Examples
    --------
    >>> Balance(packets_read=3, packets_in_flows=2, packets_skipped={"malformed": 1}).closed
    True
    """

    packets_read: int = 0
    bytes_read: int = 0
    packets_in_flows: int = 0
    bytes_in_flows: int = 0
    link_overhead_bytes: int = 0
    packets_skipped: Mapping[str, int] = field(default_factory=dict)
    bytes_skipped: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, counters: Mapping[str, Any]) -> Balance:
        """Take the balance out of the engine's counters."""
        skipped: Mapping[str, tuple[int, int]] = counters["packets_skipped"]
        return cls(
            packets_read=counters["packets_read"],
            bytes_read=counters["bytes_read"],
            packets_in_flows=counters["packets_in_flows"],
            bytes_in_flows=counters["bytes_in_flows"],
            link_overhead_bytes=counters["link_overhead_bytes"],
            packets_skipped={reason: pair[0] for reason, pair in skipped.items()},
            bytes_skipped={reason: pair[1] for reason, pair in skipped.items()},
        )

    @property
    def closed(self) -> bool:
        """Whether both sums come out."""
        packets = self.packets_in_flows + sum(self.packets_skipped.values())
        octets = self.bytes_in_flows + self.link_overhead_bytes + sum(self.bytes_skipped.values())
        return packets == self.packets_read and octets == self.bytes_read

    def __add__(self, other: Balance) -> Balance:
        return self._combined(other, 1)

    def __sub__(self, other: Balance) -> Balance:
        return self._combined(other, -1)

    def _combined(self, other: Balance, sign: int) -> Balance:
        return Balance(
            packets_read=self.packets_read + sign * other.packets_read,
            bytes_read=self.bytes_read + sign * other.bytes_read,
            packets_in_flows=self.packets_in_flows + sign * other.packets_in_flows,
            bytes_in_flows=self.bytes_in_flows + sign * other.bytes_in_flows,
            link_overhead_bytes=self.link_overhead_bytes + sign * other.link_overhead_bytes,
            packets_skipped=_combined(self.packets_skipped, other.packets_skipped, sign),
            bytes_skipped=_combined(self.bytes_skipped, other.bytes_skipped, sign),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureCounters:
    """What became of the packets of a live interface. Every packet received is handed on, dropped or still there.

    Parameters
    ----------
    received : int
        Packets that passed the filter, those dropped included.
    handed_on : int
        Packets that the engine took; they stand in the balance.
    kernel_dropped : int
        Packets for which the kernel found no room in the ring.
    ring_freezes : int
        Times the ring was full.
    interface_dropped : int
        Packets that the interface dropped before any socket saw them, by its own count.

    Notes
    -----
    ``own_dropped`` is what lies in the ring: while the capture goes on, packets that wait; once it is closed, packets
    that were received and not wanted any more.

    Examples
    --------
    >>> CaptureCounters(received=9, handed_on=6, kernel_dropped=2).own_dropped
    1
    """

    received: int = 0
    handed_on: int = 0
    kernel_dropped: int = 0
    ring_freezes: int = 0
    interface_dropped: int = 0

    @property
    def own_dropped(self) -> int:
        """Received, neither handed on nor dropped by the kernel."""
        return self.received - self.handed_on - self.kernel_dropped

    def __add__(self, other: CaptureCounters) -> CaptureCounters:
        return CaptureCounters(
            received=self.received + other.received,
            handed_on=self.handed_on + other.handed_on,
            kernel_dropped=self.kernel_dropped + other.kernel_dropped,
            ring_freezes=self.ring_freezes + other.ring_freezes,
            interface_dropped=self.interface_dropped + other.interface_dropped,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What one source was and how reading it ended.

    Parameters
    ----------
    name : str
        As in the column ``source_file``.
    format : str
        Container, e.g. ``pcap-le-usec``; empty where nothing could be read.
    packets, bytes : int
        Frames, and octets of the container read to the end of the last whole record.
    problem : str
        ``none``, ``unreadable``, ``empty``, ``not_a_capture``, ``unsupported_format``, ``cut``, ``garbled``,
        ``changed``, ``damaged``, ``unsupported_link``, ``interrupted``, ``vanished`` or ``dropped``.
    sentence : str
        What, where and why; empty without a problem.
    offset : int
        Octet of the (decompressed) input where the problem is.
    blocks_skipped : mapping of str to int
        pcapng blocks that hold no packet, by type.
    balance : Balance
        The balance of this source alone.

    Examples
    --------
    >>> import flowclass
    >>> report = flowclass.classify(flowclass.samples() / "dns-udp.pcap").sources[0]
    >>> report.format, report.packets, report.problem
    ('pcap-le-usec', 14, 'none')
    """

    name: str
    format: str = ""
    packets: int = 0
    bytes: int = 0
    problem: str = "none"
    sentence: str = ""
    offset: int = 0
    blocks_skipped: Mapping[str, int] = field(default_factory=dict)
    balance: Balance = field(default_factory=Balance)

    @property
    def usable(self) -> bool:
        """Whether something could be read from it, or nothing was there to be read."""
        return self.problem == "none" or self.balance.packets_in_flows > 0


@cache
def _feature_names() -> frozenset[str]:
    return frozenset(str(column["name"]) for column in _core.feature_fields())


def _combined(left: Mapping[str, int], right: Mapping[str, int], sign: int) -> dict[str, int]:
    sums = {name: left.get(name, 0) + sign * right.get(name, 0) for name in sorted({*left, *right})}
    return {name: value for name, value in sums.items() if value != 0}

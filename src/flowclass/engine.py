"""The thin typed face of the native engine: octets in, record batches out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowclass import _core
from flowclass._core import FileSlices
from flowclass.errors import ConfigError, SourceError
from flowclass.schema import VERSION_DIGITS
from flowclass.types import MAX_THREADS, EngineOptions, UserFunction, check_range

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from flowclass.policy import Policy
    from flowclass.registry import Registry

_PUSHED = ("times", "clocks", "frames", "wire_lengths", "link_types", "offsets", "octets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Packets near the borders of a piece of a stream, as columns.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        Of the packets, ns since 1970 UTC.
    clocks : ndarray of int64, shape (n,)
        Greatest time of the piece so far, ns since 1970 UTC.
    frames : ndarray of uint64, shape (n,)
        Numbers within the source, from 1.
    sources : ndarray of uint32, shape (n,)
        Of the piece, from 0, in the order begun.
    wire_lengths : ndarray of uint32, shape (n,)
        Octets that the frames had on the wire.
    link_types : ndarray of uint32, shape (n,)
        LINKTYPE numbers.
    partitions : ndarray of uint32, shape (n,)
        A hash of the outermost addresses, the same in every process and for both directions.
    offsets : ndarray of int64, shape (n + 1,)
        Packet ``k`` has the octets from ``offsets[k]`` to ``offsets[k + 1]``.
    octets : ndarray of uint8
        What was captured of all.
    """

    times: NDArray[np.int64]
    clocks: NDArray[np.int64]
    frames: NDArray[np.uint64]
    sources: NDArray[np.uint32]
    wire_lengths: NDArray[np.uint32]
    link_types: NDArray[np.uint32]
    partitions: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    octets: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceFacts:
    """What a first look at a piece of a stream finds.

    Parameters
    ----------
    packets : int
        Frames in it.
    time_first, time_least, time_greatest : int or None
        Of its first packet, and of all, ns since 1970 UTC; None where there is none.
    border : BorderPairs
        For an engine over the piece.
    """

    packets: int
    time_first: int | None
    time_least: int | None
    time_greatest: int | None
    border: _core.BorderPairs


class Engine:
    """One engine: its flows, heads and counters.

    Parameters
    ----------
    options : EngineOptions
        How flows are cut.
    threads : int
        Workers; the result does not depend on it.
    registry : Registry, optional
        The registered endpoints.
    policy : Policy, optional
        What follows from them.
    rows : bool
        Whether there are records; without them flows are only counted.
    border : BorderPairs, optional
        The input is a piece of a stream: packets near its borders are kept for `take_carried`. With one thread only.
    early : bool
        Whether there are early verdicts, for ``poll_early``.
    hash_seed : (int, int), optional
        For tests: who knows it can make flows collide in the table. Random unless given.

    Notes
    -----
    Cutting the input anywhere gives the same flows. ``poll`` and ``finish`` give them in their final order.
    """

    def __init__(
        self,
        options: EngineOptions,
        *,
        threads: int = 1,
        registry: Registry | None = None,
        policy: Policy | None = None,
        rows: bool = True,
        border: _core.BorderPairs | None = None,
        early: bool = False,
        hash_seed: tuple[int, int] | None = None,
    ) -> None:
        check_range("threads", threads, 1, MAX_THREADS)
        self._next_frame = 1
        self._begun = 0
        self._functions = UserFunctions(options.udf)
        self._native = _core.Engine(
            idle_timeout_ns=options.idle_timeout_ns,
            active_timeout_ns=options.active_timeout_ns,
            tcp_linger_ns=options.tcp_linger_ns,
            memcap=options.memcap,
            threads=threads,
            batch_rows=options.batch_rows,
            vlan_in_key=options.vlan_in_key,
            tunnels=options.tunnels,
            heads=options.heads,
            features=options.features,
            rows=rows,
            early=early,
            hash_seed=hash_seed,
            anonymize=None if options.anonymize is None else options.anonymize.key,
            registry=None if registry is None else registry.native,
            policy=None if policy is None else policy.native,
            user=self._functions.native,
            border=border,
            registry_version=_registry_version(registry),
            policy_version=_policy_version(policy),
        )

    def set_judges(self, registry: Registry | None, policy: Policy | None) -> None:
        """Let these judge the flows that end from now on; the rows so far are a batch of their own."""
        self._native.set_judges(
            registry=None if registry is None else registry.native,
            policy=None if policy is None else policy.native,
            registry_version=_registry_version(registry),
            policy_version=_policy_version(policy),
        )

    def begin_source(self, name: str) -> int:
        """Say that the octets of another capture follow; flows go on. Gives the number of the source."""
        self._native.begin_source(name)
        self._next_frame = 1
        self._begun += 1
        return self._begun - 1

    def use_source(self, number: int) -> None:
        """Say that the packets that follow are of a source begun before, while none of them has ended."""
        self._native.use_source(number)

    def push(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take octets of a pcap or pcapng, cut anywhere."""
        self._native.push(chunk)

    def push_slice(self, file: FileSlices) -> None:
        """Take the slice of a file; with several threads the next one is read meanwhile."""
        self._native.push_slice(file)

    def push_packets(self, link_type: int, packets: Sequence[tuple[int, bytes]]) -> None:
        """Take ``(time in ns, frame)`` pairs."""
        self._native.push_packets(link_type, packets, self._next_frame)
        self._next_frame += len(packets)

    def push_ring(self, ring: _core.PacketRing, most: int) -> int:
        """Take at most so many packets out of a ring, where they lie; give how many there were."""
        return ring.push_into(self._native, most)

    def take_carried(self) -> Carried:
        """Give the packets near the borders of a piece, which are in no flow and no count."""
        return Carried(**_core.take_carried(self._native))

    def push_carried(self, packets: Carried) -> None:
        """Take packets that engines over pieces have left, in the order of the stream.

        Raises
        ------
        SourceError
            When the columns cannot be what an engine left. None of the packets was taken.
        """
        try:
            _core.push_carried(self._native, **{name: getattr(packets, name) for name in _PUSHED})
        except ValueError as problem:
            raise SourceError(f"what a piece left is refused: {problem}; run again") from problem

    def end_source(self) -> dict[str, Any]:
        """Say that the capture is over; give the report of it."""
        return self._native.end_source()

    def advance(self, now_ns: int) -> None:
        """Say that the wire was silent until ``now_ns``."""
        self._native.advance(now_ns)

    def restart_clock(self) -> None:
        """End every flow, ``forced``; the next packet's time is taken as it is, also when it is before all others."""
        self._native.restart_clock()

    @property
    def bursts_behind(self) -> int:
        """Bursts in a row, up to the last one, whose last packet was more than a minute before the clock."""
        return self._native.bursts_behind

    def flush(self) -> None:
        """Make the rows so far a batch, however few they are."""
        self._native.flush()

    def poll(self) -> list[pa.RecordBatch]:
        """Give the full batches that are ready."""
        return [self._functions.with_columns(_record_batch(batch)) for batch in self._native.poll()]

    def poll_early(self) -> list[pa.RecordBatch]:
        """Give the batches of early verdicts that are ready: full ones, and after ``flush`` or ``finish`` the rest."""
        return [_record_batch(batch) for batch in self._native.poll_early()]

    def finish(self) -> list[pa.RecordBatch]:
        """End every flow and give the rest; the last batch may be short."""
        return [self._functions.with_columns(_record_batch(batch)) for batch in self._native.finish()]

    def save(self, file: int) -> None:
        """Write the whole state to a file that is open, at its place; every row so far must have been taken.

        Parameters
        ----------
        file : int
            A descriptor.

        Raises
        ------
        OSError
            When it cannot be written.
        ValueError
            When rows are ready, or every flow was ended.
        """
        self._native.save(file)

    def restore(self, state: bytes | bytearray | memoryview) -> None:
        """Take over the state of an engine of the same options; this one must be new.

        Flows then go on as they would have there. Registry and policy may be others. After frames that were in no
        file, the numbers of those that follow begin with 1 again.

        Raises
        ------
        ValueError
            When it is damaged, of another version or of other options; with a sentence.
        """
        self._begun = self._native.restore(state)

    def counters(self) -> dict[str, Any]:
        """Give all counters of this engine."""
        counters = self._native.counters()
        counters["user_faults"].update(self._functions.faults)
        return counters

    def verdicts(self) -> list[tuple[tuple[str | None, ...], int]]:
        """Give how many of the flows that have ended have which class, protocol, variant, tier, match and outcome."""
        return self._native.verdicts()

    def balance(self) -> dict[str, Any]:
        """Give packets and octets read, in flows, and skipped by reason, so far."""
        return self._native.balance()


class UserFunctions:
    """Users' own functions in one run.

    Parameters
    ----------
    functions : tuple of UserFunction
        Fingerprints, features and scorers.

    Attributes
    ----------
    native : _core.UserMatchers, optional
        The fingerprints as the native core has them.
    faults : dict of str to tuple of int
        By column: rows for which the function failed, and for which its answer was refused.
    """

    def __init__(self, functions: tuple[UserFunction, ...]) -> None:
        fingerprints: list[Any] = [one for one in functions if one.kind == "fingerprint"]
        if len(fingerprints) > _core.MAX_USER_FINGERPRINTS:
            raise ConfigError(f"udf has {len(fingerprints)} fingerprints; at most {_core.MAX_USER_FINGERPRINTS} run")
        # Compiled code is called by its address: it lives as long as this does.
        self._fingerprints = fingerprints
        self._columns: list[Any] = [one for one in functions if one.kind != "fingerprint"]
        self.native = _core.UserMatchers([one.native() for one in fingerprints]) if fingerprints else None
        self.faults: dict[str, tuple[int, int]] = {one.name: (0, 0) for one in self._columns}

    def with_columns(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Give a batch with the columns of features and scorers behind the others."""
        for one in self._columns:
            column, failed, refused = one.column(batch)
            self.count({one.name: (failed, refused)})
            batch = batch.append_column(one.field, column)
        return batch

    def count(self, faults: Mapping[str, tuple[int, int]]) -> None:
        """Add faults that were counted elsewhere."""
        for name, (failed, refused) in faults.items():
            before = self.faults.get(name, (0, 0))
            self.faults[name] = (before[0] + failed, before[1] + refused)


def scan_piece(
    captures: Iterable[Iterable[bytes | bytearray | memoryview]], *, idle_timeout_ns: int, slack_ns: int
) -> PieceFacts:
    """Look at a piece of a stream for the first time: when its packets are, which address pairs come near its borders.

    Parameters
    ----------
    captures : iterable of iterable of bytes-like
        In the order in which the engine will take them: the octets of each, cut anywhere.
    idle_timeout_ns : int
        Of the engine that will go over the piece, ns.
    slack_ns : int
        By which pieces may overlap in time, ns.
    """
    scan = _core.PieceScan(idle_timeout_ns=idle_timeout_ns, slack_ns=slack_ns)
    for chunks in captures:
        scan.begin_source()
        for chunk in chunks:
            scan.push(chunk)
    facts = scan.finish()
    return PieceFacts(
        packets=facts["packets"],
        time_first=facts["time_first"],
        time_least=facts["time_least"],
        time_greatest=facts["time_greatest"],
        border=scan.border,
    )


def _registry_version(registry: Registry | None) -> str:
    """Give what rows call it."""
    return "" if registry is None else registry.version[:VERSION_DIGITS]


def _policy_version(policy: Policy | None) -> str:
    return "" if policy is None else policy.sha256[:VERSION_DIGITS]


def first_packet_time(prefix: bytes | bytearray | memoryview) -> int | None:
    """Give the time of a capture's first packet, in ns since 1970 UTC, from its first octets."""
    return _core.first_packet_time(prefix)


def matchers() -> list[dict[str, Any]]:
    """Give every fingerprint of this build: protocol, class, ports, variants, rules, kinds of links."""
    return _core.matchers()


def link_rules() -> list[tuple[str, str, float, str]]:
    """Give the rules of linked flows: id, meaning, bits, and the kind of the leading flow."""
    return _core.link_rules()


def crypto_library() -> str:
    """Give the name and version of the libcrypto in use; empty where none was found."""
    return _core.crypto_library()


def rules_sha256() -> str:
    """Give the hash of everything that the fingerprints of this build publish, in hexadecimal."""
    from hashlib import sha256

    from msgspec.json import encode

    return sha256(encode(matchers(), order="sorted")).hexdigest()


def _record_batch(native: _core.FlowBatch) -> pa.RecordBatch:
    import pyarrow as pa

    batch: pa.RecordBatch = pa.record_batch(native)
    return batch

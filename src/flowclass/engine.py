"""The thin typed face of the native engine: octets in, record batches out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from flowclass import _core
from flowclass._core import FileSlices
from flowclass.errors import ConfigError
from flowclass.types import MAX_THREADS, EngineOptions, UserFunction, check_range

if TYPE_CHECKING:
    import pyarrow as pa

    from flowclass.policy import Policy
    from flowclass.registry import Registry


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
            anonymize=None if options.anonymize is None else options.anonymize.key,
            registry=None if registry is None else registry.native,
            policy=None if policy is None else policy.native,
            user=self._functions.native,
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

    def finish(self) -> list[pa.RecordBatch]:
        """End every flow and give the rest; the last batch may be short."""
        return [self._functions.with_columns(_record_batch(batch)) for batch in self._native.finish()]

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
    return hashlib.sha256(msgspec.json.encode(matchers(), order="sorted")).hexdigest()


def _record_batch(native: _core.FlowBatch) -> pa.RecordBatch:
    import pyarrow as pa

    batch: pa.RecordBatch = pa.record_batch(native)
    return batch

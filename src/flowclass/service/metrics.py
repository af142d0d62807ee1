"""Takes the status of a run. Gives it as OpenMetrics text, by the library of the Prometheus project.

No address, no name of a host and no registrant is ever a label: their number has no bound, and they are nobody's
business who may see the metrics. Flows are counted when they end.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowclass.errors import ConfigError
from flowclass.service.status import BATCH_SECONDS, Status
from flowclass.version import __version__

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Metrics:
    """Writes statuses as OpenMetrics.

    Parameters
    ----------
    latest : callable
        Gives the newest status, None before there is one; called by the thread that serves.

    Raises
    ------
    ConfigError
        When prometheus_client is not installed.
    """

    def __init__(self, latest: Callable[[], Status | None]) -> None:
        try:
            from prometheus_client import CollectorRegistry, ProcessCollector
            from prometheus_client.openmetrics.exposition import generate_latest
        except ImportError:
            raise ConfigError("--metrics needs prometheus_client: pip install 'flowclass[metrics]'") from None
        self._latest = latest
        self._told: tuple[Status | None, bytes] = (None, b"")
        self._registry = CollectorRegistry(auto_describe=False)
        self._write: Callable[[CollectorRegistry], bytes] = generate_latest
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def text(self) -> bytes:
        """Give the text for one answer; it is written once for each status, however many ask."""
        status = self._latest()
        told, text = self._told
        if status is None or told is not status:
            text = self._write(self._registry)
            self._told = (status, text)
        return text

    def describe(self) -> list[Metric]:
        """Give nothing: what there is depends on the run."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give the families of the newest status."""
        yield _info("flowclass_build", "This build.", {"version": __version__, "python": platform.python_version()})
        status = self._latest()
        if status is None:
            return
        yield from _packets(status)
        yield from _flows(status)
        yield from _memory(status)
        yield from _judged(status)
        yield from _outputs(status)


def _packets(status: Status) -> Iterator[Metric]:
    balance = status.balance
    skipped = sum(balance.packets_skipped.values())
    yield _counter(
        "flowclass_packets", "Packets read, by what became of them.", ("result",),
        {("flow",): balance.packets_in_flows, ("skipped",): skipped},
    )  # fmt: skip
    yield _counter(
        "flowclass_packets_skipped", "Packets read that are in no flow, by why.", ("reason",),
        {(reason,): count for reason, count in balance.packets_skipped.items()},
    )  # fmt: skip
    yield _counter("flowclass_bytes", "Octets of the packets read.", (), {(): balance.bytes_read})
    yield _counter(
        "flowclass_packets_out_of_order", "Packets older than one before them.", (), {(): status.out_of_order}
    )
    captured = {
        (interface, state): count
        for interface, facts in status.captured.items()
        for state, count in (
            ("received", facts.received),
            ("handed_on", facts.handed_on),
            ("kernel_dropped", facts.kernel_dropped),
            ("interface_dropped", facts.interface_dropped),
        )
    }
    yield _counter(
        "flowclass_capture_packets", "Packets of interfaces, by what became of them.", ("interface", "state"), captured
    )
    yield _counter(
        "flowclass_capture_ring_full", "Times that an interface's ring was full.", ("interface",),
        {(interface,): facts.ring_freezes for interface, facts in status.captured.items()},
    )  # fmt: skip
    yield _gauge(
        "flowclass_capture_waiting_packets", "Packets that lie in an interface's ring.", ("interface",),
        {(interface,): facts.own_dropped for interface, facts in status.captured.items()},
    )  # fmt: skip
    if status.lag_s is not None:
        yield _gauge("flowclass_lag_seconds", "The machine's clock less the packets'.", (), {(): status.lag_s})


def _flows(status: Status) -> Iterator[Metric]:
    yield _gauge("flowclass_flows_active", "Flows in the table.", (), {(): status.alive})
    yield _counter(
        "flowclass_flows_closed", "Flows that have ended, by why.", ("end_reason",),
        {(reason,): count for reason, count in status.ended.items()},
    )  # fmt: skip
    verdicts = status.by("protocol_class", "protocol", "tier")
    yield _counter(
        "flowclass_verdicts", "Flows that have ended, by what they were.",
        ("protocol_class", "protocol", "tier"),
        {tuple(str(part or "") for part in group): count for group, count in verdicts.items()},
    )  # fmt: skip


def _memory(status: Status) -> Iterator[Metric]:
    yield _gauge("flowclass_flow_table_bytes", "Memory of flows, heads and evidence.", (), {(): status.table_bytes})
    yield _gauge("flowclass_flow_table_limit_bytes", "Its cap.", (), {(): status.memcap})
    yield _counter(
        "flowclass_refused", "Flows that got less than all for want of memory, by what.", ("what",),
        {(what,): count for what, count in status.refused.items()},
    )  # fmt: skip


def _judged(status: Status) -> Iterator[Metric]:
    if status.registry is not None:
        matches = status.by("registry_match")
        yield _counter(
            "flowclass_registry_matches", "Flows that have ended, by what the registry says.", ("match",),
            {(str(match),): count for (match,), count in matches.items() if match is not None},
        )  # fmt: skip
        yield _gauge("flowclass_registry_entries", "Entries of the registry.", (), {(): status.registry_entries})
        yield _info("flowclass_registry", "The registry in force.", status.registry)
        yield _gauge(
            "flowclass_registry_loaded_timestamp_seconds", "When it was loaded.", (), {(): status.registry_loaded_s}
        )
    if status.policy_sha256:
        outcomes = status.by("policy_outcome")
        yield _counter(
            "flowclass_policy_outcomes", "Flows that have ended, by what follows from the policy.", ("outcome",),
            {(str(outcome),): count for (outcome,), count in outcomes.items() if outcome is not None},
        )  # fmt: skip
        yield _info("flowclass_policy", "The policy in force.", {"sha256": status.policy_sha256})


def _outputs(status: Status) -> Iterator[Metric]:
    from prometheus_client.core import HistogramMetricFamily

    sinks = {
        (sink.kind if place == 0 else f"{sink.kind}-{place + 1}",): sink for place, sink in enumerate(status.sinks)
    }
    yield _counter(
        "flowclass_output_records", "Rows, by what became of them.", ("sink", "result"),
        {
            (*name, result): count
            for name, sink in sinks.items()
            for result, count in (("delivered", sink.delivered), ("dropped", sink.dropped))
        },
    )  # fmt: skip
    yield _gauge(
        "flowclass_output_queue_records", "Rows on their way.", ("sink",),
        {name: sink.waiting for name, sink in sinks.items()},
    )  # fmt: skip
    yield _counter(
        "flowclass_output_errors", "Times that an output failed.", ("sink",),
        {name: sink.errors for name, sink in sinks.items()},
    )  # fmt: skip
    running, buckets = 0, []
    for bound, count in zip((*map(str, BATCH_SECONDS), "+Inf"), status.batches.counts, strict=True):
        running += count
        buckets.append((bound, running))
    yield HistogramMetricFamily(
        "flowclass_batch_duration_seconds",
        "What handing a batch of rows to the outputs took.",
        buckets=buckets,
        sum_value=status.batches.total_s,
        unit="seconds",
    )


Values = Mapping[Any, float]
"""By the values of the labels, a tuple of texts."""


def _counter(name: str, says: str, labels: tuple[str, ...], values: Values) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(name, says, labels=labels)
    for found, value in sorted(values.items()):
        family.add_metric(found, value)
    return family


def _gauge(name: str, says: str, labels: tuple[str, ...], values: Values) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, says, labels=labels)
    for found, value in sorted(values.items()):
        family.add_metric(found, value)
    return family


def _info(name: str, says: str, facts: Mapping[str, str]) -> Metric:
    from prometheus_client.core import InfoMetricFamily

    return InfoMetricFamily(name, says, value=dict(facts))

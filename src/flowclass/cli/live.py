"""``flowclass live``: packets as they come in, flows with verdicts out."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import Any

import click

from flowclass.cli.checkpoint import fill_all, kept, with_checkpoint
from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common, setting, with_config
from flowclass.cli.output import with_output_or_none
from flowclass.cli.reload import reloading
from flowclass.cli.run import exit_code, open_sinks, refuse_rows, run_options, say_end, with_run
from flowclass.cli.service import Service, with_service
from flowclass.cli.values import duration, size
from flowclass.cli.verdicts import early_verdicts
from flowclass.errors import OutputError
from flowclass.pipeline.batch import Run
from flowclass.pipeline.reload import JudgesFiles
from flowclass.pipeline.stop import Stop
from flowclass.sources import Source
from flowclass.sources.live import WHOLE_PACKET, LiveOptions, LiveSource, PipeSource
from flowclass.sources.watch import WatchedFolder
from flowclass.types import SECOND_NS

LATENCY_S = 1.0


@click.command(name="live", short_help="The same of packets as they come: interfaces, a folder that fills, a pipe.")
@click.argument("pipe", required=False, type=click.Choice(["-"]), metavar="[-]")
@click.option("-i", "--interface", "interfaces", multiple=True, metavar="IFACE", help="An interface; may be repeated.")
@setting("--watch", type=click.Path(path_type=Path), metavar="DIR", help="A folder where captures appear.")
@with_config
@setting("--filter", default="", metavar="EXPRESSION", help="With -i: only packets that pass; as for tcpdump.")
@setting("--promiscuous", is_flag=True, help="With -i: also packets that are not for this machine.")
@setting("--snaplen", type=click.IntRange(64, WHOLE_PACKET), default=WHOLE_PACKET, help="With -i: octets of a packet.")
@setting("--ring", type=size, default="32MiB", show_default=True, help="With -i: the buffer of each interface.")
@setting("--fanout", metavar="GROUP[:hash|cpu]", help="With -i: share the packets with programs of the same group.")
@setting(
    "--settle", type=duration, default="5s", show_default=True, help="With --watch: unchanged for so long is complete."
)
@setting("--state", type=click.Path(path_type=Path), help="With --watch: where it is remembered what was read.")
@setting("--duration", type=duration, help="End after so long.")
@setting("--packets", type=click.IntRange(min=1), help="With -i: end after so many packets.")
@with_service
@with_output_or_none
@with_run
@with_checkpoint
@common
def live(**given: Any) -> int:
    """Say for flows, as they end, which protocol they are, with evidence, and whether their ends are registered.

    The packets come from interfaces (-i), from captures that are completed in a folder (--watch), or from standard
    input (-): a pcap or pcapng, e.g. of tcpdump -U -w - .

    With --verdicts a row comes as soon as a flow's first packets tell what it is, within 2 s of packet time after its
    first payload (15 s where the head waits, with a row at 2 s); the flow's own row comes when it has ended.

    A --registry or --policy that changes is loaded again and put in force, if it holds; SIGHUP loads both at once.

    SIGINT and SIGTERM end it: what the kernel still holds is read, every flow is ended, files are complete, and the
    exit code is 130 or 143. With --watch a file that is being read is read to its end. With --checkpoint no flow is
    ended, and the same command goes on.
    """  # fmt: skip
    refuse_rows(given)
    _refuse(given)
    files = JudgesFiles(given["registry"], given["policy"])
    options = run_options(given, latency_s=LATENCY_S)
    source = _source(given)
    stop = Stop()
    failure: OutputError | None = None
    with stop.on_signals(), Service(given, stop, source.name) as service:
        if isinstance(source, LiveSource):
            source.open()
        service.leave_rights()
        beside = ExitStack()
        verdicts = beside.enter_context(early_verdicts(given))
        checkpoint = beside.enter_context(kept(given, options))
        run = Run([source], options, stop=stop, progress=service, verdicts=verdicts.take, checkpoint=checkpoint)
        sinks, outputs = open_sinks(given, run, kept=checkpoint is not None)
        outputs += verdicts.outputs
        batches = service.watched(run.batches())
        try:
            with beside, reloading(run, files, quiet=given["quiet"]):
                service.begin(run, outputs)
                fill_all(sinks, batches, run, checkpoint, quiet=given["quiet"])
        except OutputError as problem:
            failure = problem
            batches.close()
        if failure is None and isinstance(source, WatchedFolder) and checkpoint is None:
            source.save()
    # Also where an output failed: what became of each packet until then.
    say_end(run, outputs, given, also={} if service.sandbox is None else {"sandbox": str(service.sandbox)})
    if failure is not None:
        raise failure
    if not run.reports and run.stopped_by is None:
        return Exit.DONE
    return exit_code(run, fail_on_violation=given["fail_on_violation"], outputs=outputs)


def _refuse(given: dict[str, Any]) -> None:
    """Raise where not exactly one kind of source was given, or an option is of another kind."""
    kinds = {"-i": bool(given["interfaces"]), "--watch": given["watch"] is not None, "-": given["pipe"] is not None}
    if sum(kinds.values()) != 1:
        raise click.UsageError("give either interfaces with -i, a folder with --watch, or - for standard input")
    alone = {
        "-i": ("filter", "promiscuous", "fanout", "packets"),
        "--watch": ("state",),
    }
    for kind, names in alone.items():
        for name in names:
            if given[name] and not kinds[kind]:
                raise click.UsageError(f"--{name} goes with {kind} only")


def _source(given: dict[str, Any]) -> Source:
    seconds = None if given["duration"] is None else given["duration"] / SECOND_NS
    if given["pipe"] is not None:
        return PipeSource(FileIO(sys.stdin.fileno(), closefd=False), "-", duration_s=seconds)
    if given["watch"] is not None:
        return WatchedFolder(
            given["watch"], state=given["state"], settle_s=given["settle"] / SECOND_NS, duration_s=seconds
        )
    group, mode = _fanout(given["fanout"])
    options = LiveOptions(
        filter=given["filter"],
        promiscuous=given["promiscuous"],
        snap_length=given["snaplen"],
        ring_octets=given["ring"],
        fanout=mode,
        fanout_group=group,
        duration_s=seconds,
        packets=given["packets"],
    )
    return LiveSource(given["interfaces"], options)


def _fanout(text: str | None) -> tuple[int, Any]:
    if text is None:
        return 0, "none"
    group, _, mode = text.partition(":")
    if not group.isdecimal() or int(group) > 0xFFFF or mode not in ("", "hash", "cpu"):
        raise click.UsageError(f"--fanout {text}: write a group from 0 to 65535, and :hash or :cpu, e.g. 7:hash")
    return int(group), mode or "hash"

"""``flowclass registry build``: one snapshot of one or several sources."""

from __future__ import annotations

import hashlib
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from flowclass import _core
from flowclass.cli.exit_codes import Exit
from flowclass.cli.options import common
from flowclass.cli.registry.at_desk import moment
from flowclass.cli.registry.limits import with_limits
from flowclass.cli.registry.problems import say_problems
from flowclass.cli.scope import read_scope
from flowclass.cli.values import clean, entries, instant
from flowclass.errors import RegistryError
from flowclass.registries import desk
from flowclass.registries.kinds import Limits
from flowclass.registries.source import HEAD
from flowclass.registry import Registry, RegistryEntry
from flowclass.snapshot import SnapshotSource


@click.command(short_help="Compile lists into one snapshot file.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The snapshot, e.g. R.fcr.")
@click.option(
    "--scope", type=click.Path(path_type=Path), help="The operator's own prefixes, one a line; # begins a note."
)
@click.option("--built-at", type=instant, help="The time of building to write into it; now by default.")
@click.option("--at", type=moment, help="The instant that a registrar's desk is taken as of; now by default.")
@with_limits
@click.option("-v", "--verbose", is_flag=True, help="Every warning, not the first of each kind alone.")
@common
def build(
    *,
    sources: tuple[Path, ...],
    output: Path,
    scope: Path | None,
    built_at: datetime | None,
    at: int | None,
    widest_ipv4: int,
    widest_ipv6: int,
    verbose: bool,
    as_json: bool,
) -> int:
    """Compile the registries SOURCE... into one snapshot.

    It appears complete or not at all, and is mapped and verified wherever a registry is taken. The same sources, scope
    and --built-at give the same octets. Exit with 5 when a row of a source is not valid.
    """
    limits = Limits(widest_ipv4=widest_ipv4, widest_ipv6=widest_ipv6)
    loaded = [(source, *_load(source, at, limits)) for source in sources]
    _refuse_duplicates(loaded)
    problems = [problem for _, registry, _ in loaded for problem in registry.warnings]
    prefixes = {prefix for _, registry, _ in loaded for prefix in registry.scope}
    if scope is not None:
        prefixes |= set(read_scope(scope))
    whole = Registry.of_entries(
        (entry for _, registry, _ in loaded for entry in registry.entries), scope=sorted(prefixes), problems=problems
    )
    hashes = [SnapshotSource(name=clean(str(source)), sha256=sha256) for source, _, sha256 in loaded]
    if scope is not None:
        hashes.append(SnapshotSource(name=clean(str(scope)), sha256=_sha256(scope)))
    whole.save(output, built_at=datetime.now(UTC) if built_at is None else built_at, sources=hashes)
    if as_json:
        content: dict[str, Any] = {
            "schema": "flowclass.registry.build/1",
            "output": str(output),
            "entries": len(whole),
            "registry_version": whole.version,
            "warnings": len(problems),
        }
        click.echo(msgspec.json.encode(content).decode())
        return Exit.DONE
    say_problems(problems, verbose=verbose, all_by="-v, or with registry check --json", err=True)
    click.echo(f"{clean(str(output))}: {entries(len(whole))}, version {whole.version[:12]}")
    return Exit.DONE


def _load(source: Path, at: int | None, limits: Limits) -> tuple[Registry, str]:
    """Give a source, as of an instant where it is a desk, and a SHA-256 of what was read.

    Of a desk, to which others may write meanwhile, it is that of the rows; of any other file that of its octets.
    """
    if at is not None or _is_desk(source):
        known = frozenset(_core.known_protocols())
        rows, problems, sha256 = desk.read_hashed(source, known_protocols=known, limits=limits, at=at)
        if any(problem.severity == "error" for problem in problems):
            raise RegistryError(f"{source}: the desk is refused; correct these and build again", problems)
        return Registry(rows, problems=problems), sha256
    before = _sha256(source)
    registry = Registry.load(source, limits=limits)
    if _sha256(source) != before:
        raise RegistryError(f"{source}: the registry was changed while it was read; build again")
    return registry, before


def _is_desk(source: Path) -> bool:
    try:
        with source.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise RegistryError(f"{source}: build reads its sources again, and this is a pipe; save it as a file")
            return desk.recognise(file.read(HEAD))
    except OSError as problem:
        raise _unreadable(source, problem) from problem


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise _unreadable(path, problem) from problem


def _unreadable(path: Path, problem: OSError) -> RegistryError:
    return RegistryError(f"{path}: the registry cannot be read: {problem.strerror or problem}; check the path")


def _refuse_duplicates(loaded: list[tuple[Path, Registry, str]]) -> None:
    seen: dict[tuple[str, str, int | None, int | None], Path] = {}
    for source, registry, _ in loaded:
        here: dict[tuple[str, str, int | None, int | None], Path] = {}
        for entry in registry.entries:
            key = _key(entry)
            if key in seen:
                raise RegistryError(
                    f"{source}: {entry.registration_id} {entry.prefix} stands in {seen[key]} too, with the same dates;"
                    " take it out of one of them"
                )
            here[key] = source
        seen |= here


def _key(entry: RegistryEntry) -> tuple[str, str, int | None, int | None]:
    return entry.registration_id, entry.prefix, entry.valid_from, entry.valid_until

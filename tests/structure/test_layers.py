"""One way only: no room includes or imports a room to its right, there is no cycle, every file is in a room.

Reads the text of every source file; the order is that of the folders as the tour shows them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

NATIVE = ROOT / "native" / "src"
PACKAGE = ROOT / "src" / "flowclass"
MOST_LINES = 400

# Each C++ room with all rooms it may include.
ROOMS: dict[str, set[str]] = {}


def _room(name: str, *uses: str) -> None:
    ROOMS[name] = {used for use in uses for used in (use, *ROOMS[use])}


_room("base")
_room("packet", "base")
_room("capture", "packet")
_room("decode", "packet")
_room("flow", "packet")
_room("head", "packet", "flow")
_room("crypto", "base")
_room("hello", "head", "crypto")
_room("feature", "packet", "flow")
_room("fingerprint", "hello")
_room("registry", "base")
_room("policy", "feature", "fingerprint", "registry")
_room("batch", "crypto", "flow", "feature", "policy")
_room("engine", "capture", "decode", "batch")
_room("capi", "engine")
_room("python", "engine")

# Python rooms from left to right: a room may import what stands in an earlier group, or itself. Files of the
# package's own folder are rooms by their name.
ORDER: tuple[tuple[str, ...], ...] = (
    ("version", "errors", "_core"),
    ("anonymize",),
    ("types",),
    ("schema",),
    ("engine", "kernels"),
    ("udf", "features", "registries", "sources", "sinks", "vectors"),
    ("snapshot",),
    ("registry", "policy"),
    ("registry_diff",),
    ("pipeline", "desk"),
    ("accuracy", "explain", "report", "service", "distributed", "points"),
    ("run_diff", "verify"),
    ("__init__",),
    ("cli",),
    ("__main__",),
)
RANK = {room: rank for rank, group in enumerate(ORDER) for room in group}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
GENERATED = {"fingerprint_list.inc", "fingerprint_includes.inc", "provider_names.inc"}  # by the build


def _native_files() -> list[Path]:
    return sorted(path for path in NATIVE.rglob("*") if path.suffix in (".hpp", ".cpp", ".h", ".inc"))


def _python_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _includes(path: Path) -> Iterator[str]:
    for name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if Path(name).name not in GENERATED:
            yield name


def _imports(path: Path) -> Iterator[str]:
    """Give the modules of this package that a file imports, anywhere in it but for type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "flowclass")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; name the package"
            if node.module == "flowclass":
                for name in node.names:
                    inside = PACKAGE / name.name
                    is_module = inside.is_dir() or inside.with_suffix(".py").exists() or name.name == "_core"
                    yield f"flowclass.{name.name}" if is_module else "flowclass"
            elif node.module is not None and node.module.split(".")[0] == "flowclass":
                yield node.module


def _python_room(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def _room_of(path: Path) -> str:
    inside = path.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


@pytest.mark.parametrize("path", _native_files(), ids=lambda path: str(path.relative_to(NATIVE)))
def test_native_file_includes_no_room_to_its_right(path: Path) -> None:
    room = path.relative_to(NATIVE).parts[0]
    assert room in ROOMS, f"{path}: {room} is no room"
    assert len(path.relative_to(NATIVE).parts) > 1, f"{path}: in no room"
    for name in _includes(path):
        if not (NATIVE / name).exists():
            public = ROOT / "native" / "include" / name
            assert public.exists(), f"{path}: includes {name!r}, which is not there; includes begin at native/src"
            continue
        used = Path(name).parts[0]
        assert used == room or used in ROOMS[room], f"{path}: {room} may not include {used} ({name})"


def test_native_includes_have_no_cycle() -> None:
    graph = {str(path.relative_to(NATIVE)): [name for name in _includes(path)] for path in _native_files()}
    assert _cycle(graph) is None


@pytest.mark.parametrize("path", _python_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_python_file_imports_no_room_to_its_right(path: Path) -> None:
    room = _room_of(path)
    assert room in RANK, f"{path}: {room} is no room"
    for module in _imports(path):
        used = _python_room(module)
        assert used in RANK, f"{path}: imports {module}, which is in no room"
        assert used == room or RANK[used] < RANK[room], f"{path}: {room} may not import {used} ({module})"


def test_python_imports_have_no_cycle() -> None:
    graph: dict[str, list[str]] = {}
    for path in _python_files():
        inside = path.relative_to(PACKAGE).with_suffix("")
        parts = inside.parts[:-1] if inside.name == "__init__" else inside.parts
        graph[".".join(("flowclass", *parts))] = list(_imports(path))
    assert _cycle(graph) is None


def test_only_the_command_line_prints() -> None:
    for path in _python_files():
        if _room_of(path) != "cli":
            calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            names = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
            assert "print" not in names, path


@pytest.mark.parametrize("path", [*_native_files(), *_python_files()], ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > MOST_LINES:
        first = _first_comment(lines)
        assert "longer" in first, f"{path}: {len(lines)} lines; split it, or say in its first comment why it is longer"


def _first_comment(lines: list[str]) -> str:
    if lines[0].startswith('"""'):
        end = next(
            n for n, line in enumerate(lines) if line.rstrip().endswith('"""') and (n > 0 or line.count('"""') > 1)
        )
        return "\n".join(lines[: end + 1])
    return "\n".join(line for line in lines[: next(n for n, line in enumerate(lines) if not line.startswith("//"))])


def _cycle(graph: dict[str, list[str]]) -> list[str] | None:
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str] | None:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done or node not in graph:
            return None
        for used in graph[node]:
            found = None if used == node else visit(used, [*path, node])
            if found is not None:
                return found
        done.add(node)
        return None

    for start in graph:
        found = visit(start, [])
        if found is not None:
            return found
    return None


def test_the_rules_would_be_noticed(tmp_path: Path) -> None:
    """The checks themselves can fail."""
    assert _cycle({"a": ["b"], "b": ["c"], "c": ["a"]}) == ["a", "b", "c", "a"]
    assert _cycle({"a": ["b", "c"], "b": ["c"], "c": []}) is None
    assert "engine" not in ROOMS["batch"]
    assert "fingerprint" not in ROOMS["head"]
    file = tmp_path / "x.py"
    file.write_text("from flowclass.cli import main\ndef f():\n    import flowclass.sinks.csv\n")
    assert list(_imports(file)) == ["flowclass.cli", "flowclass.sinks.csv"]
    include = tmp_path / "x.hpp"
    include.write_text('#include <vector>\n#include "engine/engine.hpp"\n')
    assert list(_includes(include)) == ["engine/engine.hpp"]

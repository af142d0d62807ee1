"""The stub of the native core names what the core has, no more and no less."""

from __future__ import annotations

import ast

from conftest import ROOT

from flowclass import _core

STUB = ROOT / "src" / "flowclass" / "_core.pyi"
OBJECT_NAMES = set(dir(object)) | {"__module__", "__dict__", "__doc__", "__weakref__", "__init__"}


def _stub() -> tuple[set[str], dict[str, set[str]]]:
    names: set[str] = set()
    classes: dict[str, set[str]] = {}
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            members = {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef)}
            classes[node.name] = members - OBJECT_NAMES
        elif isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_":
            names.add(node.target.id)
    return names, classes


def test_names() -> None:
    names, classes = _stub()
    native = {name for name in vars(_core) if not name.startswith("_")}
    assert names | set(classes) == native


def test_members() -> None:
    for name, members in _stub()[1].items():
        native = {member for member in vars(getattr(_core, name)) if not member.startswith("_nb_")}
        assert members == native - OBJECT_NAMES, name

"""Every public name says what it is and shows how it is used; the documents name it."""

from __future__ import annotations

import ast
import inspect
import re

import pytest
from conftest import ROOT

import flowclass

NAMES = [name for name in flowclass.__all__ if name != "__version__"]


def test_the_list_is_complete() -> None:
    assert set(flowclass.__all__) == set(flowclass._HOMES) | {"__version__"}
    assert len(flowclass.__all__) == len(set(flowclass.__all__))


@pytest.mark.parametrize("name", NAMES)
def test_public_name_has_a_docstring_with_an_example(name: str) -> None:
    one = getattr(flowclass, name)
    told = inspect.getdoc(one) or ""
    assert one.__doc__, f"{name} has no docstring"
    assert ">>>" in told, f"{name} shows no example"
    assert "Examples\n--------" in told, f"{name}: examples stand under their own head"


@pytest.mark.parametrize("name", [name for name in NAMES if inspect.isfunction(getattr(flowclass, name))])
def test_public_function_says_what_it_takes_gives_and_raises(name: str) -> None:
    function = getattr(flowclass, name)
    told = inspect.getdoc(function) or ""
    parameters = inspect.signature(function).parameters
    assert len(parameters) <= 6, f"{name} takes more than 6 arguments"
    for section in (*(("Parameters",) if parameters else ()), "Returns", "Raises"):
        assert f"{section}\n{'-' * len(section)}" in told, f"{name}: {section} is missing"
    for parameter in parameters.values():
        assert f"{parameter.name} : " in told or f"{parameter.name}, " in told or f", {parameter.name} : " in told
        assert parameter.annotation is not parameter.empty, f"{name}: {parameter.name} has no type"


def test_methods_and_attributes_that_anybody_may_use_are_told() -> None:
    for name in NAMES:
        one = getattr(flowclass, name)
        if not inspect.isclass(one):
            continue
        for member, value in vars(one).items():
            told = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if not member.startswith("_") and inspect.isfunction(told):
                assert told.__doc__, f"{name}.{member} has no docstring"


def test_the_page_of_the_library_names_them_all() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    absent = [name for name in NAMES if not re.search(rf"`(flowclass\.)?{name}\b", page)]
    assert not absent


def test_typed() -> None:
    """Type checkers see what the running package gives."""
    tree = ast.parse((ROOT / "src" / "flowclass" / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
        if isinstance(inner, ast.ImportFrom)
        for alias in inner.names
    }
    assert imported == set(NAMES)

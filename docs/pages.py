"""Makes the pages of the site that come from the code: protocols, commands, the Python API, known differences.

Takes the installed package. Gives Markdown files in ``generated``, which are no part of the repository.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import flowclass
from flowclass.cli.man import commands_of
from flowclass.cli.protocols import add_bits, grouped
from flowclass.engine import matchers
from flowclass.vectors.read import files
from flowclass.verify.known import rules

CLASSES = {
    "vpn": "VPNs",
    "overlay": "Overlays and tunnels without encryption",
    "proxy": "Proxies",
    "covert": "Covert channels",
    "app": "Ordinary protocols",
}


def write(folder: Path) -> None:
    """Write all pages; one whose text did not change is left alone, so that it is not built again."""
    folder.mkdir(exist_ok=True)
    made = {
        "protocols": protocols(),
        "commands": commands(),
        "api": api(),
        "known_differences": known_differences(),
    }
    for name, text in made.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def protocols() -> str:
    """Give every protocol, class by class: the tunnels with each rule, the ordinary ones in a table."""
    listed = grouped(matchers())
    add_bits(listed, files())
    intro = "Made from the fingerprints of this version; `flowclass protocols NAME` prints the same."
    head = ("protocol", "what it is", "variants", "usual ports")
    text = ["# Protocols", "", intro, ""]
    for kind, title in CLASSES.items():
        of_kind = [one for one in listed if one["protocol_class"] == kind]
        text += [f"## {title}", "", *_table(head, map(_row, of_kind)), ""]
        if kind != "app":
            for one in of_kind:
                text += [f"### {one['protocol']}", "", *_details(one), ""]
    return "\n".join(text)


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    ports = ", ".join(str(port) for port in one["ports"])
    return f"`{one['protocol']}`", "; ".join(one["titles"]), ", ".join(one["variants"]), ports


def _details(one: dict[str, Any]) -> Iterator[str]:
    for fingerprint in one["fingerprints"]:
        yield f"**{fingerprint['title']}**: {_plain(fingerprint['sources'])}."
        yield ""
        rules_of = ((f"`{rule['rule']}`", _plain(rule["meaning"]), _bits(rule)) for rule in fingerprint["rules"])
        yield from _table(("rule", "what it checks", "bits in its vectors"), rules_of)
        yield ""


def _bits(rule: dict[str, Any]) -> str:
    low, high = rule["bits_least"], rule["bits_most"]
    if low is None or high is None:
        return ""
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def commands() -> str:
    """Give every command's own help."""
    text = ["# Commands", "", "What `--help` says, in 80 columns; `man flowclass` has the same pages.", ""]
    for name, command in commands_of():
        context = click.Context(command, info_name=name, terminal_width=80, max_content_width=80)
        text += [f"## {name}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(text)


def api() -> str:
    """Give every public name."""
    functions, classes, errors = [], [], []
    for name in flowclass.__all__:
        found = getattr(flowclass, name)
        if inspect.isclass(found):
            (errors if issubclass(found, Exception) else classes).append(name)
        elif callable(found):
            functions.append(name)
    text = [
        "# Python API", "",
        "Everything that is public; what is not here may change. Results speak the Arrow C stream protocol, so that",
        "pandas, polars, DuckDB and pyarrow take them in a line: see [for analysts](../howto_analyst.md).", "",
    ]  # fmt: skip
    for title, names, directive in (
        ("Functions", functions, "autofunction"),
        ("Classes", classes, "autoclass"),
        ("Errors", errors, "autoclass"),
    ):
        text += [f"## {title}", ""]
        for name in names:
            text += ["```{eval-rst}", f".. {directive}:: flowclass.{name}"]
            text += ["   :members:", "   :exclude-members: __init__, __new__"] if directive == "autoclass" else []
            text += ["```", ""]
    return "\n".join(text)


def known_differences() -> str:
    """Give the known differences between our flows and tshark's."""
    rows = ((f"`{rule.id}`", ", ".join(rule.kinds), _plain(rule.reason)) for rule in rules())
    table = _table(("difference", "what differs", "why"), rows)
    return "\n".join(["# Known differences from tshark", "", "What `flowclass verify` does not count.", "", *table, ""])


def _table(head: tuple[str, ...], rows: Any) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _plain(text: str) -> str:
    """Give text in which Markdown finds no markup."""
    return "".join("\\" + char if char in "\\`*_<>[]$#" else char for char in text)

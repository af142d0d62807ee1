"""Who looks up: each is built from a table, and gives an index of the longest covering prefix, or -1."""

from __future__ import annotations

import importlib
import ipaddress
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry.workload import Table
from flowclass import _core

__all__ = ["CONTENDERS", "Built", "flowclass"]

Finder = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Built:
    """What answers.

    Parameters
    ----------
    prepare : callable
        From a numpy column to what this one takes; not timed.
    find : callable
        Looks all of it up; timed.
    answers : callable
        From what `find` gave to indexes of prefixes, -1 for none; not timed.
    seconds : float
        What building took, of processor time; ours the least of three.
    tree_bytes : int
        Of the tree, where it is known.
    leaf_bytes : int
        Of these, the answers in the nodes.
    """

    prepare: Finder
    find: Finder
    answers: Finder
    seconds: float
    tree_bytes: int = 0
    leaf_bytes: int = 0


def _packed(column: NDArray[Any]) -> list[bytes]:
    octets = column.astype(">u4").view(np.uint8).reshape(-1, 4) if column.ndim == 1 else column
    return [bytes(row) for row in octets]


def _texts(column: NDArray[Any]) -> list[str]:
    return [str(ipaddress.ip_address(octets)) for octets in _packed(column)]


def _indexes(found: list[Any]) -> NDArray[np.int64]:
    return np.array([-1 if one is None else one for one in found], dtype=np.int64)


def flowclass(table: Table) -> Built:
    """Build ours: the whole registry; the answer is the longest prefix of the covering set."""
    count = len(table.networks)
    columns: dict[str, Any] = {
        "registration_id": [f"R{index:07}" for index in range(count)],
        "category": ["organization"] * count,
        "status": ["approved"] * count,
        "prefix": table.networks,
        "protocols": [[]] * count,
        "valid_from": [_core.OPEN_START] * count,
        "valid_until": [_core.OPEN_END] * count,
        "submitted_at": [_core.NOT_KNOWN] * count,
        "approved_at": [_core.NOT_KNOWN] * count,
        "scope": [],
    }
    seconds = float("inf")
    for _ in range(3):
        begun = time.thread_time()
        registry = _core.Registry.build(**columns)
        seconds = min(seconds, time.thread_time() - begun)

    def answers(found: NDArray[np.uint32]) -> NDArray[np.int64]:
        sets, inverse = np.unique(found, return_inverse=True)
        first = [registry.entries(int(one))[0] if one else -1 for one in sets]
        return np.array(first, dtype=np.int64)[inverse]

    find = registry.find_v4 if table.version == 4 else registry.find_v6
    return Built(lambda column: column, find, answers, seconds, registry.tree_bytes, registry.leaf_bytes)


def _pytricia(table: Table) -> Built:
    module = importlib.import_module("pytricia")
    begun = time.thread_time()
    tree = module.PyTricia(32 if table.version == 4 else 128)
    for index, network in enumerate(table.networks):
        tree[network] = index
    seconds = time.thread_time() - begun
    get = tree.get
    return Built(_texts, lambda addresses: [get(address) for address in addresses], _indexes, seconds)


def _py_radix(table: Table) -> Built:
    module = importlib.import_module("radix")
    begun = time.thread_time()
    tree = module.Radix()
    for index, network in enumerate(table.networks):
        tree.add(network).data["index"] = index
    seconds = time.thread_time() - begun
    best = tree.search_best

    def answers(found: list[Any]) -> NDArray[np.int64]:
        return _indexes([None if node is None else node.data["index"] for node in found])

    return Built(_packed, lambda addresses: [best(packed=address) for address in addresses], answers, seconds)


def _maxminddb(table: Table) -> Built:
    reader = importlib.import_module("maxminddb")
    writer = importlib.import_module("mmdb_writer")
    netaddr = importlib.import_module("netaddr")
    begun = time.thread_time()
    database = writer.MMDBWriter(ip_version=table.version, database_type="prefixes", int_type="u32")
    # Shorter ones first: a later prefix replaces what an earlier one says.
    for index in np.argsort(table.length, kind="stable").tolist():
        database.insert_network(netaddr.IPSet([table.networks[index]]), {"index": index})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prefixes.mmdb"
        database.to_db_file(str(path))
        opened = reader.open_database(str(path))  # in C where its extension is there; the mapping outlives the file
    seconds = time.thread_time() - begun
    get = opened.get

    def answers(found: list[Any]) -> NDArray[np.int64]:
        return _indexes([None if record is None else record["index"] for record in found])

    return Built(_texts, lambda addresses: [get(address) for address in addresses], answers, seconds)


CONTENDERS: dict[str, Callable[[Table], Built]] = {
    "pytricia": _pytricia,
    "py-radix": _py_radix,
    "maxminddb": _maxminddb,
}

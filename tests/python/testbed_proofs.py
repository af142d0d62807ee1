"""Gathers what octets prove a label: the tables of all files testbed_proofs_<group>.py beside this one.

Each such file has ``PROOFS``, from a family to a function of the label and of the payloads that the source and the
destination sent (none is empty), and may have ``UNANSWERED``, the families of which one side may say nothing.
A proof reads its octets by itself, with nothing of the product's.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

Proof = Callable[[dict[str, Any], list[bytes], list[bytes]], bool]

PROOFS: dict[str, Proof] = {}
UNANSWERED: set[str] = set()

for _path in sorted(Path(__file__).parent.glob("testbed_proofs_*.py")):
    _module = importlib.import_module(_path.stem)
    if twice := PROOFS.keys() & _module.PROOFS.keys():
        raise ValueError(f"{_path.name}: {sorted(twice)} have proofs in another file already")
    PROOFS |= _module.PROOFS
    UNANSWERED |= getattr(_module, "UNANSWERED", set())

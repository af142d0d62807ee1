"""The function behind ``flowclass.evaluate``: captures and labels by their paths."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from flowclass.accuracy.evaluate import Evaluation
from flowclass.accuracy.evaluate import evaluate as judge
from flowclass.accuracy.labels import read_labels
from flowclass.accuracy.views import CUT
from flowclass.errors import ConfigError, SourceError
from flowclass.sources.file import find

Name = str | os.PathLike[str]


def evaluate(
    captures: Name | Iterable[Name],
    labels: Name,
    *,
    views: Sequence[str] = (),
) -> Evaluation:
    """Classify captures whose flows are known, each alone, and compare.

    Parameters
    ----------
    captures : path, or iterable of paths
        Files, folders, globs.
    labels : path
        What is known: ``labels.jsonl``; ``captures.jsonl`` and ``hard_negatives.jsonl`` beside it are read too. Labels
        go by the file's name. See docs/accuracy.md.
    views : sequence of str
        Views of every capture to judge too: begun after the handshake, one direction, short frames, loss.

    Returns
    -------
    Evaluation
        ``ours`` has the counts by protocol, every miss and every false positive.

    Raises
    ------
    SourceError
        When no capture is there, or the labels cannot be read.
    ConfigError
        When there is no such view.

    Examples
    --------
    >>> import flowclass, json, pathlib, tempfile
    >>> label = {"capture": "wireguard-udp-51820.pcap", "src_ip": "10.60.3.11", "src_port": 51820, "ip_proto": 17,
    ...          "dst_ip": "203.0.113.51", "dst_port": 51820, "family": "wireguard", "certainty": "certain"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     labels = pathlib.Path(folder, "labels.jsonl")
    ...     written = labels.write_text(json.dumps(label))
    ...     score = flowclass.evaluate(flowclass.samples(), labels).ours
    >>> score.families["wireguard"].tiers["confirmed"], len(score.misses)
    (1, 0)
    """
    unknown = [view for view in views if view not in CUT]
    if unknown or isinstance(views, str):
        raise ConfigError(f"views = {views!r} is not permitted: give some of {', '.join(CUT)}")
    given = [captures] if isinstance(captures, (str, os.PathLike)) else list(captures)
    known = read_labels(Path(labels))
    found = find(os.fspath(one) for one in given)
    if not found.sources:
        raise SourceError("; ".join(sentence for _, sentence in found.problems) or "no capture was given")
    return judge(found.sources, known, views=views)

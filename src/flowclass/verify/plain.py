"""Takes a source of any kind. Gives its capture as a plain file, as tshark needs it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowclass.errors import SourceError
from flowclass.sources import ByteSource
from flowclass.sources.compression import codec_of
from flowclass.sources.file import FileSource

_FIRST = 16


@contextmanager
def plain(source: ByteSource) -> Iterator[tuple[Path, str]]:
    """Give the path of a capture that is not compressed, and why it is not whole; a copy where there is none.

    Parameters
    ----------
    source : ByteSource
        A file that is not compressed is given as it lies; of all else a copy is made in the folder for temporary
        files, and deleted afterwards.

    Raises
    ------
    SourceError
        When nothing can be read.
    """
    if isinstance(source, FileSource) and source.path.is_file():
        try:
            with source.path.open("rb") as file:
                if codec_of(file.read(_FIRST)) is None:
                    yield source.path, ""
                    return
        except OSError:
            pass  # what reads it below says why it cannot be read
    with tempfile.NamedTemporaryFile(prefix="flowclass-", suffix=".pcap") as copy:
        problem = ""
        try:
            for piece in source.slices():
                copy.write(piece)
        except SourceError as error:
            if not copy.tell():
                raise
            problem = str(error)
        copy.flush()
        yield Path(copy.name), problem

"""Takes paths, and URLs of any file system that pyarrow has. Gives their octets, and files that appear whole.

``s3://``, ``gs://``, ``abfs://``, ``hdfs://``, ``file://`` and plain paths; credentials and endpoints as pyarrow takes
them (environment, or the URL's own query).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from flowclass.errors import ConfigError, OutputError, SourceError

OBJECT_STORES = frozenset({"s3", "gcs", "abfs"})
"""Where an object appears whole by itself, and renaming is copying."""


def is_url(place: str) -> bool:
    """Say whether a place is a URL.

    Examples
    --------
    >>> is_url("s3://bucket/captures"), is_url("/captures/a.pcap")
    (True, False)
    """
    scheme, sign, _ = place.partition("://")
    return bool(sign) and scheme.isalnum()


def file_system(place: str) -> tuple[Any, str]:
    """Give the file system of a place, and the path in it.

    Raises
    ------
    ConfigError
        When pyarrow has no such file system.
    """
    from pyarrow import fs

    if not is_url(place):
        return fs.LocalFileSystem(), str(Path(place).absolute())
    try:
        found, path = fs.FileSystem.from_uri(place)
    except (OSError, ValueError) as problem:
        raise ConfigError(
            f"{shown(place)}: there is no such file system: {problem}; see pyarrow.fs for what there is"
        ) from None
    return found, path


def list_files(place: str) -> list[tuple[str, int]]:
    """Give the files that a URL means, sorted: itself, those under it, or those that match its pattern.

    Returns
    -------
    list of (str, int)
        URL and size in octets.

    Raises
    ------
    SourceError
        When there is none.
    """
    from pyarrow import fs

    system, path = file_system(place)
    before, after = _around(place)
    pattern = None
    if "*" in path:
        pattern, path = path, path[: path.index("*")].rpartition("/")[0]
    try:
        facts = system.get_file_info(path)
        if facts.type == fs.FileType.File:
            listed = [facts]
        else:
            listed = system.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    except OSError as problem:
        raise SourceError(
            f"{shown(place)}: cannot be listed: {problem}; check the name and the credentials"
        ) from problem
    files = sorted(
        (entry.path, entry.size)
        for entry in listed
        if entry.type == fs.FileType.File
        and (fnmatchcase(entry.path, pattern) if pattern else not _hidden(entry.path[len(path) :]))
    )
    if not files:
        raise SourceError(f"{shown(place)}: no file is there; check the name, the pattern and the credentials")
    return [(f"{before}{found}{after}", size) for found, size in files]


def shown(place: str) -> str:
    """Give a URL as records name it: without credentials and settings.

    Examples
    --------
    >>> shown("s3://key:secret@bucket/a.pcap?region=eu"), shown("/captures/a.pcap")
    ('s3://bucket/a.pcap', '/captures/a.pcap')
    """
    if not is_url(place):
        return place
    scheme, _, rest = place.partition("?")[0].partition("://")
    user, sign, _ = rest.partition("/")[0].rpartition("@")
    return f"{scheme}://{rest.removeprefix(user + sign)}"


def _around(place: str) -> tuple[str, str]:
    """Give what stands before and behind the path of a URL."""
    url, sign, query = place.partition("?")
    scheme, _, rest = url.partition("://")
    user, at, _ = rest.partition("/")[0].rpartition("@")
    return f"{scheme}://{user}{at}", sign + query


def _hidden(inner: str) -> bool:
    return any(part.startswith((".", "_")) for part in inner.split("/"))


class Folder:
    """A folder that tasks on other machines read and write too.

    Parameters
    ----------
    place : str
        Path or URL.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.system, self._root = file_system(place)
        self._local = self.system.type_name == "local"

    def path(self, name: str) -> str:
        """Give the path of a file in the folder, in its file system."""
        return f"{self._root.rstrip('/')}/{name}"

    def make(self, name: str = "") -> None:
        """Make the folder, or one in it.

        Raises
        ------
        OutputError
            When it cannot be made.
        """
        try:
            self.system.create_dir(self.path(name).rstrip("/"), recursive=True)
        except OSError as problem:
            raise OutputError(
                f"{shown(self.place)}: the folder cannot be made: {problem}; check place and rights"
            ) from problem

    def names(self) -> list[str]:
        """Give the names of what lies directly in the folder."""
        from pyarrow import fs

        found = self.system.get_file_info(fs.FileSelector(self._root, allow_not_found=True))
        return sorted(entry.base_name for entry in found)

    def remove(self, name: str) -> None:
        """Remove a folder in it, with all that is inside; nothing where there is none."""
        with contextlib.suppress(FileNotFoundError):
            self.system.delete_dir(self.path(name))

    def remove_file(self, name: str) -> None:
        """Remove a file in it; nothing where there is none."""
        with contextlib.suppress(FileNotFoundError):
            self.system.delete_file(self.path(name))

    @contextlib.contextmanager
    def new_file(self, name: str) -> Iterator[Path]:
        """Give a path to write to whose file appears at the end of the block, whole; nothing does after an error.

        The one who writes makes the file at the path appear whole, as the sinks do.

        Raises
        ------
        OutputError
            When it cannot be written.
        """
        if self._local:
            yield Path(self.path(name))
            return
        with tempfile.TemporaryDirectory(prefix="flowclass-") as spool:
            path = Path(spool) / Path(name).name
            yield path
            if path.exists():
                self._upload(path, name)

    def _upload(self, path: Path, name: str) -> None:
        from pyarrow import fs

        at_once = self.system.type_name in OBJECT_STORES
        target = self.path(name)
        written = target if at_once else self.path(f"{name}.tmp-{path.parent.name}")
        try:
            fs.copy_files(
                str(path), written, source_filesystem=fs.LocalFileSystem(), destination_filesystem=self.system
            )
            if not at_once:
                self.system.move(written, target)
        except OSError as problem:
            raise OutputError(f"{shown(self.place)}/{name}: cannot be written: {problem}") from problem

    def open(self, name: str) -> Any:
        """Give a file of the folder to be read at any place, as pyarrow has it."""
        return self.system.open_input_file(self.path(name))

    def local_copy(self, name: str) -> Path:
        """Give a file of the folder as one of this machine: itself, or a copy that stays until the process ends."""
        if self._local:
            return Path(self.path(name))
        with tempfile.NamedTemporaryFile(prefix="flowclass-", suffix=f"-{Path(name).name}", delete=False) as copy:
            copy.write(self.open(name).read())
        return Path(copy.name)

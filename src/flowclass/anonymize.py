"""Crypto-PAn: prefix-preserving anonymisation of the addresses of records, and of what would give them away.

Takes a key of 32 octets. Gives stand-ins that are the same for one key in every run: two addresses that share a
prefix share one of the same length afterwards. Whoever knows some of the addresses, or recognises flows by their ports,
times and sizes, learns prefixes of others: such records are not anonymous data, only harder to read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowclass import _core
from flowclass.errors import ConfigError, SchemaError

KEY_OCTETS = 32
MOST_OCTETS = 1024  # of a key file: hexadecimal digits and white space around them
METHOD = "cryptopan"
METHOD_FIELD = "flowclass.anonymized"
KEY_FIELD = "flowclass.anonymization_key"
ADDRESSES = ("src_ip", "dst_ip")
FLOW_IDS = ("flow_id", "parent_flow_id", "linked_flow_id")
DROPPED = ("head",)
EMPTIED = ("server_name", "matched_prefix")
NEEDED = (*ADDRESSES, *FLOW_IDS, *EMPTIED, "community_id", "ip_proto", "src_port", "dst_port", "source_file")


class CryptoPan:
    """One key of Crypto-PAn. Neither its text nor any record or file that is written shows the key.

    Parameters
    ----------
    key : bytes
        32 octets: the AES-128 key, then what the pad is made of.

    Attributes
    ----------
    fingerprint : str
        By which a key is told from others: the first 8 hexadecimal digits of SHA-256 of SHA-256 of it.
    caution : str
        What is unwise about the file the key came from; empty without one.

    Raises
    ------
    ConfigError
        When the key has another length, or no libcrypto is there.

    Examples
    --------
    >>> CryptoPan(b"32-char-str-for-AES-key-and-pad.").address("192.0.2.1")
    '192.0.125.244'
    """

    def __init__(self, key: bytes) -> None:
        if not isinstance(key, (bytes, bytearray, memoryview)) or len(key) != KEY_OCTETS:
            raise ConfigError(f"a key of Crypto-PAn has {KEY_OCTETS} octets, and another one was given")
        if not _core.crypto_library():
            raise ConfigError(
                "Crypto-PAn needs AES of libcrypto 3 or 1.1, and none was found: install OpenSSL, or leave the"
                " anonymisation out"
            )
        self._key = bytes(key)
        self._native = _core.CryptoPan(self._key)
        from hashlib import sha256

        self.fingerprint = sha256(sha256(self._key).digest()).hexdigest()[:8]
        self.caution = ""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CryptoPan:
        """Read a key file: 32 octets as they are, or 64 hexadecimal digits, with white space around them.

        Raises
        ------
        ConfigError
            When the file cannot be read or holds something else; the sentence does not show what.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(MOST_OCTETS + 1)
        except OSError as problem:
            why = (problem.strerror or str(problem)).lower()
            raise ConfigError(f"{path}: cannot be read: {why}; check --key-file") from problem
        made = cls(_key_in(path, content))
        if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
            made.caution = f"{path}: others can read the key ({stat.filemode(mode)}); chmod 600 keeps it to you"
        return made

    def __repr__(self) -> str:
        return f"CryptoPan(fingerprint={self.fingerprint!r})"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a key of Crypto-PAn is not pickled: load it again from its file")

    @property
    def key(self) -> bytes:
        """The key itself, for the engine."""
        return self._key

    def address(self, text: str) -> str | None:
        """Give the stand-in of one address.

        Raises
        ------
        ValueError
            When the text is no address.
        """
        return self._native.addresses([text])[0]

    def addresses(self, texts: Sequence[str | None]) -> list[str | None]:
        """Give the stand-ins of addresses, None for None.

        Raises
        ------
        ValueError
            When a text is no address.
        """
        return list(self._native.addresses(list(texts)))

    def flow_ids(self, texts: Sequence[str | None]) -> list[str | None]:
        """Give the stand-ins of flow ids, None for None.

        Raises
        ------
        ValueError
            When a text is no flow id.
        """
        return list(self._native.flow_ids(list(texts)))

    def metadata(self) -> dict[str, str]:
        """Give what a file of anonymised records says of it."""
        return {METHOD_FIELD: METHOD, KEY_FIELD: self.fingerprint}

    def records(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Anonymise flow records that are there already, as an anonymised run would have written them.

        Parameters
        ----------
        batches : iterable of pyarrow.RecordBatch
            Records that are not anonymised.

        Yields
        ------
        pyarrow.RecordBatch
            The same rows without the column ``head``. The Community ID of ICMP is null: its types are in no record.

        Raises
        ------
        SchemaError
            When a column is missing.
        """
        names: dict[str, str] = {}
        for batch in batches:
            absent = [name for name in NEEDED if name not in batch.schema.names]
            if absent:
                raise SchemaError(f"the records have no column {absent[0]}; give flow records as classify wrote them")
            yield self._record_batch(batch, names)

    def _record_batch(self, batch: Any, names: dict[str, str]) -> Any:
        import pyarrow as pa

        columns = {name: batch.column(name) for name in batch.schema.names if name not in DROPPED}
        values = {name: columns[name].to_pylist() for name in (*ADDRESSES, "ip_proto", "src_port", "dst_port")}
        src, dst = (values[name] for name in ADDRESSES)
        columns["community_id"] = pa.array(
            self._native.community_ids(
                src=src, dst=dst, ip_proto=values["ip_proto"], src_port=values["src_port"], dst_port=values["dst_port"]
            ),
            columns["community_id"].type,
        )
        for name in ADDRESSES:
            columns[name] = pa.array(self._native.addresses(values[name]), columns[name].type)
        for name in FLOW_IDS:
            columns[name] = pa.array(self._native.flow_ids(columns[name].to_pylist()), columns[name].type)
        for name in EMPTIED:
            columns[name] = pa.nulls(batch.num_rows, columns[name].type)
        files = columns["source_file"].to_pylist()
        for file in files:
            if file is not None:
                names.setdefault(file, source_name(len(names)))
        numbered = [None if file is None else names[file] for file in files]
        columns["source_file"] = pa.array(numbered, pa.string()).cast(columns["source_file"].type)
        schema = pa.schema([batch.schema.field(name) for name in columns])
        return pa.record_batch(list(columns.values()), schema=schema)


def source_name(place: int) -> str:
    """Give what stands for the name of the source at a place, from 0: a file may be called after an address."""
    return f"source-{place + 1}"


def fingerprint_in(metadata: Mapping[Any, Any] | None) -> str | None:
    """Give the fingerprint of the key that records were anonymised with; None where they were not.

    Parameters
    ----------
    metadata : mapping of bytes or str, optional
        Of a Parquet or Arrow schema.
    """
    texts = {_text(key): _text(value) for key, value in (metadata or {}).items()}
    return texts.get(KEY_FIELD, "") if METHOD_FIELD in texts else None


def refuse_anonymized(name: str, metadata: Mapping[Any, Any] | None) -> None:
    """Raise where records are anonymised already: another key on top of one would make them useless.

    Raises
    ------
    SchemaError
        With the key's fingerprint.
    """
    fingerprint = fingerprint_in(metadata)
    if fingerprint is not None:
        raise SchemaError(
            f"{name}: the records are anonymised already (key {fingerprint}); give those of the plain run"
        )


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _key_in(path: Path, content: bytes) -> bytes:
    if len(content) == KEY_OCTETS:
        return content
    text = content.strip()
    if len(text) == 2 * KEY_OCTETS and all(octet in b"0123456789abcdefABCDEF" for octet in text):
        return bytes.fromhex(text.decode("ascii"))
    size = f"more than {MOST_OCTETS}" if len(content) > MOST_OCTETS else str(len(content))
    hint = ""
    if len(text) == KEY_OCTETS:
        hint = "; 32 octets stand there with white space around them: write them without a line end"
    raise ConfigError(
        f"{path}: is no key: it has {size} octets, and a key is {KEY_OCTETS} octets or {2 * KEY_OCTETS} hexadecimal"
        f" digits{hint or '; make one with: head -c 32 /dev/urandom > FILE'}"
    )

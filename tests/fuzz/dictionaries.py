"""Gives the words that libFuzzer puts into inputs: constants of readers and matchers, beginnings of vectors' packets.

They are read out of the sources, so a new fingerprint brings its own.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native" / "src"
VECTORS = ROOT / "tests" / "vectors" / "fingerprint"
MOST_OCTETS = 64
"""Of a word: libFuzzer takes no longer ones."""
BEGINNINGS = (8, 16)

# Names of texts and sentences for people are no words.
_TEXT = re.compile(r'(?:string_view\s+k\w+\s*(?:=|\{)|\.method\s*=|starts_with\()\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NUMBER = re.compile(r"\b0x([0-9a-fA-F']{4,})U?L?L?\b")
_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{1,2})|\\([0-7]{1,3})|\\(.)")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t"}


def _unescaped(text: str) -> bytes:
    """Give the octets of a C++ literal."""

    def octet(found: re.Match[str]) -> str:
        if found[1] is not None:
            return chr(int(found[1], 16))
        if found[2] is not None:
            return chr(int(found[2], 8) & 0xFF)
        return _PLAIN.get(found[3], found[3])

    return _ESCAPE.sub(octet, text).encode("latin-1", "ignore")


def source_words(*folders: str) -> Iterator[bytes]:
    """Give the texts and the numbers of two octets and more in the sources of some rooms."""
    for folder in folders:
        for path in sorted((NATIVE / folder).rglob("*.[ch]pp")):
            source = path.read_text(encoding="utf-8")
            for found in _TEXT.finditer(source):
                yield _unescaped("".join(_LITERAL.findall(found[1])))
            for found in _NUMBER.finditer(re.sub(r"//.*", "", source)):
                digits = found[1].replace("'", "")
                octets = bytes.fromhex(digits.rjust(len(digits) + len(digits) % 2, "0"))
                yield octets
                yield octets[::-1]


def vector_words(octets_of: Callable[[dict[str, Any]], bytes]) -> Iterator[bytes]:
    """Give the first octets of the packets of all vectors."""
    for path in sorted(VECTORS.glob("*.toml")):
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
            for row in case["packets"]:
                octets = octets_of(row)
                yield from (octets[:count] for count in BEGINNINGS)


def capture_words() -> Iterator[bytes]:
    """Give what containers, link layers and IP headers begin with or say comes next."""
    yield b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a"
    yield b"\x0a\x0d\x0d\x0a\0\0\0\x1c\x1a\x2b\x3c\x4d"
    for magic in (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34):
        yield magic.to_bytes(4, "little") + b"\2\0\4\0"
        yield magic.to_bytes(4, "big") + b"\0\2\0\4"
    for block in (1, 2, 3, 5, 6):
        yield block.to_bytes(4, "little")
    yield from (b"\x45\0", b"\x60\0\0\0", b"\xaa\xaa\3\0\0\0", b"\xff\3\0\x21")
    yield from source_words("capture", "decode")


def text_of(words: Iterable[bytes]) -> str:
    """Give the file of a dictionary: each word once, quoted as libFuzzer reads it."""
    kept = dict.fromkeys(word[:MOST_OCTETS] for word in words if len(word) > 1)
    return "".join('"' + "".join(f"\\x{octet:02x}" for octet in word) + '"\n' for word in kept)


def words_of(text: str) -> list[bytes]:
    """Read such a file."""
    return [ast.literal_eval("b" + line) for line in text.splitlines()]


def dictionaries(octets_of: Callable[[dict[str, Any]], bytes]) -> dict[str, str]:
    """Give the dictionary of each target that has one."""
    protocols = text_of((*source_words("fingerprint", "hello"), *vector_words(octets_of)))
    captures = text_of(capture_words())
    both = text_of((*words_of(captures), *words_of(protocols)))
    whole = dict.fromkeys(("engine", "checkpoint", "pieces", "capi"), both)
    return whole | {"match": protocols, "hello": protocols, "capture": captures, "decode": captures}

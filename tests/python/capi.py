"""libflowclass.so by ctypes alone, as any caller without a C compiler has it; pyarrow takes its Arrow streams."""

from __future__ import annotations

import ctypes as c
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from conftest import ROOT


class Error(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("status", c.c_int32), ("text", c.c_char * 256)]


class EngineOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("flags", c.c_uint32), ("idle_timeout_ns", c.c_int64),
        ("active_timeout_ns", c.c_int64), ("tcp_linger_ns", c.c_int64), ("memcap", c.c_uint64),
        ("threads", c.c_uint32), ("batch_rows", c.c_uint32), ("anonymize_key", c.c_char_p),
        ("registry", c.c_void_p), ("policy", c.c_void_p),
    ]  # fmt: skip


class Text(c.Structure):
    _fields_ = [("data", c.c_void_p), ("length", c.c_size_t)]

    def __str__(self) -> str:
        return c.string_at(self.data, self.length).decode() if self.length else ""


class Address(c.Structure):
    _fields_ = [("version", c.c_uint8), ("octets", c.c_uint8 * 16)]


class Query(c.Structure):
    _fields_ = [("src", Address), ("dst", Address), ("time", c.c_int64), ("protocol", Text)]


class Answer(c.Structure):
    _fields_ = [
        ("entry", c.c_uint32), ("match", c.c_uint8), ("end", c.c_uint8), ("reserved", c.c_uint16),
        ("submitted_at", c.c_int64),
    ]  # fmt: skip


class Phase(c.Structure):
    _fields_ = [("name", Text), ("start", c.c_int64), ("until", c.c_int64), ("outcome", c.c_int32)]


class Exemption(c.Structure):
    _fields_ = [("prefix", Address), ("prefix_length", c.c_uint8), ("until", c.c_int64)]


class PolicyOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("classes", c.c_uint32), ("default_outcome", c.c_int32),
        ("violation_tier", c.c_int32), ("violation_trial_tier", c.c_int32), ("review_tier", c.c_int32),
        ("pending_grace", c.c_int32), ("pending_window_ns", c.c_int64), ("phases", c.POINTER(Phase)),
        ("phase_count", c.c_size_t), ("exemptions", c.POINTER(Exemption)), ("exemption_count", c.c_size_t),
    ]  # fmt: skip


class Packet(c.Structure):
    _fields_ = [
        ("time", c.c_int64), ("octets", c.c_char_p), ("captured", c.c_uint32), ("wire_length", c.c_uint32),
    ]  # fmt: skip


class Payload(c.Structure):
    _fields_ = [
        ("time", c.c_int64), ("octets", c.c_char_p), ("captured", c.c_uint32), ("wire_length", c.c_uint32),
        ("tcp_sequence", c.c_uint32), ("direction", c.c_uint8),
    ]  # fmt: skip


class Head(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("ip_proto", c.c_uint8), ("syn_seen", c.c_uint8 * 2), ("reserved", c.c_uint8),
        ("src_port", c.c_uint16), ("dst_port", c.c_uint16), ("tcp_start", c.c_uint32 * 2),
        ("payloads", c.POINTER(Payload)), ("payload_count", c.c_size_t),
    ]  # fmt: skip


class Check(c.Structure):
    _fields_ = [
        ("rule", Text), ("meaning", Text), ("time", c.c_int64), ("packet", c.c_uint32), ("offset", c.c_uint16),
        ("length", c.c_uint16), ("bits", c.c_float), ("direction", c.c_uint8),
    ]  # fmt: skip


class Alternative(c.Structure):
    _fields_ = [("protocol", Text), ("bits", c.c_float)]


class Match(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("tier", c.c_int32), ("protocol_class", c.c_int32), ("initiator", c.c_int32),
        ("protocol", Text), ("variant", Text), ("bits", c.c_float), ("check_count", c.c_uint32),
        ("alternative_count", c.c_uint32), ("checks", Check * 16), ("alternatives", Alternative * 4),
        ("server_name", c.c_char * 256), ("alpn", c.c_char * 256), ("ja4", c.c_char * 40),
    ]  # fmt: skip


class ArrowArrayStream(c.Structure):
    _fields_ = [(name, c.c_void_p) for name in ("get_schema", "get_next", "get_last_error", "release", "private_data")]


def library_path() -> Path:
    """Give where the library is: FLOWCLASS_CAPI, else where `make test-native` builds it."""
    return Path(os.environ.get("FLOWCLASS_CAPI") or ROOT / "build" / "tests" / "native" / "libflowclass.so")


class Library:
    """The functions, each raising where the C caller would look at a status."""

    def __init__(self, path: Path) -> None:
        self._library = c.CDLL(str(path))
        for name in ("version", "schema_version", "engine_error", "tier_name", "class_name", "registry_match_name"):
            getattr(self._library, f"flowclass_{name}").restype = c.c_char_p
        self._library.flowclass_end_name.restype = c.c_char_p

    def call(self, function: str, *args: Any) -> None:
        status: int = getattr(self._library, f"flowclass_{function}")(*args)
        if status != 0:
            raise RuntimeError(f"{function}: {status}")

    def word(self, function: str, *args: Any) -> str:
        word: bytes = getattr(self._library, f"flowclass_{function}")(*args)
        return word.decode()

    def open(self, function: str, *args: Any) -> c.c_void_p:
        handle = c.c_void_p()
        error = Error(struct_size=c.sizeof(Error))
        status: int = getattr(self._library, f"flowclass_{function}_open")(*args, c.byref(handle), c.byref(error))
        if status != 0:
            raise RuntimeError(error.text.decode())
        return handle

    def close(self, kind: str, handle: c.c_void_p | None) -> None:
        getattr(self._library, f"flowclass_{kind}_close")(handle)

    def engine(
        self, *, registry: c.c_void_p | None = None, policy: c.c_void_p | None = None, flags: int = 7, threads: int = 1
    ) -> c.c_void_p:
        options = EngineOptions(struct_size=c.sizeof(EngineOptions))
        self.call("engine_options_init", c.byref(options))
        options.registry, options.policy, options.flags, options.threads = registry, policy, flags, threads
        return self.open("engine", c.byref(options))

    def push_file(self, engine: c.c_void_p, octets: bytes, name: str, chunk: int) -> None:
        self.call("begin_source", engine, name.encode(), c.c_size_t(len(name.encode())))
        for at in range(0, len(octets), chunk):
            piece = octets[at : at + chunk]
            self.call("push", engine, piece, c.c_size_t(len(piece)))
        self.call("end_source", engine, None)

    def table(self, engine: c.c_void_p) -> pa.Table:
        stream = ArrowArrayStream()
        self.call("poll_stream", engine, c.byref(stream))
        table: pa.Table = pa.RecordBatchReader._import_from_c(c.addressof(stream)).read_all()
        return table

    def counters(self, engine: c.c_void_p) -> str:
        length = c.c_size_t()
        self._library.flowclass_counters_json(engine, None, c.c_size_t(0), c.byref(length))
        room = c.create_string_buffer(length.value + 1)
        self.call("counters_json", engine, room, c.c_size_t(len(room)), c.byref(length))
        return room.value.decode()

    def match(self, matcher: c.c_void_p, head: Head, payloads: Sequence[Payload]) -> Match:
        head.struct_size = c.sizeof(Head)
        head.payloads = (Payload * max(len(payloads), 1))(*payloads)
        head.payload_count = len(payloads)
        found = Match(struct_size=c.sizeof(Match))
        self.call("match_head", matcher, c.byref(head), c.byref(found))
        return found

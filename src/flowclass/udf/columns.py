"""Users' own columns: a Python function over columns of the flow record, compiled to a loop over Arrow's buffers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from flowclass.errors import UserFunctionError
from flowclass.schema import fields
from flowclass.udf.compiling import compiled, nearest, place_of, refuse_bad_name
from flowclass.udf.fingerprints import source_sha256

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX = "user_"
Kind = Literal["feature", "scorer"]
NUMBERS = ("int64", "uint64", "uint32", "uint16", "uint8", "float32", "float64", "timestamp[ns, UTC]")
LISTS = {"list<uint32>": "uint32", "list<int8>": "int8", "list<int64>": "int64"}


class FlowFunction:
    """A user's column, compiled; made by `flow_feature` and `flow_scorer`.

    Attributes
    ----------
    name : str
        Of the column: ``user_`` and the function's name, so that no column of the record can be meant.
    kind : {"feature", "scorer"}
        Whether any number is good, or only 0 to 1.
    reads : tuple of str
        The columns it reads.
    unit, meaning : str
        As they were given.
    sha256 : str
        Of the function's source, in hexadecimal, for provenance.

    Examples
    --------
    >>> import flowclass
    >>> @flowclass.flow_feature(unit="packets")
    ... def packets(packets_fwd, packets_rev):
    ...     return packets_fwd + packets_rev
    >>> packets.field
    pyarrow.Field<user_packets: int64>
    >>> options = flowclass.EngineOptions(udf=(packets,))
    >>> flowclass.classify(flowclass.samples(), options=options).to_pyarrow()["user_packets"].to_pylist()[:3]
    [86, 2, 2]
    """

    def __init__(self, function: Callable[..., Any], kind: Kind, unit: str, meaning: str) -> None:
        self.function = function
        self.kind = kind
        self.name = PREFIX + function.__name__
        self.unit = unit
        self.meaning = meaning or (inspect.getdoc(function) or "").partition("\n")[0]
        self.sha256 = source_sha256(function)
        self._types = _types_of(function)
        self.reads = tuple(self._types)
        self._run, self.is_whole = _kernel(function, self._types, kind)
        self._refuse_failing()

    @property
    def field(self) -> pa.Field:
        """The column in a schema."""
        import pyarrow as pa

        return pa.field(self.name, pa.int64() if self.is_whole else pa.float64(), nullable=True)

    def column(self, batch: Any) -> tuple[pa.Array, int, int]:
        """Run over a batch, without copying its columns.

        Parameters
        ----------
        batch : pyarrow.RecordBatch
            With the columns in `reads`.

        Returns
        -------
        column : pyarrow.Array of float64 or int64
            Null where a column read is null, where the function raised, and where it gave what is no number of the
            permitted range.
        failed, refused : int
            Rows for which it raised, and for which a scorer gave something else than 0 to 1.
        """
        import numpy as np
        import pyarrow as pa

        rows = batch.num_rows
        out = np.empty(rows, np.int64 if self.is_whole else np.float64)
        there = np.empty(rows, np.uint8)
        given = [part for name in self.reads for part in _parts(batch.column(name), self._types[name])]
        failed, refused = self._run(out, there, *given)
        bits = np.packbits(there, bitorder="little")
        buffers = [pa.py_buffer(bits), pa.py_buffer(out)]
        return pa.Array.from_buffers(self.field.type, rows, buffers), int(failed), int(refused)

    def __call__(self, *values: Any) -> Any:
        """Call the function in Python, as it was written."""
        return self.function(*values)

    def __repr__(self) -> str:
        return f"<flowclass {self.kind} {self.name}({', '.join(self.reads)})>"

    def _refuse_failing(self) -> None:
        """Run it on two rows, of zeros and of ones; raise where it raises on both."""
        import numpy as np

        given: list[Any] = []
        for kind in self._types.values():
            kept = LISTS.get(kind, "int64" if kind.startswith("timestamp") else kind)
            if kind in LISTS:
                given += [np.zeros(0, np.uint8), 0, np.array([0, 1, 3], np.int32)]
            else:
                given += [np.zeros(0, np.uint8), 0]
            given.append(np.array([0, 1, 1], kept)[: 3 if kind in LISTS else 2])
        failed, _ = self._run(np.empty(2, np.int64 if self.is_whole else np.float64), np.empty(2, np.uint8), *given)
        if failed == 2:
            raise UserFunctionError(
                f"{place_of(self.function)}: it raised on a row of zeros and on a row of ones: it may raise on rows"
                " that are wrong, not on all"
            )


def flow_feature(*, unit: str = "", meaning: str = "") -> Callable[[Callable[..., Any]], FlowFunction]:
    """Make a column of a function of columns: ``f(bytes_fwd, packets_fwd) -> number``.

    Its parameters are called as the columns that it reads; it is called for each flow with their values, in compiled
    code over the buffers of a whole batch. The column is called ``user_`` and the function's name.

    Parameters
    ----------
    unit, meaning : str
        For people; by default the first line of the function's docstring.

    Returns
    -------
    callable
        A decorator; it gives a `FlowFunction`, for ``EngineOptions(udf=...)``.

    Raises
    ------
    UserFunctionError
        When a column is not known or no number, or the function cannot be compiled or gives no number.

    Notes
    -----
    Numbers are int64 or float64, whatever the column's width; times ns since 1970 UTC; lists (``splt_len``, ...)
    arrays. A flow where a column read is null has null; so has one where the function raises, which is counted, and
    one where it gives NaN or an infinite number: ``x / 0`` is no error. Whole numbers give a column of int64, others of
    float64.

    Examples
    --------
    >>> import flowclass
    >>> @flowclass.flow_feature(unit="octets", meaning="octets of a packet, src to dst")
    ... def octets_each(bytes_fwd, packets_fwd):
    ...     return bytes_fwd / packets_fwd
    >>> octets_each.name, octets_each.reads
    ('user_octets_each', ('bytes_fwd', 'packets_fwd'))
    """

    def decorate(function: Callable[..., Any]) -> FlowFunction:
        return FlowFunction(_checked(function), "feature", unit, meaning)

    return decorate


def flow_scorer(*, meaning: str = "") -> Callable[[Callable[..., Any]], FlowFunction]:
    """Make a column of scores from 0 to 1 of a function of columns; else as `flow_feature`.

    Parameters
    ----------
    meaning : str
        What 1 means; by default the first line of the function's docstring.

    Returns
    -------
    callable
        A decorator; it gives a `FlowFunction`, for ``EngineOptions(udf=...)``.

    Raises
    ------
    UserFunctionError
        As for `flow_feature`.

    Notes
    -----
    What is not from 0 to 1 is null, and counted. A score is a column of its own and no evidence: it changes neither
    protocol nor tier.

    Examples
    --------
    >>> import flowclass
    >>> @flowclass.flow_scorer(meaning="1: all octets go one way")
    ... def lopsided(bytes_fwd, bytes_rev):
    ...     return abs(bytes_fwd - bytes_rev) / (bytes_fwd + bytes_rev)
    >>> lopsided(300, 100)
    0.5
    """

    def decorate(function: Callable[..., Any]) -> FlowFunction:
        return FlowFunction(_checked(function), "scorer", "", meaning)

    return decorate


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    refuse_bad_name(function, "column")
    return function


def _types_of(function: Callable[..., Any]) -> dict[str, str]:
    """Give the columns that the parameters name, and their types."""
    known = {column["name"]: column["type"] for column in fields(features=True)}
    parameters = inspect.signature(function).parameters.values()
    usable = (*NUMBERS, *LISTS)
    if not parameters:
        raise UserFunctionError(f"{place_of(function)}: it reads no column: name its parameters as columns are")
    for parameter in parameters:
        name = parameter.name
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD or parameter.default is not parameter.empty:
            raise UserFunctionError(f"{place_of(function)}: parameter {name}: give plain names of columns, no defaults")
        if name not in known:
            raise UserFunctionError(
                f"{place_of(function)}: there is no column {name}{nearest(name, known)}; `flowclass schema` lists them"
            )
        if known[name] not in usable:
            raise UserFunctionError(
                f"{place_of(function)}: column {name} is {known[name]}: a function reads numbers, times and lists of"
                " numbers"
            )
    return {parameter.name: known[parameter.name] for parameter in parameters}


def _parts(column: Any, kind: str) -> list[Any]:
    """Give what the loop takes of a column: validity, its first bit's place, for lists offsets, and the values."""
    import numpy as np

    none = np.zeros(0, np.uint8)
    if kind in LISTS:
        buffers = column.buffers()
        offsets = np.frombuffer(buffers[1], np.int32)[column.offset : column.offset + len(column) + 1]
        values = buffers[3]
        items = np.zeros(0, LISTS[kind]) if values is None or values.size == 0 else np.frombuffer(values, LISTS[kind])
        return [none, 0, offsets, items[column.values.offset :]]
    validity, values = column.buffers()
    kept = "int64" if kind.startswith("timestamp") else kind
    bits = none if validity is None else np.frombuffer(validity, np.uint8)
    numbers = np.zeros(0, kept) if len(column) == 0 else np.frombuffer(values, kept)
    return [bits, column.offset, numbers[column.offset : column.offset + len(column)]]


def _kernel(function: Callable[..., Any], types: Mapping[str, str], kind: Kind) -> tuple[Any, bool]:
    """Give the compiled loop, and whether its column is of whole numbers."""
    import numba
    from numba import types as numba_types

    def passed(text: str) -> Any:
        if text in LISTS:
            return numba_types.Array(getattr(numba_types, LISTS[text]), 1, "C", readonly=True)
        return numba_types.float64 if text.startswith("float") else numba_types.int64

    made, gives = compiled(function, tuple(passed(text) for text in types.values()))
    if not isinstance(gives, (numba_types.Integer, numba_types.Float, numba_types.Boolean)):
        what = "nothing" if gives == numba_types.none else f"{gives}"
        raise UserFunctionError(f"{place_of(function)}: a {kind} returns a number; this one returns {what}")
    is_whole = kind == "feature" and not isinstance(gives, numba_types.Float)
    names: dict[str, Any] = {"function": made}
    exec(compile(_loop(list(types.values()), is_whole, kind), f"<loop over {function.__name__}>", "exec"), names)
    names["guarded"] = numba.njit(nogil=True)(names["guarded"])
    return numba.njit(nogil=True)(names["loop"]), is_whole


def _loop(types: list[str], is_whole: bool, kind: Kind) -> str:
    """Write the loop: numba compiles no function of so many arguments as there happen to be, only one that is there."""
    arguments, there, values = [], [], []
    for place, text in enumerate(types):
        arguments += [f"bits{place}", f"first{place}", *([f"ends{place}"] if text in LISTS else []), f"column{place}"]
        there.append(f"(bits{place}.size == 0 or bits{place}[(first{place} + i) >> 3] >> ((first{place} + i) & 7) & 1)")
        cast = "float" if text.startswith("float") else "int"
        item = f"column{place}[ends{place}[i]:ends{place}[i + 1]]"
        values.append(item if text in LISTS else f"{cast}(column{place}[i])")
    taken = ", ".join(f"value{place}" for place in range(len(types)))
    number = "int" if is_whole else "float"
    refused = "state == 1 and not 0 <= value <= 1" if kind == "scorer" else "False"
    return f"""
def guarded({taken}):
    state, value = 0, {number}(0)
    try:
        value = {number}(function({taken}))
        state = 1
    except Exception:
        state = 2
    return state, value

def loop(out, there, {", ".join(arguments)}):
    failed = refused = 0
    for i in range(out.size):
        there[i] = 0
        out[i] = 0
        if {" and ".join(there)}:
            state, value = guarded({", ".join(values)})
            if state == 2:
                failed += 1
            elif {refused}:
                refused += 1
            elif state == 1 and value - value == 0:
                there[i] = 1
                out[i] = value
    return failed, refused
"""

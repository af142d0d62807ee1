"""What compiled code needs to read and write the core's records by their addresses: types, and single steps.

Takes addresses. Gives numbers and views. Nothing here checks where an address points: `native_types` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
from numba import types
from numba.core import cgutils as _cgutils
from numba.extending import intrinsic, models, register_model

cgutils: Any = _cgutils
_numba: Any = numba
carray: Any = _numba.carray
_READ_ONLY_OCTETS = types.Array(types.uint8, 1, "C", readonly=True)


class HeadType(types.Type):
    """The first payloads of a flow."""

    def __init__(self) -> None:
        super().__init__(name="flowclass.Head")


class EvidenceType(types.Type):
    """What a fingerprint with these rules and variants found."""

    def __init__(self, rules: Sequence[str], variants: Sequence[str]) -> None:
        self.rules = tuple(rules)
        self.variants = tuple(variants)
        super().__init__(name=f"flowclass.Evidence({self.rules}, {self.variants})")


HEAD = HeadType()


@register_model(HeadType)
@register_model(EvidenceType)
class _AddressModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, [("address", types.uintp)])  # type: ignore[no-untyped-call]


def plain(function: Any) -> Any:
    """Take a function's annotations off: numba compares those of a method with those of its implementations."""
    function.__annotations__ = {}
    return function


def method(name: str) -> Callable[[Any], Any]:
    """Give a decorator for what numba asks about a method: plain, and called as users know it, for sentences."""

    def decorate(function: Any) -> Any:
        function.__name__ = name
        return plain(function)

    return decorate


def _maker(kind: Any) -> Any:
    @intrinsic
    def make(context: Any, address: Any) -> Any:
        del context, address

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            del signature
            made = cgutils.create_struct_proxy(kind)(context, builder)
            made.address = args[0]
            return made._getvalue()

        return kind(types.uintp), generate

    return make


def evidence_maker(kind: EvidenceType) -> Any:
    """Give what makes, in compiled code, the evidence at an address."""
    return _maker(kind)


as_head = _maker(HEAD)


@intrinsic
def _stored_address(context: Any, value: Any) -> Any:
    del context

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return cgutils.create_struct_proxy(signature.args[0])(context, builder, value=args[0]).address

    return types.uintp(value), generate


address_of: Any = _stored_address


@intrinsic
def _pointer(context: Any, address: Any) -> Any:
    del context, address

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, signature
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.uintp), generate


@intrinsic
def _as_read_only(context: Any, octets: Any) -> Any:
    del context

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        del context, builder, signature
        return args[0]

    return _READ_ONLY_OCTETS(octets), generate


def loader(kind: Any, *, swapped: bool = False) -> Any:
    """Give what reads a number at an address, which need not be aligned."""

    @intrinsic
    def load(context: Any, address: Any) -> Any:
        del context, address

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            del signature
            place = builder.inttoptr(args[0], context.get_data_type(kind).as_pointer())
            found = builder.load(place, align=1)
            return builder.bswap(found) if swapped else found

        return kind(types.uintp), generate

    return load


def writer(kind: Any) -> Any:
    """Give what writes a number at an address."""

    @intrinsic
    def write(context: Any, address: Any, value: Any) -> Any:
        del context

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = builder.inttoptr(args[0], context.get_data_type(kind).as_pointer())
            builder.store(context.cast(builder, args[1], signature.args[1], kind), place, align=1)
            return context.get_dummy_value()

        return types.void(types.uintp, value), generate

    return write


as_pointer: Any = _pointer
read_only: Any = _as_read_only

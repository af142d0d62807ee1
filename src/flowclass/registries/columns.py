"""Columns of addresses from numpy and Arrow, as the native look-up takes them; none is copied that need not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flowclass.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ("AddressColumn", "read_columns")

_WANTED = "uint32 of IPv4 addresses in host order, or 16 octets each of IPv6 addresses in network order"


@dataclass(frozen=True, slots=True)
class AddressColumn:
    """A run of addresses of one version.

    Parameters
    ----------
    version : int
        4 or 6.
    values : ndarray
        ``uint32`` for version 4, ``(n, 16) uint8`` for version 6; contiguous.
    missing : ndarray of bool or None
        Which rows are null; None where none is.
    """

    version: int
    values: NDArray[Any]
    missing: NDArray[np.bool_] | None = None


def read_columns(addresses: Any) -> Iterator[AddressColumn]:
    """Give the runs of a column: one of an array, one for each chunk of a chunked one.

    Parameters
    ----------
    addresses : ndarray, pyarrow.Array or pyarrow.ChunkedArray
        ``uint32`` (IPv4, host order), or ``(n, 16) uint8`` or ``fixed_size_binary[16]`` (IPv6, network order).

    Yields
    ------
    AddressColumn
        Views of the same memory, unless an ndarray is not contiguous.

    Raises
    ------
    ConfigError
        Where it is anything else.
    """
    if isinstance(addresses, np.ndarray):
        yield _of_numpy(addresses)
        return
    import pyarrow as pa

    if isinstance(addresses, pa.ChunkedArray):
        if addresses.num_chunks == 0:
            yield _of_arrow(pa.array([], type=addresses.type))
        for chunk in addresses.chunks:
            yield _of_arrow(chunk)
    elif isinstance(addresses, pa.Array):
        yield _of_arrow(addresses)
    else:
        raise ConfigError(f"addresses of type {type(addresses).__name__}; give a numpy or Arrow array: {_WANTED}")


def _of_numpy(addresses: NDArray[Any]) -> AddressColumn:
    if addresses.dtype == np.uint32 and addresses.ndim == 1:
        return AddressColumn(4, np.ascontiguousarray(addresses))
    if addresses.dtype == np.uint8 and addresses.ndim == 2 and addresses.shape[1] == 16:
        return AddressColumn(6, np.ascontiguousarray(addresses))
    raise ConfigError(f"addresses of dtype {addresses.dtype} and shape {addresses.shape}; give {_WANTED}")


def _of_arrow(addresses: Any) -> AddressColumn:
    import pyarrow as pa

    kind = addresses.type
    if kind not in (pa.uint32(), pa.binary(16)):
        raise ConfigError(f"addresses of Arrow type {kind}; give {_WANTED}")
    octets = addresses.buffers()[1]
    width = kind.bit_width // 8
    start, end = addresses.offset * width, (addresses.offset + len(addresses)) * width
    view = np.frombuffer(b"" if octets is None else octets, dtype=np.uint8)[start:end]
    missing = addresses.is_null().to_numpy(zero_copy_only=False) if addresses.null_count else None
    if width == 4:
        return AddressColumn(4, view.view(np.uint32), missing)
    return AddressColumn(6, view.reshape(-1, 16), missing)

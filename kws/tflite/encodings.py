"""Kernels in fewer bytes, as TFLM's operator DECODE reads them: look-up tables and bit masks.

A look-up table holds the few values of a clustered kernel, of which each weight is an index of
one to four bits. A bit mask tells the zeros of a pruned kernel from the weights that follow it.
"""

from dataclasses import dataclass

import numpy as np

MOST_BITS = 4
"""Of an index. TFLM reads up to seven, which save next to nothing."""
_LOOK_UP, _MASK = 0, 2
_VERSION = 1
_ONE_TABLE = 15


@dataclass(frozen=True)
class Encoded:
    """A kernel's two parts."""

    form: str
    """``look-up`` or ``mask``"""
    data: bytes
    """Indices, or the mask: from the highest bit of each byte down."""
    beside: bytes
    """A header of 16 bytes, then the tables, or the weights that are not zero."""

    @property
    def size(self) -> int:
        return len(self.data) + len(self.beside)


def encode(kernel: np.ndarray, axis: int | None) -> Encoded | None:
    """The shorter of the encodings that suit a kernel; none where it would not get shorter.

    Parameters
    ----------
    kernel : int8, in its operator's layout.
    axis : the first or the last, along which it has scales of its own; each then has a table.
    """
    found = [each for each in (look_up(kernel, axis), mask(kernel)) if each is not None]
    best = min(found, key=lambda each: each.size)
    return best if best.size < kernel.size else None


def look_up(kernel: np.ndarray, axis: int | None) -> Encoded | None:
    """Indices into a table of the values; none where there are too many values."""
    rows = kernel.reshape(1, -1) if axis is None else np.moveaxis(kernel, axis, 0)
    tables, indices = [], np.empty(rows.shape, np.uint8)
    for row, into in zip(rows, indices, strict=True):
        values, places = np.unique(row, return_inverse=True)
        if len(values) > 2**MOST_BITS:
            return None
        tables.append(values)
        into[...] = places.reshape(into.shape)
    if axis is not None:
        indices = np.moveaxis(indices, 0, axis)
    longest = max(map(len, tables))
    bits = max(1, (longest - 1).bit_length())
    stored = np.zeros((len(tables), longest), np.int8)
    for table, values in zip(stored, tables, strict=True):
        table[: len(values)] = values
    place = _ONE_TABLE if axis is None else axis
    header = _header(_LOOK_UP, place << 4 | bits, longest)
    return Encoded("look-up", _packed(indices, bits), header + stored.tobytes())


def mask(kernel: np.ndarray) -> Encoded:
    """A bit for each weight, 1 where it is not zero; then those weights."""
    kept = kernel.ravel() != 0
    return Encoded("mask", _packed(kept, 1), _header(_MASK) + kernel.ravel()[kept].tobytes())


def _header(kind: int, *more: int) -> bytes:
    """Kind and version of the encoding, two bytes of nothing, the version again, what it needs."""
    return bytes([kind, _VERSION, 0, 0, _VERSION, *more]).ljust(16, b"\0")


def _packed(values: np.ndarray, bits: int) -> bytes:
    """The lowest bits of small numbers, one behind the other."""
    lowest = np.unpackbits(values.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - bits :]
    return np.packbits(lowest).tobytes()

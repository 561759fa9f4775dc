"""Features on disk, in shards: one file for some hundred clips, read by the row.

``000012.npy`` holds float16 (copies, clips, frames, size); ``000012.json``, written after it, its
labels and the clips that could not be read. Rows are read, not memory-mapped: the memory of a
process stays the same however large the corpus is, and the system's file cache does the rest.
"""

import io
import json
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kws.errors import StorageError
from kws.files import whole, write_text

OPEN_FILES = 128
"""Kept open at a time; far below what systems allow."""


def shard_name(folder: Path, index: int) -> Path:
    """The features of shard ``index``."""
    return folder / f"{index:06d}.npy"


def is_written(folder: Path, index: int) -> bool:
    """Whether the shard is there, whole."""
    return shard_name(folder, index).with_suffix(".json").is_file()


def write_shard(
    folder: Path, index: int, features: np.ndarray, labels: np.ndarray, bad: list[str]
) -> None:
    """Write one shard.

    Parameters
    ----------
    features : (copies, clips, frames, size). labels : int (clips,).
    bad : a message for each clip that could not be read.

    Raises
    ------
    StorageError
        When it cannot be written; what was there before is untouched.
    """
    path = shard_name(folder, index)
    values = np.ascontiguousarray(features, np.dtype("<f2"))
    with whole(path) as temporary, open(temporary, "wb") as file:
        # By plain writes: np.save raises an error without a number where the disk is full.
        header = np.lib.format.header_data_from_array_1_0(values)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(values.data)
    facts = {"labels": labels.tolist(), "bad": bad}
    write_text(path.with_suffix(".json"), json.dumps(facts, ensure_ascii=False))


def read_facts(folder: Path, index: int) -> tuple[np.ndarray, list[str]]:
    """A shard's labels, int32 (clips,), and the messages of its bad clips.

    Raises
    ------
    OSError, ValueError, KeyError
        When it is damaged.
    """
    facts = json.loads(shard_name(folder, index).with_suffix(".json").read_text(encoding="utf-8"))
    return np.array(facts["labels"], np.int32), list(facts["bad"])


class Shards:
    """All shards of a folder as one array (examples, frames, size), float16, copy-major.

    Copy 0 of all clips comes first, then copy 1, and so on. Indexed by a slice or by an array of
    example numbers, it gives a new array.

    Parameters
    ----------
    folder : of the shards.
    counts : clips in each. copies : of each clip.
    row : (frames, size).

    Raises
    ------
    StorageError
        When a shard is missing or damaged.
    """

    dtype = np.dtype("<f2")

    def __init__(self, folder: Path, counts: list[int], copies: int, row: tuple[int, int]):
        self._folder, self._counts = folder, counts
        self._first = np.concatenate(([0], np.cumsum(counts)))
        self.shape = (copies * int(self._first[-1]), *row)
        self._row_bytes = self.dtype.itemsize * row[0] * row[1]
        self._open: OrderedDict[int, tuple[BinaryIO, int]] = OrderedDict()
        for index, count in enumerate(counts):
            self._check(index, (copies, count, *row))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: slice | np.ndarray) -> np.ndarray:
        """Read rows: float16 (chosen, frames, size)."""
        if isinstance(chosen, slice):
            chosen = np.arange(*chosen.indices(len(self)))
        rows = np.asarray(chosen)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        copies, clips = np.divmod(rows, max(1, int(self._first[-1])))
        shards = np.searchsorted(self._first, clips, side="right") - 1
        values = np.empty((len(rows), *self.shape[1:]), self.dtype)
        bytes_of = values.reshape(-1).view(np.uint8).data
        # By shard and place in it, so that neighbours are read in turn.
        for i in np.lexsort((clips, copies, shards)):
            shard = int(shards[i])
            place = copies[i] * self._counts[shard] + clips[i] - self._first[shard]
            target = bytes_of[i * self._row_bytes : (i + 1) * self._row_bytes]
            self._read(shard, int(place), target)
        return values

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def _read(self, shard: int, place: int, target: memoryview) -> None:
        try:
            file, start = self._file(shard)
            file.seek(start + place * self._row_bytes)
            complete = file.readinto(target) == self._row_bytes  # type: ignore[attr-defined]
        except OSError as error:
            raise self._damaged(shard, error.strerror or str(error)) from error
        if not complete:
            raise self._damaged(shard, "cut short")

    def _file(self, shard: int) -> tuple[BinaryIO, int]:
        """An open shard, and where its values begin; the one used longest ago is closed."""
        if shard in self._open:
            self._open.move_to_end(shard)
        else:
            if len(self._open) >= OPEN_FILES:
                self._open.popitem(last=False)[1][0].close()
            file = open(shard_name(self._folder, shard), "rb", buffering=0)  # noqa: SIM115
            self._open[shard] = (file, _header(file)[1])
        return self._open[shard]

    def _check(self, index: int, shape: tuple[int, ...]) -> None:
        try:
            with open(shard_name(self._folder, index), "rb") as file:
                found, start = _header(file)
                size = file.seek(0, io.SEEK_END)
        except (OSError, ValueError) as error:
            raise self._damaged(index, str(error)) from error
        if found != shape or size < start + int(np.prod(shape)) * self.dtype.itemsize:
            raise self._damaged(index, f"{found} and {size} bytes where {shape} was expected")

    def _damaged(self, index: int, why: str) -> StorageError:
        return StorageError(
            f"{self._folder}: cached features are damaged ({shard_name(self._folder, index).name}: "
            f"{why}); delete this folder, the next run makes it again"
        )


def _header(file: BinaryIO) -> tuple[tuple[int, ...], int]:
    """Shape, and where the values begin."""
    np.lib.format.read_magic(file)
    shape, _, _ = np.lib.format.read_array_header_1_0(file)
    return shape, file.tell()

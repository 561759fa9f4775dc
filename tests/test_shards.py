"""Features in shards: rows by number, damage named, memory that stays the same."""

import numpy as np
import pytest

from kws.data import shards
from kws.data.shards import Shards, is_written, read_facts, shard_name, write_shard
from kws.errors import StorageError

COUNTS, COPIES, ROW = [3, 0, 4, 1], 2, (5, 2)


@pytest.fixture
def folder(tmp_path):
    """Four shards; copy c of clip n is full of ``100 c + n``."""
    first = np.cumsum([0, *COUNTS])
    for index, count in enumerate(COUNTS):
        numbers = first[index] + np.arange(count) + 100 * np.arange(COPIES)[:, None]
        features = np.broadcast_to(numbers[:, :, None, None], (COPIES, count, *ROW))
        write_shard(tmp_path, index, features, np.arange(count), [f"bad {index}"])
    return tmp_path


def test_rows_are_copy_major_over_all_shards(folder):
    found = Shards(folder, COUNTS, COPIES, ROW)
    assert found.shape == (16, 5, 2)
    assert found[:].dtype == np.float16
    assert found[:][:, 4, 1].tolist() == [*range(8), *range(100, 108)]
    assert (found[:] == found[:][:, :1, :1]).all()


def test_any_rows_in_any_order(folder):
    found = Shards(folder, COUNTS, COPIES, ROW)
    rows = np.array([15, 0, 7, 7, 8, 2, 3])
    assert found[rows][:, 0, 0].tolist() == [107, 0, 7, 7, 100, 2, 3]
    assert found[6:10][:, 0, 0].tolist() == [6, 7, 100, 101]
    assert found[np.array([], int)].shape == (0, 5, 2)
    for row in (-1, 16):
        with pytest.raises(IndexError, match=f"{row} of 16"):
            found[np.array([row])]


def test_few_files_are_open(folder, monkeypatch):
    monkeypatch.setattr(shards, "OPEN_FILES", 2)
    found = Shards(folder, COUNTS, COPIES, ROW)
    for _ in range(3):
        assert found[:][:, 0, 0].tolist() == [*range(8), *range(100, 108)]
        assert len(found._open) == 2


def test_facts_come_back(folder):
    labels, bad = read_facts(folder, 2)
    assert (labels.tolist(), labels.dtype, bad) == ([0, 1, 2, 3], np.int32, ["bad 2"])
    assert is_written(folder, 3)
    assert not is_written(folder, 4)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "bytes where"),
        (lambda _: b"", "000002"),
        (lambda data: b"x" + data[1:], "magic"),
        (lambda data: data.replace(b"(2, 4, 5, 2)", b"(2, 5, 4, 2)"), "where"),
    ],
    ids=["cut", "empty", "other", "shape"],
)
def test_damage_is_named_before_training(folder, damage, message):
    path = shard_name(folder, 2)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StorageError, match=f"damaged .*{message}.*delete this folder"):
        Shards(folder, COUNTS, COPIES, ROW)


def test_a_shard_that_vanishes_while_it_is_read(folder):
    found = Shards(folder, COUNTS, COPIES, ROW)
    shard_name(folder, 0).unlink()
    with pytest.raises(StorageError, match=r"000000\.npy: No such file"):
        found[:]

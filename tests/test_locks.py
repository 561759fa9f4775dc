"""Programs that share a cache: each thing is made once, different things at once."""

import multiprocessing
import time
from pathlib import Path

import pytest

from kws.data.locks import clearing, filling
from kws.errors import StorageError


def hold(kind, root: Path, name: str, seconds: float, told) -> None:
    with filling(root, name) if kind == "filling" else clearing(root):
        told.put(("in", name, time.monotonic()))
        time.sleep(seconds)
        told.put(("out", name, time.monotonic()))


def overlap(root, first, second) -> bool:
    """Whether two processes were inside at once."""
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    one = context.Process(target=hold, args=(first[0], root, first[1], 3.0, told))
    one.start()
    entered = told.get(timeout=60)
    assert entered[0] == "in"
    two = context.Process(target=hold, args=(second[0], root, second[1], 0.1, told))
    two.start()
    events = [told.get(timeout=60) for _ in range(3)]
    one.join()
    two.join()
    left = next(at for what, name, at in events if (what, name) == ("out", first[1]))
    came = next(at for what, name, at in events if (what, name) == ("in", second[1]))
    return came < left


@pytest.mark.parametrize(
    ("first", "second", "at_once"),
    [
        (("filling", "a"), ("filling", "b"), True),
        (("filling", "a"), ("clearing", "all"), False),
        (("clearing", "all"), ("filling", "a"), False),
    ],
)
def test_who_waits_for_whom(first, second, at_once, tmp_path):
    assert overlap(tmp_path / "cache", first, second) is at_once


def test_the_same_thing_is_made_once_at_a_time_and_who_waits_says_so(tmp_path, capfd):
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    args = [("filling", tmp_path, "a", seconds, told) for seconds in (4.0, 0.0)]
    two = [context.Process(target=hold, args=one) for one in args]
    two[0].start()
    assert told.get(timeout=60)[0] == "in"
    two[1].start()
    events = [told.get(timeout=60) for _ in range(3)]
    events.sort(key=lambda event: event[2])  # of two processes, they may arrive in any order
    assert [what for what, _, _ in events] == ["out", "in", "out"]
    for one in two:
        one.join()
    assert f"waiting for another program that is at work in {tmp_path}" in capfd.readouterr().err


def test_clearing_leaves_no_locks_of_others(tmp_path):
    with filling(tmp_path, "a"):
        assert (tmp_path / ".a.lock").is_file()
    with clearing(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_made_or_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"), filling(tmp_path / "file", "a"):
        pass
    with pytest.raises(StorageError, match="no space left"), filling(tmp_path, "a"):
        raise OSError(28, "No space left on device")

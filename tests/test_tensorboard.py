"""TensorBoard logs, read back as TensorBoard reads them."""

from pathlib import Path

import pytest
import tensorflow as tf

from kws.errors import StorageError
from kws.nn.epochs import Epoch
from kws.nn.tensorboard import EpochLog

HISTORY = [
    Epoch("float", 0, 2.5, 0.25),
    Epoch("float", 1, 1.25, 0.75),
    Epoch("qat", 2, 1.125, 0.875),
    Epoch("qat", 3, 1.0, 0.9375),
]
RATES = [0.01, 0.005, 0.0005, 0.00025]


def scalars(folder: Path) -> list[tuple[str, int, float]]:
    """Every scalar in all files of a folder: name, step and value, sorted."""
    found = []
    for path in folder.iterdir():
        assert path.name.startswith("events.out.tfevents."), path
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                number = tf.make_ndarray(value.tensor).item()
                assert value.metadata.plugin_data.plugin_name == "scalars"
                found.append((value.tag, event.step, round(number, 6)))
    return sorted(found)


def expected(epochs: range, rates: range) -> list[tuple[str, int, float]]:
    return sorted(
        [("training loss", i, HISTORY[i].loss) for i in epochs]
        + [("validation accuracy", i, HISTORY[i].validation_accuracy) for i in epochs]
        + [("learning rate", i, RATES[i]) for i in rates]
    )


def log(folder: Path, done: int, until: int) -> None:
    with EpochLog(folder, HISTORY[:done]) as write:
        for epoch in range(done, until):
            write(HISTORY[epoch], RATES[epoch])


def test_each_epoch_is_there_once(tmp_path):
    log(tmp_path / "run" / "tensorboard", 0, 4)
    assert scalars(tmp_path / "run" / "tensorboard") == expected(range(4), range(4))


def test_an_epoch_can_be_read_while_training_goes_on(tmp_path):
    with EpochLog(tmp_path) as write:
        write(HISTORY[0], RATES[0])
        assert scalars(tmp_path) == expected(range(1), range(1))


def test_going_on_neither_repeats_nor_loses_epochs(tmp_path):
    log(tmp_path, 0, 3)  # killed before the third one's checkpoint: it is trained again
    log(tmp_path, 2, 4)
    assert scalars(tmp_path) == expected(range(4), range(4))
    log(tmp_path, 4, 4)
    assert scalars(tmp_path) == expected(range(4), range(4))


def test_what_was_trained_without_a_log_is_filled_in_from_the_history(tmp_path):
    log(tmp_path, 2, 4)
    assert scalars(tmp_path) == expected(range(4), range(2, 4))


def test_epochs_that_are_no_longer_done_are_taken_out(tmp_path):
    log(tmp_path, 0, 4)
    log(tmp_path, 1, 1)
    assert scalars(tmp_path) == expected(range(1), range(1))


def test_times_are_kept_when_training_goes_on(tmp_path):
    log(tmp_path, 0, 2)
    before = times(tmp_path)
    log(tmp_path, 2, 3)
    assert times(tmp_path)[: len(before)] == before


def times(folder: Path) -> list[float]:
    events = [
        event
        for path in folder.iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        if event.HasField("summary")
    ]
    return [event.wall_time for event in sorted(events, key=lambda event: event.wall_time)]


def test_a_torn_file_costs_what_the_history_does_not_know(tmp_path):
    log(tmp_path, 0, 2)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for torn in (5, 100):  # in the second epoch's learning rate; in what is before it
        file.write_bytes(whole[:-torn])
        log(tmp_path, 2, 3)
        wanted = expected(range(3), range(3))
        wanted.remove(("learning rate", 1, RATES[1]))
        assert scalars(tmp_path) == wanted
        for left in tmp_path.iterdir():
            left.unlink()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "tensorboard").write_text("a file")
    with pytest.raises(StorageError, match="tensorboard: cannot be written"):
        EpochLog(tmp_path / "tensorboard")

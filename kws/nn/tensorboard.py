"""TensorBoard logs of a training: loss, validation accuracy and learning rate by epoch.

They are written by TensorFlow alone; to look at them takes TensorBoard, a program of its own:
``tensorboard --logdir runs``.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from kws.errors import StorageError
from kws.files import storage_error

if TYPE_CHECKING:
    from kws.nn.epochs import Epoch

LOSS, ACCURACY, RATE = "training loss", "validation accuracy", "learning rate"
_PATTERN = "events.out.tfevents.*"
_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data={"plugin_name": "scalars"}, data_class="DATA_CLASS_SCALAR"
)
"""As ``tf.summary.scalar`` marks its values, which needs the program installed."""


class EpochLog:
    """Scalars of each epoch in ``<run>/tensorboard``, every epoch once.

    Opening it brings what an interrupted training has left in line with the epochs that are done:
    later ones are taken out, for they will be trained again, and missing ones are filled in, as
    far as the history knows them. An epoch is to be logged before its checkpoint is written, so
    that none is lost between the two.

    >>> with EpochLog(run.path / "tensorboard", history) as log:
    ...     log(epoch, learning_rate)

    Parameters
    ----------
    folder : for these logs alone; made where it is missing.
    done : the epochs of the history, in their order.

    Raises
    ------
    StorageError
        When the folder cannot be written.
    """

    def __init__(self, folder: Path, done: Iterable["Epoch"] = ()):
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            done = list(done)
            _tidy(folder, {epoch.epoch for epoch in done})
            self._logged = {_key(event) for event in _events(folder)}
            self._writer = tf.summary.create_file_writer(str(folder))
            for epoch in done:
                self._write(epoch, None)
            self._writer.flush()
        except (OSError, tf.errors.OpError) as error:
            raise _failed(error, folder) from error

    def __call__(self, epoch: "Epoch", learning_rate: float) -> None:
        """Log an epoch that has just been trained, at once; ``learning_rate`` at its end."""
        try:
            self._write(epoch, learning_rate)
            self._writer.flush()
        except (OSError, tf.errors.OpError) as error:
            raise _failed(error, self.folder) from error

    def close(self) -> None:
        """Write no more."""
        self._writer.close()

    def __enter__(self) -> "EpochLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, epoch: "Epoch", learning_rate: float | None) -> None:
        values = {LOSS: epoch.loss, ACCURACY: epoch.validation_accuracy, RATE: learning_rate}
        with self._writer.as_default():
            for name, value in values.items():
                if value is not None and (name, epoch.epoch) not in self._logged:
                    number = tf.constant(value, tf.float32)
                    tf.summary.write(name, number, epoch.epoch, _SCALAR)


def _events(folder: Path) -> list[tf.compat.v1.Event]:
    """The scalars in a folder, oldest file first; a file's torn end is passed over."""
    events = []
    for path in _files(folder):
        try:
            for event in tf.compat.v1.train.summary_iterator(str(path)):
                if event.summary.value:
                    events.append(event)
        except tf.errors.DataLossError:  # a killed process was writing it
            continue
    return events


def _key(event: tf.compat.v1.Event) -> tuple[str, int]:
    return event.summary.value[0].tag, event.step


def _tidy(folder: Path, done: set[int]) -> None:
    """Leave one file with the scalars of these epochs, the last of each kind."""
    before = _files(folder)
    if not before:
        return
    kept: dict[tuple[str, int], tf.compat.v1.Event] = {}
    for event in _events(folder):
        if event.step in done:
            kept[_key(event)] = event
    head = tf.compat.v1.Event(wall_time=time.time(), file_version="brain.Event:2")
    fresh = folder / f".{time.time_ns()}"
    with tf.io.TFRecordWriter(str(fresh)) as writer:
        for event in (head, *sorted(kept.values(), key=lambda event: event.step)):
            writer.write(event.SerializeToString())
    fresh.rename(folder / f"events.out.tfevents.{int(time.time())}.kept.{time.time_ns()}.v2")
    for path in before:
        path.unlink()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(_PATTERN), key=lambda path: (path.stat().st_mtime_ns, path.name))


def _failed(error: OSError | tf.errors.OpError, folder: Path) -> Exception:
    if isinstance(error, OSError):
        return storage_error(error, folder)
    return StorageError(f"{folder}: cannot be written ({error.message})")

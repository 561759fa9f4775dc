"""Golden features: clips whose answers are known, which prove a model file wherever it runs."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kws.errors import ModelError
from kws.files import whole
from kws.tflite.interpreter import Runner

LARGEST_STEPS = 10
"""How far LiteRT may be from TFLM in a posterior, in steps of 1/256: they round in other ways."""


@dataclass(frozen=True)
class Golden:
    """Clips, and what the int8 file answers to them in TFLM."""

    features: np.ndarray
    """float16 (clips, frames, size), raw"""
    labels: np.ndarray
    """int64 (clips,)"""
    posteriors: np.ndarray
    """int8 (clips, classes), as stored"""


def make_golden(data: bytes, features: np.ndarray, labels: np.ndarray) -> Golden:
    """Take the first clip of each label that the file knows, in both engines.

    Parameters
    ----------
    features : (clips, frames, size), raw. labels : (clips,) int.

    Raises
    ------
    ModelError
        When there is no such clip, or the file is not int8.
    """
    runner, other = Runner(data, "tflm", "the model"), Runner(data, "litert", "the model")
    if runner.metadata.precision != "int8":
        raise ModelError("the model is not int8: golden features are for files of a device")
    rounded = features.astype(np.float16)
    rows: list[int] = []
    answers: list[np.ndarray] = []
    for label in range(len(runner.metadata.labels)):
        for row in np.flatnonzero(labels == label):
            stored, near = _stored(runner, rounded[row]), _stored(other, rounded[row])
            if stored.argmax() == label and not _difference(stored, near):
                rows.append(int(row))
                answers.append(stored)
                break
    if not rows:
        raise ModelError("the model knows none of the clips: there is nothing to publish")
    return Golden(rounded[rows], labels[rows].astype(np.int64), np.stack(answers))


def check_golden(data: bytes, golden: Golden, where: str) -> None:
    """Run the clips in TFLM, which must give the very answers, and in LiteRT.

    Raises
    ------
    ModelError
        When an answer is another one; ``where`` begins the message.
    """
    tflm, litert = Runner(data, "tflm", where), Runner(data, "litert", where)
    shape = (len(golden.labels), tflm.metadata.clip_frames, tflm.metadata.features.size)
    classes = (len(golden.labels), len(tflm.metadata.labels))
    if golden.features.shape != shape or golden.posteriors.shape != classes:
        raise ModelError(f"{where}: the golden features are those of another model")
    for clip, label, wanted in zip(golden.features, golden.labels, golden.posteriors, strict=True):
        name, given = tflm.metadata.labels[label], _stored(tflm, clip)
        if not np.array_equal(given, wanted):
            raise ModelError(
                f"{where}: TFLM answers {given.tolist()} to the golden clip of {name!r}, expected "
                f"{wanted.tolist()}; the file or the golden features are not those published"
            )
        if problem := _difference(wanted, _stored(litert, clip)):
            raise ModelError(f"{where}: the golden clip of {name!r}: {problem}")


def write_golden(golden: Golden, path: Path) -> None:
    """Write ``golden.npz``."""
    with whole(path) as temporary:
        np.savez_compressed(
            temporary,
            features=golden.features,
            labels=golden.labels,
            posteriors=golden.posteriors,
        )


def read_golden(path: Path) -> Golden:
    """Read ``golden.npz``.

    Raises
    ------
    ModelError
        When it is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Golden(arrays["features"], arrays["labels"], arrays["posteriors"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{path}: missing or damaged ({type(error).__name__}); tools/publish.py writes it"
        ) from error


def _stored(runner: Runner, clip: np.ndarray) -> np.ndarray:
    return runner.outputs[0].quantize(runner.classify(clip.astype(np.float32)))


def _difference(wanted: np.ndarray, given: np.ndarray) -> str:
    """What LiteRT's answer is too far from TFLM's by, or nothing."""
    steps = int(np.abs(given.astype(int) - wanted.astype(int)).max())
    if steps > LARGEST_STEPS or given.argmax() != wanted.argmax():
        return f"LiteRT is {steps} steps from TFLM, expected the same label within {LARGEST_STEPS}"
    return ""

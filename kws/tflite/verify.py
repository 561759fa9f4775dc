"""Proof of a deployed file: float Keras, float TFLite, int8 LiteRT and int8 TFLM side by side."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kws.progress import progress
from kws.spotting.metrics import confusion_matrix
from kws.spotting.open_set import OpenSet, measure_open_set
from kws.tflite.arena import arena_bytes, smallest_arena
from kws.tflite.interpreter import Engine, Runner
from kws.tflite.metadata import Metadata, parse
from kws.tflite.operators import operators, require_tflm, tensor_types

STEP = 1 / 256
"""One step of an int8 posterior."""
DRIFT_MINUTES = 10


@dataclass(frozen=True)
class Row:
    """One implementation, on the validation clips."""

    name: str
    accuracy: float
    agreement_with_float: float
    """Share of clips with the same top-1 as float Keras"""
    agreement_with_litert: float | None
    """The same with LiteRT, on the same file"""
    largest_difference_steps: float
    """Of a posterior, from float Keras, in int8 steps of 1/256"""
    mean_difference_steps: float


@dataclass(frozen=True)
class Drift:
    """How far the deployed stream is from the float one, minute by minute, in steps."""

    of: str
    """``state`` (int8 steps of each), or ``posteriors`` (1/256) where the state is kept inside"""
    first_minute_steps: float
    last_minute_steps: float
    largest_minute_steps: float
    minutes: int


@dataclass(frozen=True)
class Verification:
    """All that :func:`verify` measures."""

    clips: int
    rows: tuple[Row, ...]
    drift: Drift | None
    file_bytes: int
    float_file_bytes: int
    arena_bytes: int
    """In use after a call, as TFLM reports it"""
    arena_smallest_bytes: int
    """Needed to start: planning takes memory that is free again afterwards"""
    macs_per_second: int
    operators: tuple[str, ...]
    tensor_types: dict[str, int]
    confusion: tuple[tuple[int, ...], ...]
    """Of the deployed file in TFLM: clips by true label (rows) and given label (columns)"""
    open_set: OpenSet | None = field(default=None, kw_only=True)
    """Of the same: what it does with words never heard; None where an older run did not ask"""
    accuracy_before: float | None = field(default=None, kw_only=True)
    """Of the float weights before they were trained on with quantization; None without that"""

    def figures(self) -> dict[str, float | int]:
        """The few that go into the model's metadata."""
        deployed = self.rows[-1]
        unseen = _open_set_figures(self.open_set) if self.open_set else {}
        return {
            "validation_clips": self.clips,
            "validation_accuracy": round(deployed.accuracy, 5),
            "float_validation_accuracy": round(self.rows[0].accuracy, 5),
            "agreement_with_float": round(deployed.agreement_with_float, 5),
            "arena_bytes": self.arena_bytes,
            "arena_smallest_bytes": self.arena_smallest_bytes,
            **unseen,
        }


def verify(
    float_data: bytes,
    data: bytes,
    metadata: Metadata,
    keras_posteriors: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    unseen: tuple[np.ndarray, np.ndarray] | None = None,
) -> Verification:
    """Run both files on validation clips, in LiteRT and in TFLM.

    Parameters
    ----------
    float_data, data : the float file, and the one to be deployed.
    keras_posteriors : (clips, classes), of the float Keras model.
    features : (clips, frames, size), raw. labels : (clips,) int.
    unseen : the same two of clips of words never heard, with indices in the metadata's
        ``unseen_words``; the deployed file hears them in TFLM.

    Raises
    ------
    ModelError
        When TFLM has not all operators, or an engine refuses the file.
    """
    model = parse(data, "the converted model")
    require_tflm(model, "the converted model")
    features = features.astype(np.float32)
    found: dict[str, np.ndarray] = {"float Keras": keras_posteriors}
    kind = metadata.precision
    plan: list[tuple[str, bytes, Engine]] = [
        (f"{kind} LiteRT", data, "litert"),
        (f"{kind} TFLM", data, "tflm"),
    ]
    if kind == "int8":
        plan.insert(0, ("float TFLite", float_data, "litert"))
    others, words = unseen or (features[:0], labels[:0])
    with progress("verifying", len(plan) * len(features) + len(others), "clips") as advance:
        for name, file, engine in plan:
            runner = Runner(file, engine, name)
            found[name] = classify_all(runner, features, advance)
        of_unseen = classify_all(runner, others, advance)  # the last one is deployed, in TFLM
    deployed = found[plan[-1][0]]
    confusion = confusion_matrix(labels, deployed.argmax(axis=1), len(metadata.labels))
    used_bytes = arena_bytes(data)
    rows = [_row(name, found, labels, plan[-2][0]) for name in found]
    return Verification(
        clips=len(labels),
        rows=tuple(rows),
        drift=measure_drift(float_data, data, features) if metadata.form == "stream" else None,
        file_bytes=len(data),
        float_file_bytes=len(float_data),
        arena_bytes=used_bytes,
        arena_smallest_bytes=smallest_arena(data, used_bytes),
        macs_per_second=metadata.macs_per_second,
        operators=operators(model),
        tensor_types=tensor_types(model),
        confusion=tuple(map(tuple, confusion.tolist())),
        open_set=measure_open_set(
            deployed,
            labels,
            of_unseen,
            words,
            metadata.labels,
            metadata.unseen_words,
            metadata.decoder,
        ),
    )


def classify_all(
    runner: Runner, clips: np.ndarray, advance: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Posteriors (clips, labels) of (clips, frames, size) features; ``advance`` after each."""
    posteriors = np.zeros((len(clips), len(runner.metadata.labels)), np.float32)
    for index, clip in enumerate(clips):
        posteriors[index] = runner.classify(clip.astype(np.float32))
        advance()
    return posteriors


def _open_set_figures(found: OpenSet) -> dict[str, float | int]:
    figures: dict[str, float | int] = {
        "threshold_validation_accuracy": round(found.decoder.accuracy.value or 0.0, 5),
    }
    if found.maximum.taken.value is None:
        return figures
    return figures | {
        "unseen_clips": found.maximum.taken.total,
        "unseen_taken": round(found.maximum.taken.value, 5),
        "unseen_taken_at_threshold": round(found.decoder.taken.value or 0.0, 5),
    }


def _row(name: str, found: dict[str, np.ndarray], labels: np.ndarray, litert: str) -> Row:
    posteriors, reference = found[name], found["float Keras"]
    top, difference = posteriors.argmax(axis=1), np.abs(posteriors - reference) / STEP
    same = float((top == found[litert].argmax(axis=1)).mean()) if name.endswith("TFLM") else None
    return Row(
        name=name,
        accuracy=float((top == labels).mean()),
        agreement_with_float=float((top == reference.argmax(axis=1)).mean()),
        agreement_with_litert=same,
        largest_difference_steps=float(difference.max()),
        mean_difference_steps=float(difference.mean()),
    )


def measure_drift(
    float_data: bytes, data: bytes, features: np.ndarray, minutes: int = DRIFT_MINUTES
) -> Drift:
    """Feed both streams the clips joined without end, state never reset, and compare by the minute.

    The deployed file runs in TFLM, the float one in LiteRT. A quantized state that drifted would be
    farther from the float one in the last minute than in the first.
    """
    exact, deployed = Runner(float_data, "litert", "float"), Runner(data, "tflm", "deployed")
    taken = deployed.metadata.frames_per_step
    per_minute = round(60 * deployed.metadata.features.frames_per_second / taken)
    order = np.random.default_rng(0).permutation(len(features))
    frames = features[order].reshape(-1, features.shape[-1])
    calls = frames[: len(frames) // taken * taken].reshape(-1, taken, features.shape[-1])
    explicit = deployed.metadata.state == "explicit"
    means = []
    with progress("measuring state drift", minutes, "minutes") as advance:
        for minute in range(minutes):
            heard = np.arange(minute * per_minute, (minute + 1) * per_minute) % len(calls)
            wanted, given = (_hear(runner, calls[heard], explicit) for runner in (exact, deployed))
            infos = deployed.inputs[1:] if explicit else deployed.outputs[:1]
            parts = [
                np.abs(info.dequantize(stored) - real).mean() / (info.scale if explicit else STEP)
                for info, stored, real in zip(infos, given, wanted, strict=True)
            ]
            means.append(float(np.mean(parts)))
            advance()
    return Drift("state" if explicit else "posteriors", means[0], means[-1], max(means), minutes)


def _hear(runner: Runner, calls: np.ndarray, explicit: bool) -> list[np.ndarray]:
    """Stored tensors (calls, ...) after each call: the states, or else the posteriors."""
    frames = runner.inputs[0].quantize(calls).reshape(-1, *runner.inputs[0].shape)
    kept = []
    for each in frames:
        posteriors = runner.step_stored(each)
        kept.append(runner.state if explicit else [posteriors])
    return [np.stack(tensors) for tensors in zip(*kept, strict=True)]

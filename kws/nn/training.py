"""Fit a model: float, then with quantization; resumed exactly where it was stopped."""

import csv
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from kws.data.batches import batches_per_epoch, training_batches
from kws.data.shards import Shards
from kws.errors import DataError
from kws.files import whole, write_text
from kws.nn.checkpoint import restore, save
from kws.nn.models import KeywordModel
from kws.nn.steps import learning_rates, make_optimizer, reset, train_step
from kws.progress import progress
from kws.recipe import Recipe
from kws.run import RunFolder

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Epoch:
    """One line of ``history.csv``."""

    phase: str
    epoch: int
    loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Phase:
    """A stretch of training: ``float``, or ``qat`` with the quantization points on."""

    name: str
    epochs: int
    learning_rate: float
    first_epoch: int


@dataclass(frozen=True)
class Clips:
    """Features (examples, frames, size) and labels (examples,) of a split."""

    features: Shards | np.ndarray
    labels: np.ndarray
    taught: np.ndarray | None = None
    """(examples, classes), what teachers answer"""


def phases(recipe: Recipe) -> list[Phase]:
    """The phases that a recipe asks for."""
    train, quantize = recipe.train, recipe.quantize
    found = [Phase("float", train.epochs, train.learning_rate, 0)]
    if quantize.mode == "qat":
        found.append(Phase("qat", quantize.epochs, quantize.learning_rate, train.epochs))
    return found


def fit(
    model: KeywordModel, recipe: Recipe, training: Clips, validation: Clips, run: RunFolder
) -> list[Epoch]:
    """Train through all phases, calibrating ranges after the first; gives the history.

    After each epoch a checkpoint is written; where one is there already, training goes on from it,
    to the weights that the unbroken run would have given.

    Raises
    ------
    DataError
        When there are fewer clips than a batch.
    """
    if batches_per_epoch(recipe, len(training.labels)) == 0:
        clips = len(training.labels) // recipe.augment.copies
        raise DataError(
            f"{clips} training clips are less than one batch of {recipe.train.batch_size}; "
            "set train.batch_size lower or bring more clips"
        )
    optimizer = make_optimizer(recipe, model)
    history = [Epoch(**line) for line in restore(run.checkpoint, model, optimizer)]
    done = len(history)
    write_history(run.history, history)
    for phase in phases(recipe):
        last = phase.first_epoch + phase.epochs
        if phase.name == "qat":
            model.fold()
        if phase.name == "qat" and done <= phase.first_epoch:
            calibrate(model, recipe, training)
            reset(optimizer)
        model.set_mode("int8" if phase.name == "qat" else "float")
        if done < last:
            history += _run_phase(
                model, optimizer, recipe, phase, done, training, validation, run, history
            )
            done = last
    model.fold()
    if recipe.quantize.mode == "calibrate":
        calibrate(model, recipe, training)
        model.set_mode("int8")
    return history


def calibrate(model: KeywordModel, recipe: Recipe, training: Clips) -> None:
    """Measure the ranges of all quantization points on training clips, in float."""
    rng = np.random.default_rng((recipe.seed, 3))
    count = min(recipe.quantize.calibration_clips, len(training.labels))
    rows = np.sort(rng.choice(len(training.labels), count, replace=False))
    model.set_mode("record")
    with progress("calibrating ranges", count, "clips") as advance:
        for start in range(0, count, 64):
            features = training.features[rows[start : start + 64]].astype(np.float32)
            model(tf.constant(features))
            advance(len(features))
    for points in model.all_points():
        points.set_recorded()


def predictor(model: KeywordModel) -> Callable[[Shards | np.ndarray], np.ndarray]:
    """A function from features (examples, frames, size) to posteriors (examples, classes).

    The posteriors are those of a clip's last frame, in the mode the model is in at the first call.
    """

    @tf.function(jit_compile=True)
    def last_posteriors(batch: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(model(batch)[0][:, -1])

    def predict(features: Shards | np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(features), EVALUATION_BATCH):
            batch = features[start : start + EVALUATION_BATCH].astype(np.float32)
            missing = EVALUATION_BATCH - len(batch)  # one shape: one compilation
            padded = np.pad(batch, ((0, missing), (0, 0), (0, 0)))
            parts.append(last_posteriors(tf.constant(padded)).numpy()[: len(batch)])
        return np.concatenate(parts)

    return predict


def accuracy(posteriors: np.ndarray, labels: np.ndarray) -> float:
    """Share of clips whose largest posterior is the label's."""
    return float((posteriors.argmax(axis=1) == labels).mean())


def save_model(model: KeywordModel, path: Path) -> None:
    """Write ``model.keras``, whole or not at all."""
    with whole(path) as temporary:
        model.save(temporary)


def _run_phase(
    model, optimizer, recipe, phase, done, training, validation, run, before
) -> list[Epoch]:
    steps = batches_per_epoch(recipe, len(training.labels))
    step, predict = train_step(model, optimizer, recipe), predictor(model)
    history: list[Epoch] = []
    left = phase.first_epoch + phase.epochs - done
    with progress(f"training ({phase.name})", left * steps, "batches") as advance:
        for epoch in range(done, phase.first_epoch + phase.epochs):
            rates = learning_rates(
                phase.learning_rate, phase.epochs * steps, (epoch - phase.first_epoch) * steps
            )
            state, losses = model.zero_state(recipe.train.batch_size), []
            batches = training_batches(
                recipe, training.features, training.labels, epoch, training.taught
            )
            for at, (rate, batch) in enumerate(zip(rates, batches, strict=False)):
                optimizer.learning_rate.assign(rate)
                loss, state = step(*batch, state, tf.constant([recipe.seed, epoch * steps + at]))
                losses.append(loss)
                advance()
            right = accuracy(predict(validation.features), validation.labels)
            history.append(Epoch(phase.name, epoch, float(np.mean(losses)), right))
            advance(0, f"epoch {epoch + 1}: validation {history[-1].validation_accuracy:.2%}")
            write_history(run.history, before + history)
            save(run.checkpoint, model, optimizer, [asdict(line) for line in before + history])
    return history


def write_history(path: Path, history: list[Epoch]) -> None:
    """Write ``history.csv``."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*Epoch.__dataclass_fields__], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(line) for line in history)
    write_text(path, text.getvalue())

"""Fit a model: float, then with quantization; resumed exactly where it was stopped."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf

from kws.data.batches import batches_per_epoch, training_batches
from kws.data.shards import Shards
from kws.errors import DataError
from kws.files import whole
from kws.nn.answers import accuracy, recipe_predictor
from kws.nn.checkpoint import pack, restore, restore_weights, save, save_weights, unpack
from kws.nn.compress import Compression
from kws.nn.distribution import Distribution
from kws.nn.epochs import (
    AfterEpoch,
    Epoch,
    Phase,
    all_over,
    best_of,
    is_over,
    of_phase,
    phases,
    write_history,
)
from kws.nn.models import KeywordModel
from kws.nn.optimizers import learning_rates, make_optimizer, reset
from kws.nn.precision import precision
from kws.nn.steps import train_step
from kws.nn.tensorboard import EpochLog
from kws.progress import Advance, progress
from kws.recipe import Recipe
from kws.run import RunFolder

COMPILED_FROM = 300
"""Batches of a training worth compiling, which takes 10 to 40 s, and saves up to 0.1 s a batch."""


@dataclass(frozen=True)
class Clips:
    """Features (examples, frames, size) and labels (examples,) of a split."""

    features: Shards | np.ndarray
    labels: np.ndarray
    taught: np.ndarray | None = None
    """(examples, classes), what teachers answer"""


def fit(
    model: KeywordModel,
    recipe: Recipe,
    training: Clips,
    validation: Clips,
    run: RunFolder,
    after_epoch: AfterEpoch | None = None,
    distribution: Distribution | None = None,
    tensorboard: bool = False,
) -> list[Epoch]:
    """Train through all phases, calibrating ranges after the first; gives the history.

    After each epoch a checkpoint is written; where one is there already, training goes on from it,
    to the weights that the unbroken run would have given. Where ``after_epoch`` ends it early, the
    model is left as it is then. With a ``distribution`` the chief alone calibrates, evaluates and
    writes, and tells the other workers.

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
    one = _Training(model, recipe, training, validation, run, after_epoch, distribution)
    return one.go(tensorboard)


@dataclass
class _Training:
    """A training under way."""

    model: KeywordModel
    recipe: Recipe
    training: Clips
    validation: Clips
    run: RunFolder
    after_epoch: AfterEpoch | None
    distribution: Distribution | None
    history: list[Epoch] = field(default_factory=list)
    stopped: bool = False
    log: EpochLog | None = None

    def __post_init__(self) -> None:
        recipe = self.recipe
        self.chief = self.distribution is None or self.distribution.chief
        self.steps = batches_per_epoch(recipe, len(self.training.labels))
        self.optimizer = make_optimizer(recipe, self.model)
        if self.steps * sum(phase.epochs for phase in phases(recipe)) < COMPILED_FROM:
            self.model.compiled = False
        steps = self.steps * recipe.train.epochs
        self.compression = Compression(recipe.compress, self.model, steps)

    def go(self, tensorboard: bool) -> list[Epoch]:
        """All phases, from the checkpoint on where there is one."""
        if self.chief:
            lines = restore(self.run.checkpoint, self.model, self.optimizer)
            self.history = [Epoch(**line) for line in lines]
            write_history(self.run.history, self.history)
        self._share()
        with ExitStack() as stack:
            if tensorboard and self.chief:
                log = EpochLog(self.run.path / "tensorboard", self.history)
                self.log = stack.enter_context(log)
            for phase in phases(self.recipe):
                self._phase(phase)
                if self.stopped:
                    return self.history
        self.compression.finish()
        self.model.fold()
        if self.recipe.quantize.mode == "calibrate":
            calibrate(self.model, self.recipe, self.training)
            self.model.set_mode("int8")
        return self.history

    def _phase(self, phase: Phase) -> None:
        if any(epoch.epoch >= phase.first_epoch + phase.epochs for epoch in self.history):
            return  # the checkpoint is of a later phase
        fresh = not of_phase(self.history, phase)
        if phase.name == "qat":
            self.model.fold()
        self.compression.start(phase.name, fresh)
        if phase.name == "qat" and self.chief and fresh:
            calibrate(self.model, self.recipe, self.training)
            reset(self.optimizer)
        self.model.set_mode("int8" if phase.name == "qat" else "float")
        if not is_over(self.history, phase, self.recipe.train.patience):
            self._share()
            self._epochs(phase)
        if self.chief and self.recipe.train.keep == "best" and not self.stopped:
            restore_weights(self.run.best(phase.name), self.model)

    def _share(self) -> None:
        """Give all workers the chief's weights, optimizer and history."""
        if self.distribution is None:
            return
        owners = {"model": self.model, "optimizer": self.optimizer}
        lines = [asdict(line) for line in self.history]
        lines = unpack(self.distribution.share(pack(owners, lines)), owners, "from the chief")
        self.history = [Epoch(**line) for line in lines]

    def _step(self) -> tuple[Callable, Callable]:
        """A training step, and the state to start from."""
        if self.distribution is not None:
            return self.distribution.train_step(self.model, self.optimizer, self.recipe)
        size = self.recipe.train.batch_size
        step = train_step(self.model, self.optimizer, self.recipe)
        return step, lambda: self.model.zero_state(size)

    def _evaluate(self, predict) -> float:
        found = b""
        if self.chief:
            right = accuracy(predict(self.validation.features), self.validation.labels)
            found = np.float64(right).tobytes()
        if self.distribution is not None:
            found = self.distribution.share(found)
        return float(np.frombuffer(found)[0])

    def _epochs(self, phase: Phase) -> None:
        step, zero_state = self._step()
        predict = recipe_predictor(self.model, self.recipe)
        done = len(of_phase(self.history, phase))
        total = (phase.epochs - done) * self.steps
        with (
            precision(self.model, self.recipe),
            progress(f"training ({phase.name})", total, "batches") as advance,
        ):
            for epoch in range(phase.first_epoch + done, phase.first_epoch + phase.epochs):
                start = time.monotonic()
                loss = self._epoch(phase, epoch, step, zero_state(), advance)
                right = self._evaluate(predict)
                seconds = round(time.monotonic() - start, 2)
                self._note(Epoch(phase.name, epoch, loss, right, seconds), phase)
                advance(0, f"epoch {epoch + 1}: validation {right:.2%}")
                if self.stopped or is_over(self.history, phase, self.recipe.train.patience):
                    return

    def _epoch(self, phase: Phase, epoch: int, step, state, advance: Advance) -> float:
        """Take all batches of an epoch; gives their mean loss."""
        recipe, training, first = self.recipe, self.training, (epoch - phase.first_epoch)
        rates = learning_rates(
            phase.learning_rate, phase.epochs * self.steps, first * self.steps, recipe.train
        )
        losses = []
        batches = training_batches(
            recipe, training.features, training.labels, epoch, training.taught
        )
        for at, (rate, batch) in enumerate(zip(rates, batches, strict=False)):
            self.optimizer.learning_rate.assign(rate)
            loss, state = step(*batch, state, tf.constant([recipe.seed, epoch * self.steps + at]))
            losses.append(loss)
            self.compression.after_step(epoch * self.steps + at)
            advance()
        return float(np.mean(losses))

    def _note(self, epoch: Epoch, phase: Phase) -> None:
        """Write down an epoch and the weights it gave."""
        self.history.append(epoch)
        if not self.chief:
            return
        if self.log is not None:
            self.log(epoch, float(self.optimizer.learning_rate))
        if self.recipe.train.keep == "best" and best_of(of_phase(self.history, phase)) is epoch:
            # Before the checkpoint: killed in between, the epoch is trained, and best, again.
            save_weights(self.run.best(phase.name), self.model)
        write_history(self.run.history, self.history)
        lines = [asdict(line) for line in self.history]
        save(self.run.checkpoint, self.model, self.optimizer, lines)
        if self.after_epoch is not None:
            self.stopped = self.after_epoch(epoch) and not all_over(self.history, self.recipe)


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


def save_model(model: KeywordModel, path: Path) -> None:
    """Write ``model.keras``, whole or not at all."""
    with whole(path) as temporary:
        model.save(temporary)

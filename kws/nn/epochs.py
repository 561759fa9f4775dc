"""Phases of a training and their epochs: when a phase ends, and which epoch was its best."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

from kws.errors import RunError
from kws.files import write_table
from kws.recipe import Recipe


@dataclass(frozen=True)
class Epoch:
    """One line of ``history.csv``."""

    phase: str
    epoch: int
    loss: float
    validation_accuracy: float
    seconds: float = field(default=0.0, compare=False)
    """How long it took: the one thing in which a resumed training differs from an unbroken one"""


AfterEpoch = Callable[[Epoch], bool]
"""Told of an epoch; True ends the training there."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training: ``float``, or ``qat`` with the quantization points on."""

    name: str
    epochs: int
    learning_rate: float
    first_epoch: int


def phases(recipe: Recipe) -> list[Phase]:
    """The phases that a recipe asks for."""
    train, quantize = recipe.train, recipe.quantize
    found = [Phase("float", train.epochs, train.learning_rate, 0)]
    if quantize.mode == "qat":
        found.append(Phase("qat", quantize.epochs, quantize.learning_rate, train.epochs))
    return found


def of_phase(history: Sequence[Epoch], phase: Phase) -> list[Epoch]:
    """The epochs of a phase."""
    return [epoch for epoch in history if epoch.phase == phase.name]


def best_of(epochs: Sequence[Epoch]) -> Epoch:
    """The epoch of the highest validation accuracy; of equal ones the first."""
    return max(epochs, key=lambda epoch: epoch.validation_accuracy)


def is_over(history: Sequence[Epoch], phase: Phase, patience: int | None) -> bool:
    """Whether a phase has had all its epochs, or no better one for as many as ``patience``."""
    done = of_phase(history, phase)
    if len(done) >= phase.epochs:
        return True
    return patience is not None and bool(done) and done[-1].epoch - best_of(done).epoch >= patience


def all_over(history: Sequence[Epoch], recipe: Recipe) -> bool:
    """Whether a training is complete."""
    return all(is_over(history, phase, recipe.train.patience) for phase in phases(recipe))


def write_history(path: Path, history: Sequence[Epoch]) -> None:
    """Write ``history.csv``."""
    write_table(path, [*Epoch.__dataclass_fields__], map(astuple, history))


def read_history(path: Path) -> list[Epoch]:
    """The epochs of a ``history.csv``; RunError where the file is damaged."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return [
                Epoch(
                    line["phase"],
                    int(line["epoch"]),
                    float(line["loss"]),
                    float(line["validation_accuracy"]),
                )
                for line in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise RunError(
            f"{path}: damaged ({type(error).__name__}: {error}); expected a phase, an epoch, a "
            "loss and a validation_accuracy in each line; train again into a new folder"
        ) from error


def accuracy_before_quantization(history: Sequence[Epoch], recipe: Recipe) -> float | None:
    """Validation accuracy, 0..1, of the float weights from which ``qat`` goes on; None without it.

    Those of the last float epoch, or of the best one, as ``train.keep`` says.
    """
    first, *later = phases(recipe)
    before = of_phase(history, first)
    if not later or not before:
        return None
    kept = best_of(before) if recipe.train.keep == "best" else before[-1]
    return kept.validation_accuracy

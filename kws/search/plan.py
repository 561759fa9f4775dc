"""What is searched for: candidates of one recipe, and the limits that they have to keep."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kws.errors import RecipeError
from kws.recipe import Recipe

Limit = Literal["bytes", "arena", "macs"]


@dataclass(frozen=True)
class Cost:
    """What a model takes on a device, as a stream that is handed its state."""

    file_bytes: int
    """Of ``model.tflite``, verified; see ``SLACK_BYTES`` in :mod:`kws.search.measure`"""
    macs_per_second: int
    """Multiply-accumulates a second of audio"""
    weights: int
    """Weights and biases"""
    arena_bytes: int | None = None
    """Of the smallest arena in which TFLM starts it; None where it was not measured"""


@dataclass(frozen=True)
class Budget:
    """What a device has; None where that does not matter.

    Raises
    ------
    RecipeError
        When a limit is not a number above 0.
    """

    max_bytes: float
    max_arena: float | None = None
    max_macs_per_second: float | None = None

    def __post_init__(self) -> None:
        for name, limit in vars(self).items():
            if limit is not None and not (math.isfinite(limit) and limit > 0):
                option = f"--{name.replace('_', '-')}"
                raise RecipeError(f"{option} {limit:g}: expected a number above 0, such as 24000")

    def broken(self, cost: Cost) -> tuple[Limit, float, float] | None:
        """The first limit that a cost does not keep: its name, what was found, what is allowed."""
        pairs: tuple[tuple[Limit, float | None, float | None], ...] = (
            ("bytes", cost.file_bytes, self.max_bytes),
            ("macs", cost.macs_per_second, self.max_macs_per_second),
            ("arena", cost.arena_bytes, self.max_arena),
        )
        for name, found, limit in pairs:
            if found is not None and limit is not None and found > limit:
                return name, found, limit
        return None

    def text(self) -> str:
        """The limits in a few words."""
        return ", ".join(self._parts())

    def _parts(self) -> Iterator[str]:
        yield f"{self.max_bytes:,.0f} bytes"
        if self.max_arena is not None:
            yield f"{self.max_arena:,.0f} bytes of arena"
        if self.max_macs_per_second is not None:
            yield f"{self.max_macs_per_second:,.0f} multiply-accumulates a second"


@dataclass(frozen=True)
class Plan:
    """A search: candidates made from ``recipe``, of which ``trials`` are trained.

    Raises
    ------
    RecipeError
        When there is nothing to train, or the recipe is not one of a stream of log-mel features
        through recurrent layers.
    """

    recipe: Recipe
    data: Path
    folder: Path
    budget: Budget
    trials: int

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise RecipeError(f"--trials {self.trials}: expected at least 1, such as 30")
        _check_searchable(self.recipe)


def _check_searchable(recipe: Recipe) -> None:
    model, problem = recipe.model, ""
    if recipe.train.strategy == "multi_worker":
        problem = "train.strategy is multi_worker, and the search trains on one machine"
    elif model.architecture != "recurrent":
        problem = f"model.architecture is {model.architecture}, whose layers are fixed"
    elif model.bidirectional:
        problem = "model.bidirectional is true, which makes no stream"
    elif model.pooling != "last":
        problem = f"model.pooling is {model.pooling}, which makes no stream"
    elif recipe.features.kind != "log_mel":
        problem = f"features.kind is {recipe.features.kind}"
    if problem:
        raise RecipeError(
            f"recipe {recipe.name}: {problem}; the search is among recurrent streams of log-mel "
            "features: give it a recipe of one, such as recipes/speech_commands_8/gru_stream.yaml"
        )

"""What a model costs on a device, known to the byte before it is trained."""

from dataclasses import replace
from itertools import count

from kws.recipe import Recipe
from kws.search.plan import Budget, Cost
from kws.tflite.arena import arena_bytes, smallest_arena
from kws.tflite.convert import convert
from kws.tflite.random_weights import random_weights
from kws.tflite.weights import ModelWeights, Ranges

LONGEST_FIGURES: dict[str, float | int] = {
    "validation_clips": 999_999,
    "validation_accuracy": 0.99999,
    "float_validation_accuracy": 0.99999,
    "agreement_with_float": 0.99999,
    "arena_bytes": 999_999,
    "arena_smallest_bytes": 999_999,
    "threshold_validation_accuracy": 0.99999,
    "unseen_clips": 999_999,
    "unseen_taken": 0.99999,
    "unseen_taken_at_threshold": 0.99999,
}
"""What verification adds to a file's metadata, each written as long as it can be."""
SLACK_BYTES = 256
"""A verified file is at most this much smaller than was measured here, and never larger: figures
may be shorter or missing, and of equal scales and zero points the file has one."""


def measure(recipe: Recipe, budget: Budget | None = None) -> Cost:
    """Build a recipe's file with random weights in it, and see what it costs.

    What the weights are is of no account: the same tensors and operators take the same bytes. With
    a ``budget`` the arena, which takes a second to find, is left out where the rest breaks a limit.

    Raises
    ------
    ModelError
        When the model cannot be a stream, or TFLM cannot run it.
    """
    per_channel = recipe.quantize.weights == "per_channel"
    labels = len(recipe.data.labels)
    weights = _spread(
        random_weights(recipe.model, labels, recipe.features.size, recipe.seed, per_channel)
    )
    built = convert(weights, recipe, "stream", figures=LONGEST_FIGURES)
    cost = Cost(len(built.data), built.metadata.macs_per_second, weights.count())
    if budget and budget.broken(cost):
        return cost
    return replace(cost, arena_bytes=smallest_arena(built.data, arena_bytes(built.data)))


def _spread(weights: ModelWeights) -> ModelWeights:
    """Make the ranges differ from each other, as measured ones do: none is stored twice."""
    turn = count(1)

    def apart(bounds: tuple[float, float]) -> tuple[float, float]:
        share = 1 + next(turn) / 50
        return (bounds[0] * share, bounds[1]) if bounds[0] else (0.0, bounds[1] * share)

    def all_apart(ranges: Ranges) -> Ranges:
        return {point: apart(bounds) for point, bounds in ranges.items()}

    return replace(
        weights,
        stem=tuple(
            tuple(replace(conv, ranges=all_apart(conv.ranges)) for conv in block)
            for block in weights.stem
        ),
        layers=tuple(
            tuple(replace(part, ranges=all_apart(part.ranges)) for part in layer)
            for layer in weights.layers
        ),
        logits_range=apart(weights.logits_range),
    )

"""The recipes among which the search looks."""

import json
import math
from typing import Any, Protocol

from kws.recipe import Recipe
from kws.recipe_io import parse_recipe

CELLS = ("gru", "lstm", "mingru", "rnn")
HOPS_MS = (10.0, 20.0)
_SUFFIX = "_winner"


class Choices(Protocol):
    """Where values come from: a trial of Optuna's, running or finished, or a plain dictionary."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int: ...

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


class Smallest:
    """Always the least value: what no other candidate is smaller than."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        del name, high, step
        return low

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        del name
        return choices[-1]


def candidate(recipe: Recipe, choices: Choices) -> Recipe:
    """The recipe with features, stem, cell and widths chosen; the rest is as it was.

    All candidates have the name that the winner will have, as it is stored in the file and counts.

    Raises
    ------
    RecipeError
        When what was chosen does not go together, such as a stem that leaves no bands.
    """
    values = json.loads(recipe.model_dump_json())
    values["name"] = recipe.name + _SUFFIX
    values["features"] |= {
        "mel_bands": choices.suggest_int("mel_bands", 20, 40, step=10),
        "hop_ms": choices.suggest_categorical("hop_ms", HOPS_MS),
    }
    layers = choices.suggest_int("layers", 1, 2)
    values["model"] |= {
        "cell": choices.suggest_categorical("cell", CELLS),
        "units": [_times_4(choices, f"units_{i}", 2, 64) for i in range(layers)],
        "stem": _stem(choices, values["features"]["mel_bands"]),
    }
    return parse_recipe(values, "candidate")


def _stem(choices: Choices, bands: int) -> list[dict[str, Any]]:
    """Up to three blocks; a kernel takes no more bands than are left below it.

    Nor is it ever shorter than its stride in time.
    """
    blocks = []
    for i in range(choices.suggest_int("stem_blocks", 0, 3)):
        name = f"stem_{i}"
        taps = min(choices.suggest_int(f"{name}_kernel_bands", 2, 6), bands)
        stride = choices.suggest_int(f"{name}_stride_bands", 1, 3)
        blocks.append(
            {
                "channels": _times_4(choices, f"{name}_channels", 1, 16),
                "kernel": [choices.suggest_int(f"{name}_kernel_frames", 2, 5), taps],
                "stride": [choices.suggest_int(f"{name}_stride_frames", 1, 2), stride],
            }
        )
        bands = (bands - taps) // stride + 1
    return blocks


def _times_4(choices: Choices, name: str, low: int, high: int) -> int:
    """Four times a number, drawn by its root: int8 kernels go by fours, and grow by the square.

    Drawn evenly nearly all would be too large for a small device, and by their logarithm too small
    to be any good.
    """
    first, last = math.ceil(2 * math.sqrt(low)), math.floor(2 * math.sqrt(high))
    return 4 * (choices.suggest_int(f"{name}_root", first, last) ** 2 // 4)


def key(recipe: Recipe) -> str:
    """What two equal candidates have in common."""
    return recipe.features.model_dump_json() + recipe.model.model_dump_json()


def stem_text(recipe: Recipe) -> str:
    """The stem in a few characters: ``16 3x5/2x2`` has 16 channels, taps and strides by frame."""
    blocks = [
        f"{block.channels} {block.kernel[0]}x{block.kernel[1]}/{block.stride[0]}x{block.stride[1]}"
        for block in recipe.model.stem
    ]
    return ", ".join(blocks)


def units_text(recipe: Recipe) -> str:
    """The layers' units, bottom up, such as ``48+32``."""
    return "+".join(map(str, recipe.model.units))

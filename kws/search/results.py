"""What a search has found: all it tried, the front of accuracy against bytes, the winner."""

import json
from dataclasses import dataclass
from pathlib import Path

from kws.files import write_table
from kws.recipe import Recipe
from kws.recipe_io import parse_recipe, write_recipe
from kws.search.plan import Cost
from kws.search.space import stem_text, units_text

TRAINED, STOPPED = "trained", "stopped early"
UNFIT = {
    "bytes": "too many bytes",
    "arena": "too large an arena",
    "macs": "too many multiply-accumulates",
}
"""By limit, what a candidate that breaks it is called"""
UNBUILT, REPEATED = "cannot be built", "tried before"


@dataclass(frozen=True)
class Tried:
    """One candidate."""

    number: int
    outcome: str
    """:data:`TRAINED`, :data:`STOPPED`, or why it was not trained at all"""
    reason: str = ""
    """The same with figures"""
    recipe: Recipe | None = None
    cost: Cost | None = None
    """As measured before training"""
    accuracy: float | None = None
    """On the validation split, after the last epoch"""
    epochs: int = 0
    unseen_taken: float | None = None
    """Share of clips of words never heard that it takes for a keyword, at the plain maximum of its
    posteriors; None where it was not trained to the end, or where there is no such clip"""

    @property
    def fits(self) -> bool:
        """Whether it was found worth training."""
        return self.outcome in (TRAINED, STOPPED)


def front(tried: list[Tried]) -> list[Tried]:
    """The trained candidates than which none is both smaller and better, by rising size."""
    best: list[Tried] = []
    for one in sorted(_trained(tried), key=lambda one: (_bytes(one), -_accuracy(one))):
        if not best or _accuracy(one) > _accuracy(best[-1]):
            best.append(one)
    return best


def winner(tried: list[Tried]) -> Tried | None:
    """The most accurate of the trained candidates, the smallest one of equals."""
    return front(tried)[-1] if _trained(tried) else None


def write_winner(best: Tried, recipe: Recipe, path: Path) -> None:
    """Write the winner as a recipe; its numbers of epochs are those of ``recipe``."""
    assert best.recipe is not None
    assert best.cost is not None
    values = json.loads(best.recipe.model_dump_json())
    unseen = "" if best.unseen_taken is None else f", {best.unseen_taken:.1%} of unseen words taken"
    values["description"] = (
        f"Found by tools/search.py from {recipe.name}: {_accuracy(best):.2%} after {best.epochs} "
        f"epochs{unseen}, {best.cost.file_bytes:,} bytes"
    )
    values["train"]["epochs"] = recipe.train.epochs
    values["quantize"]["epochs"] = recipe.quantize.epochs
    write_recipe(parse_recipe(values, str(path)), path)


def write_trials(tried: list[Tried], path: Path) -> None:
    """Write all candidates as a table (CSV), one a line."""
    write_table(path, [*_line(Tried(0, ""))], ([*_line(one).values()] for one in tried))


def _line(one: Tried) -> dict[str, object]:
    recipe, cost = one.recipe, one.cost
    return {
        "trial": one.number,
        "outcome": one.outcome,
        "validation_accuracy": one.accuracy,
        "unseen_taken": one.unseen_taken,
        "epochs": one.epochs,
        "file_bytes": cost and cost.file_bytes,
        "arena_bytes": cost and cost.arena_bytes,
        "macs_per_second": cost and cost.macs_per_second,
        "weights": cost and cost.weights,
        "cell": recipe and recipe.model.cell,
        "units": recipe and units_text(recipe),
        "stem": recipe and stem_text(recipe),
        "mel_bands": recipe and recipe.features.mel_bands,
        "hop_ms": recipe and recipe.features.hop_ms,
        "reason": one.reason,
    }


def _trained(tried: list[Tried]) -> list[Tried]:
    return [one for one in tried if one.outcome == TRAINED]


def _bytes(one: Tried) -> int:
    assert one.cost is not None
    return one.cost.file_bytes


def _accuracy(one: Tried) -> float:
    assert one.accuracy is not None
    return one.accuracy

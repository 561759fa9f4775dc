"""Search within a budget: python tools/search.py recipes/NAME.yaml --max-bytes N --trials N"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli import data_folder, run, speak_corpus

if TYPE_CHECKING:
    from kws.recipe import Recipe
    from kws.search.plan import Plan
    from kws.search.results import Tried

PER_PROCESS = 10
"""Candidates that one process trains"""


def main() -> None:
    """Read arguments, search, show the front, write the winner."""
    arguments = _parse()
    from kws.recipe_io import read_recipe
    from kws.search.plan import Budget, Plan

    budget = Budget(arguments.max_bytes, arguments.max_arena, arguments.max_macs_per_second)
    recipe = read_recipe(arguments.recipe, tuple(arguments.set))
    out = arguments.out or Path("runs") / f"search_{recipe.name}"
    data = data_folder(arguments.data, recipe, arguments.recipe)

    plan = Plan(recipe, data, out, budget, arguments.trials)
    speak_corpus(arguments.data, recipe, data)

    from kws.nn.candidate import train_candidate
    from kws.search.search import search

    try:
        found = search(plan, arguments.resume, train_candidate, _tell, PER_PROCESS)
    except KeyboardInterrupt:
        sys.stderr.write(f"{out}: all is kept; the same command with --resume goes on\n")
        raise
    if not found.over:
        _go_on()
    for message in found.bad:
        print(f"left out: {message}")
    _show(plan, found.tried, read_recipe(arguments.recipe))


def _go_on() -> None:
    """Begin anew in this process: TensorFlow never frees a compiled model, some 100 MB each."""
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), 2)
    os.execv(sys.executable, [sys.executable, __file__, *sys.argv[1:], "--resume"])


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Find the best streaming model within a device's budget: Optuna chooses cell, "
        "widths, stem and features; what does not fit is never trained."
    )
    parser.add_argument("recipe", type=Path, help="what to start from; all else stays as it says")
    parser.add_argument(
        "--max-bytes", type=float, required=True, metavar="N", help="of the verified int8 file"
    )
    parser.add_argument(
        "--max-arena", type=float, metavar="N", help="bytes in which TFLM starts the model"
    )
    parser.add_argument(
        "--max-macs-per-second", type=float, metavar="N", help="a second of audio, such as 2e6"
    )
    parser.add_argument(
        "--trials", type=int, default=30, metavar="N", help="candidates to train (default: 30)"
    )
    parser.add_argument("--data", type=Path, help="data folder (default: the recipe's data.folder)")
    parser.add_argument("--out", type=Path, help="folder (default: runs/search_RECIPE_NAME)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="such as train.epochs=10: the winner has the recipe's own numbers of epochs again",
    )
    parser.add_argument("--resume", action="store_true", help="go on with a search")
    return parser.parse_args()


def _tell(tried: "Tried") -> None:
    """A line for each training."""
    from kws.report.front import model_text

    cost = tried.cost
    assert cost is not None
    print(
        f"trial {tried.number}: {tried.accuracy:.2%} {tried.outcome}, {cost.file_bytes:,} bytes, "
        f"{model_text(tried)}",
        flush=True,
    )


def _show(plan: "Plan", tried: "list[Tried]", recipe: "Recipe") -> None:
    """Print and draw the front, write the winner with the epochs of ``recipe``."""
    from kws.report.front import plot_front, print_front, tally
    from kws.search.results import winner, write_winner

    print(f"{plan.recipe.name} within {plan.budget.text()}: {tally(tried)}")
    trained = sum(one.fits for one in tried)
    if trained < plan.trials:
        print(f"ended after {trained} of {plan.trials} trials: no new candidate fits any more")
    best = winner(tried)
    if best is None:
        return
    print_front(tried)
    picture, found = plan.folder / "front.png", plan.folder / "winner.yaml"
    plot_front(tried, plan.budget, f"{plan.recipe.name}: a dot for each candidate", picture)
    write_winner(best, recipe, found)
    print(
        f"candidates: {plan.folder / 'trials.csv'}\nfront: {picture}\nwinner: {found}\n"
        f"next: python tools/train.py {found} --data {plan.data}"
    )


if __name__ == "__main__":
    run(main)

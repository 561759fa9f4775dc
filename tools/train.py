"""Train a recipe: python tools/train.py recipes/NAME.yaml [--data DIR] [--out RUN] [--seeds N]"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cli import convert_and_report, data_folder, run, speak_corpus, train_and_tell

if TYPE_CHECKING:
    from kws.recipe import Recipe


def main() -> None:
    """Read arguments, train, say where everything lies."""
    arguments = _parse()
    from kws.recipe_io import read_recipe, with_negatives

    changes = list(arguments.set)
    if arguments.strategy:
        changes.append(f"train.strategy={arguments.strategy}")
    recipe = read_recipe(arguments.recipe, tuple(changes))
    if arguments.hard_negatives:
        recipe = with_negatives(recipe, arguments.hard_negatives)
    out = arguments.out or Path("runs") / recipe.name
    data = data_folder(arguments.data, recipe, arguments.recipe)
    speak_corpus(arguments.data, recipe, data)
    if arguments.seeds is None:
        train_and_tell(recipe, data, out, arguments.resume, arguments.tensorboard)
        if _writes(recipe):
            print(f"the run is in {out}; next: python tools/convert.py {out}")
        return

    from kws.report.seeds_table import print_seeds
    from kws.seeds import train_seeds

    def one(seeded: "Recipe", data: Path, folder: Path, resume: bool) -> None:
        train_and_tell(seeded, data, folder, resume, arguments.tensorboard)
        convert_and_report(data, folder)

    print_seeds(train_seeds(recipe, arguments.seeds, data, out, arguments.resume, one))
    print(f"figures: {out.with_name(f'{out.name}_seeds.json')}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the model that a recipe describes.")
    parser.add_argument("recipe", type=Path, help="recipe file, such as recipes/quickstart.yaml")
    parser.add_argument("--data", type=Path, help="data folder (default: the recipe's data.folder)")
    parser.add_argument("--out", type=Path, help="run folder (default: runs/RECIPE_NAME)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as train.epochs=2"
    )
    parser.add_argument(
        "--hard-negatives",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="sounds that a detector took for keywords and are none (mic_demo.py --save-triggers); "
        "added to the recipe's data.negatives",
    )
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="train N times, from the recipe's seed and those after it, into RUN_seed1 and so on; "
        "convert and verify each; print mean and standard deviation of all figures",
    )
    parser.add_argument(
        "--strategy",
        choices=("none", "mirrored", "multi_worker"),
        help="on all GPUs of this machine, or on the machines that TF_CONFIG names: there the "
        "same command runs on each (default: the recipe's train.strategy)",
    )
    parser.add_argument(
        "--tensorboard", action="store_true", help="write logs for TensorBoard to RUN/tensorboard"
    )
    return parser.parse_args()


def _writes(recipe: "Recipe") -> bool:
    """Whether this process writes the run folder; of several workers the chief does."""
    from kws.nn.strategies import this_worker

    return recipe.train.strategy != "multi_worker" or this_worker()[1]


if __name__ == "__main__":
    run(main)

"""Make a recipe's features ahead of training, here or on a Dask cluster."""

import argparse
from pathlib import Path

HELP = "make a recipe's features ahead of training, here or on a cluster"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("recipe", type=Path, help="recipe file")
    parser.add_argument("--data", type=Path, required=True, help="data folder or manifest")
    parser.add_argument(
        "--dir", type=Path, default=Path("runs/cache"), help="cache folder (default: runs/cache)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as augment.copies=2"
    )
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="of a Dask scheduler, such as tcp://10.0.0.1:8786; its workers must see the same "
        "folders and have this package",
    )


def main(arguments: argparse.Namespace) -> None:
    """Make the features of both splits that a training reads."""
    from kws.data.cache import load_examples
    from kws.data.manifest import TRAINING, VALIDATION
    from kws.recipe_io import read_recipe

    recipe = read_recipe(arguments.recipe, tuple(arguments.set))
    data, cache = arguments.data.resolve(), arguments.dir.resolve()
    for split in (TRAINING, VALIDATION):
        examples = load_examples(recipe, data, split, cache, arguments.dask)
        for message in examples.bad:
            print(f"left out: {message}")
        print(f"{split}: {len(examples.labels):,} examples in {arguments.dir / examples.key}")
    print(
        "python tools/train.py with the same recipe and data, into a run folder beside "
        f"{arguments.dir}, trains on them"
    )

"""Train a recipe: python tools/train.py recipes/NAME.yaml [--data DIR] [--out RUN]"""

import argparse
import time
from pathlib import Path

from cli import data_folder, run


def main() -> None:
    """Read arguments, train, say where everything lies."""
    parser = argparse.ArgumentParser(description="Train the model that a recipe describes.")
    parser.add_argument("recipe", type=Path, help="recipe file, such as recipes/quickstart.yaml")
    parser.add_argument("--data", type=Path, help="data folder (default: the recipe's data.folder)")
    parser.add_argument("--out", type=Path, help="run folder (default: runs/RECIPE_NAME)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as train.epochs=2"
    )
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    arguments = parser.parse_args()

    from kws.recipe_io import read_recipe

    recipe = read_recipe(arguments.recipe, tuple(arguments.set))
    out = arguments.out or Path("runs") / recipe.name
    data = data_folder(arguments.data, recipe, arguments.recipe)
    if recipe.data.synthetic and not arguments.data:
        from kws.data.synthetic import make_corpus

        make_corpus(recipe.data, recipe.features.sample_rate_hz, data, recipe.seed)

    from kws.nn.models import trainable_weights
    from kws.nn.train_recipe import train_recipe

    start = time.monotonic()
    model, history, bad = train_recipe(recipe, data, out, arguments.resume)
    minutes = (time.monotonic() - start) / 60
    for message in bad:
        print(f"left out: {message}")
    if bad:
        print(f"{len(bad)} clips could not be read and were left out")
    print(
        f"{recipe.name}: {trainable_weights(model):,} weights, {minutes:.1f} minutes, validation "
        f"accuracy {history[-1].validation_accuracy:.2%} ({history[-1].phase})"
    )
    print(f"the run is in {out}; next: python tools/convert.py {out}")


if __name__ == "__main__":
    run(main)

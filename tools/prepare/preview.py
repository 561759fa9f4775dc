"""Hear and see what augmentation does: one page with clips, clean and in augmented copies."""

import argparse
from pathlib import Path

from cli import data_folder

HELP = "hear and see what augmentation does"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="recipe file")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="data folder (default: the recipe's data.folder)"
    )
    parser.add_argument(
        "--clips", type=_count, default=2, metavar="N", help="clips of each label (default: 2)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("preview.html"),
        metavar="PAGE",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="such as augment.room_probability=1",
    )


def main(arguments: argparse.Namespace) -> None:
    """Vary some clips, write the page, say what is on it."""
    from kws.recipe_io import read_recipe

    recipe = read_recipe(arguments.recipe, tuple(arguments.set))
    data = data_folder(arguments.data, recipe, arguments.recipe)
    from kws.data.spoken import SPOKEN, speak
    from kws.report.preview_page import make_preview, write_preview

    spoken = speak(recipe, Path("runs") / SPOKEN)
    examples, bad = make_preview(recipe, data, arguments.clips, spoken)
    write_preview(arguments.out, recipe, examples)
    for message in bad:
        print(f"left out: {message}")
    copies = sum(bool(sound.log) for example in examples for sound in example.sounds)
    print(
        f"{arguments.out}: {len(examples)} clips of {len(recipe.data.labels)} labels in {copies} "
        f"augmented copies, {arguments.out.stat().st_size / 1e6:.1f} MB; open it in a browser"
    )


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number from 1 to 100")
    return int(text)

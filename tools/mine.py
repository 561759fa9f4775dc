"""Train on what the model at hand takes for keywords, again and again, until it is quiet enough."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cli import convert_and_report, data_folder, run, speak_corpus, train_and_tell

if TYPE_CHECKING:
    from kws.audio.annotation import Recording
    from kws.recipe import Recipe
    from kws.rounds import Round


def main() -> None:
    """Read the arguments, train round after round, tell each."""
    arguments = _parse()
    from kws.recipe_io import read_recipe

    recipe = read_recipe(arguments.recipe, tuple(arguments.set))
    data = data_folder(arguments.data, recipe, arguments.recipe)
    speak_corpus(arguments.data, recipe, data)
    out = arguments.out or Path("runs") / recipe.name
    from kws.rounds import Listening, train_rounds
    from kws.spotting.rules import name_all

    listening = Listening(
        _recordings(arguments.talk, False),
        _recordings(arguments.held_out, False),
        name_all(_recordings(arguments.stream, True), recipe.data.keywords),
    )
    wanted = arguments.false_accepts_per_hour

    def one(recipe: "Recipe", data: Path, folder: Path, resume: bool) -> None:
        train_and_tell(recipe, data, folder, resume)
        convert_and_report(data, folder)

    rounds = train_rounds(
        recipe, data, out, listening, wanted, arguments.rounds, arguments.resume, one, _tell
    )
    last = rounds[-1]
    if (last.talk.per_hour or 0.0) <= wanted:
        print(f"{last.run}: at most {wanted:g} false accepts an hour in the talk it was mined in")
    else:
        print(
            f"{last.run}: still more than {wanted:g} false accepts an hour; give more rounds (with "
            "--resume), more talk, or a higher decoder.threshold"
        )
    print(f"figures: {out.with_name(f'{out.name}_rounds.json')}")


def _tell(found: "Round") -> None:
    from kws.report.stream_tables import rate_text, share_text

    parts = [f"{rate_text(found.talk)} false accepts an hour in the talk"]
    if found.held_out:
        parts.append(f"{rate_text(found.held_out)} in talk held out")
    if found.missed:
        parts.append(f"missed {share_text(found.missed)}")
    print(f"{found.run}: {found.taught} mined sounds; {'; '.join(parts)}")


def _recordings(places: list[Path], words_beside: bool) -> "list[Recording]":
    from kws.data.recordings import read_recordings

    return [one for place in places for one in read_recordings(place, words_beside)]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="recipe file")
    parser.add_argument("--data", type=Path, help="data folder (default: the recipe's data.folder)")
    parser.add_argument(
        "--talk",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="recordings without any keyword, to listen to and to train on",
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="others without any keyword, listened to and never trained on",
    )
    parser.add_argument(
        "--stream",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="recordings with keywords and label files beside them, to tell what is missed",
    )
    parser.add_argument(
        "--false-accepts-per-hour",
        type=float,
        default=1.0,
        metavar="RATE",
        help="in the talk, at the recipe's thresholds; enough to stop at (default: 1)",
    )
    parser.add_argument(
        "--rounds", type=int, default=4, metavar="N", help="most trainings (default: 4)"
    )
    parser.add_argument("--out", type=Path, help="run folders: OUT_round1 ... (default: runs/NAME)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as train.epochs=40"
    )
    parser.add_argument("--resume", action="store_true", help="go on with rounds that were stopped")
    arguments = parser.parse_args()
    if not arguments.false_accepts_per_hour > 0:
        parser.error("--false-accepts-per-hour: expected more than 0")
    return arguments


if __name__ == "__main__":
    run(main)

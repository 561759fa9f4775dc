"""Make long recordings to test a detector on: words of a corpus in noise, babble or speech.

Each recording has its words and their times beside it (an Audacity label track); recordings.csv
tells how each was made. Then: python tools/evaluate.py MODEL.tflite --stream DIR
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kws.data.scene_order import Made

HELP = "make long recordings of words in noise, babble or speech"
_SHOWN = 5


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", type=Path, metavar="DIR", help="clips: a folder, or a manifest")
    parser.add_argument("--keywords", nargs="+", required=True, metavar="WORD")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    parser.add_argument(
        "--split", choices=("training", "validation", "testing", "all"), default="validation"
    )
    parser.add_argument(
        "--takes", type=int, default=12, metavar="N", help="clips a keyword (default 12)"
    )
    parser.add_argument(
        "--others",
        type=int,
        metavar="N",
        help="clips of other words (default: as many as of all keywords)",
    )
    parser.add_argument(
        "--background", nargs="+", choices=("noise", "babble", "speech"), default=["noise"]
    )
    parser.add_argument(
        "--speech", type=Path, metavar="DIR", help="recordings without keywords, for speech"
    )
    parser.add_argument(
        "--snr-db", nargs="+", type=float, default=[20.0, 10.0, 5.0, 0.0], metavar="DB"
    )
    parser.add_argument("--gain-db", nargs="+", type=float, default=[0.0], metavar="DB")
    parser.add_argument("--rate-hz", type=int, default=16000, metavar="HZ")
    parser.add_argument("--seed", type=int, default=1)


def main(arguments: argparse.Namespace) -> None:
    """Make them, and show what there is."""
    from kws.data.scene_order import SceneOrder, make_scenes
    from kws.data.scenes import Scene

    scenes = tuple(
        Scene(background, snr_db, gain_db)
        for background in arguments.background
        for snr_db in arguments.snr_db
        for gain_db in arguments.gain_db
    )
    order = SceneOrder(
        data=arguments.data,
        keywords=tuple(arguments.keywords),
        scenes=scenes,
        split=arguments.split,
        takes=arguments.takes,
        others=arguments.others,
        speech=arguments.speech,
        seed=arguments.seed,
        sample_rate_hz=arguments.rate_hz,
    )
    _show(make_scenes(order, arguments.out), arguments.out)


def _show(made: "Made", out: Path) -> None:
    for name, seconds in made.seconds.items():
        print(f"{out / name}.wav: {seconds / 60:.1f} min")
    print("in each: " + ", ".join(f"{label} {count}" for label, count in made.words.items()))
    if made.noise:
        print(made.noise)
    if made.left_out:
        print(f"{len(made.left_out)} clips left out:")
        for message in made.left_out[:_SHOWN]:
            print(f"  {message}")
        if len(made.left_out) > _SHOWN:
            print("  ...")

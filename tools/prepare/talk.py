"""Let voices talk on and on without some words, to measure a detector's false accepts.

The voices of one split speak sentences of random common words, into recordings of some minutes.
Cut short, the same command goes on after the last that was written.
Then: python tools/evaluate.py MODEL.tflite --stream SCENES --negatives DIR
"""

import argparse
from pathlib import Path

from prepare.whose_voices import add_voices, chosen_voices

HELP = "make hours of talk without keywords, to count false accepts in"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--without", nargs="+", required=True, metavar="WORD", help="keywords: never said"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    parser.add_argument(
        "--sentences", type=int, default=1000, metavar="N", help="default 1000: about an hour"
    )
    parser.add_argument(
        "--split",
        choices=("training", "validation", "testing"),
        default="testing",
        help="whose voices; recipes train on the first two (default: testing)",
    )
    add_voices(parser)
    parser.add_argument("--seed", type=int, default=1)


def main(arguments: argparse.Namespace) -> None:
    """Speak, and tell how long."""
    from kws.data.talk import write_talk

    voices = chosen_voices(arguments)
    cast = [voice for voice in voices if voice.split == arguments.split]
    made = write_talk(arguments.out, arguments.sentences, arguments.without, cast, arguments.seed)
    minutes = sum(one.seconds for one in made) / 60
    print(f"{arguments.out}: {len(made)} recordings, {minutes:.1f} minutes, {len(cast)} voices")

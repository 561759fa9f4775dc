"""Mix a wake word, speech and noise as Picovoice's wake-word benchmark does.

Takes that benchmark's files (audio/KEYWORD, LibriSpeech's test-clean, DEMAND). Then:
python tools/evaluate.py MODEL.tflite --stream DIR --rules picovoice
"""

import argparse
from pathlib import Path

HELP = "mix a wake word, speech and noise as Picovoice's benchmark does"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("keyword", metavar="KEYWORD", help="as the model calls it")
    for name, what in (
        ("takes", "recordings of the keyword"),
        ("speech", "utterances; those with the keyword in their transcript are left out"),
        ("noise", "noise"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="DIR", help=what)
    parser.add_argument("--hours", type=float, default=24.0, help="default: 24")
    parser.add_argument("--snr-db", type=float, default=10.0, metavar="DB", help="default: 10")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")


def main(arguments: argparse.Namespace) -> None:
    """Mix them."""
    from kws.data.wake_mix import MixOrder, make_mix
    from kws.errors import DataError

    if not 0 < arguments.hours <= 1000:
        raise DataError(f"--hours {arguments.hours:g}: expected more than 0, at most 1000")
    order = MixOrder(
        keyword=arguments.keyword,
        takes=arguments.takes,
        speech=arguments.speech,
        noise=arguments.noise,
        hours=arguments.hours,
        snr_db=arguments.snr_db,
        seed=arguments.seed,
    )
    for path, seconds in make_mix(order, arguments.out):
        print(f"{path}: {seconds / 60:.1f} min")

"""Score a model: on a folder of clips, or on long recordings as a detector that runs on and on."""

import argparse
from pathlib import Path

from cli import run


def main() -> None:
    """Read the arguments and hand them on."""
    arguments = _parse()
    if arguments.data:
        from evaluation.clips import evaluate_clips

        evaluate_clips(arguments)
    else:
        from evaluation.stream import evaluate_stream

        evaluate_stream(arguments)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL.tflite")
    parser.add_argument(
        "--engine", choices=("litert", "tflm"), default="litert", help="default: litert"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything there")
    clips = parser.add_argument_group("clips: accuracy, confusion, words never heard")
    clips.add_argument(
        "--data", type=Path, metavar="DIR", help="folder with one folder a word, or a manifest"
    )
    clips.add_argument(
        "--split",
        choices=("training", "validation", "testing", "all"),
        help="by the clips' file names; all takes every clip (default: validation)",
    )
    stream = parser.add_argument_group("long recordings: misses, false accepts per hour")
    stream.add_argument(
        "--stream",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="recordings with label files beside them (see prepare_data.py scenes)",
    )
    stream.add_argument(
        "--negatives",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="recordings without any keyword",
    )
    stream.add_argument(
        "--late-s",
        type=float,
        default=0.75,
        metavar="S",
        help="a detection hits until this long after the word's end (default: 0.75)",
    )
    stream.add_argument(
        "--rules",
        choices=("mlperf", "picovoice"),
        help="count as this benchmark does (see prepare_data.py long-wav, wake-mix)",
    )
    stream.add_argument(
        "--false-accepts-per-hour",
        type=float,
        metavar="RATE",
        help="choose a threshold a keyword for this rate, on these recordings",
    )
    stream.add_argument(
        "--write", action="store_true", help="write the chosen thresholds into MODEL.tflite"
    )
    stream.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="misses against false accepts per hour"
    )
    stream.add_argument(
        "--save-false-accepts",
        type=Path,
        metavar="DIR",
        help="keep their sound, and that of near misses, for train.py --hard-negatives DIR",
    )
    arguments = parser.parse_args()
    streamed = arguments.stream or arguments.negatives
    if bool(arguments.data) == bool(streamed):
        parser.error("give either clips, --data DIR, or recordings, --stream DIR, --negatives DIR")
    if arguments.data and (arguments.false_accepts_per_hour or arguments.plot):
        parser.error("--false-accepts-per-hour and --plot are for recordings, --stream DIR")
    if arguments.rules and not arguments.stream:
        parser.error("--rules needs recordings with keywords, --stream DIR")
    if arguments.data and arguments.save_false_accepts:
        parser.error("--save-false-accepts is for recordings, --stream DIR or --negatives DIR")
    if arguments.split and not arguments.data:
        parser.error("--split is for clips, --data DIR")
    if arguments.false_accepts_per_hour is not None and not arguments.stream:
        parser.error("--false-accepts-per-hour needs recordings with keywords, --stream DIR")
    if arguments.false_accepts_per_hour is not None and not arguments.false_accepts_per_hour > 0:
        parser.error("--false-accepts-per-hour: expected more than 0")
    if arguments.write and arguments.false_accepts_per_hour is None:
        parser.error("--write needs --false-accepts-per-hour RATE, which chooses the thresholds")
    arguments.split = arguments.split or "validation"
    return arguments


if __name__ == "__main__":
    run(main)

"""Build the recording of MLPerf Tiny's streaming wake-word benchmark from its specification.

Takes that benchmark's files: long_wav_spec.json, Speech Commands v0.02 and MUSAN. Then:
python tools/evaluate.py MODEL.tflite --stream DIR --rules mlperf
"""

import argparse
from pathlib import Path

HELP = "build the recording of MLPerf Tiny's wake-word benchmark"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("spec", type=Path, metavar="SPEC.json")
    parser.add_argument("--speech-commands", type=Path, required=True, metavar="DIR")
    parser.add_argument("--musan", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--keyword", default="marvin", help="as the model calls it; default: marvin"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")


def main(arguments: argparse.Namespace) -> None:
    """Build it."""
    from kws.data.long_wav import build_long_wav, read_spec

    spec = read_spec(arguments.spec)
    roots = {"speech_commands_path": arguments.speech_commands, "musan_path": arguments.musan}
    path, words = build_long_wav(spec, arguments.keyword, roots, arguments.out)
    print(f"{path}: {spec.length_sec / 60:.1f} min, {len(words)} times {arguments.keyword}")

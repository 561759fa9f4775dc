"""Write a model as C: for TFLM (an array, constants, operators, arena size), or without library."""

import argparse
from pathlib import Path

from cli import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL.tflite")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="new or empty folder"
    )
    parser.add_argument(
        "--engine",
        choices=("tflm", "c"),
        default="tflm",
        help="tflm: for TensorFlow Lite for Microcontrollers; c: features, model and decoder as "
        "C99 that needs no library (default: tflm)",
    )
    arguments = parser.parse_args()
    from kws.firmware.export import export

    for path in export(arguments.model, arguments.out, arguments.engine):
        print(f"{path}  {path.stat().st_size} bytes")


if __name__ == "__main__":
    run(main)

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
    parser.add_argument(
        "--arithmetic",
        choices=("float", "fixed"),
        default="float",
        help="of the C engine's features: fixed for processors without FPU (default: float)",
    )
    arguments = parser.parse_args()
    if arguments.arithmetic == "fixed" and arguments.engine != "c":
        parser.error("--arithmetic fixed is for --engine c")
    from kws.firmware.export import export

    for path in export(arguments.model, arguments.out, arguments.engine, arguments.arithmetic):
        print(f"{path}  {path.stat().st_size} bytes")


if __name__ == "__main__":
    run(main)

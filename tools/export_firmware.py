"""Write a model as C: an aligned array with its labels, constants, operators and arena size."""

import argparse
from pathlib import Path

from cli import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL.tflite")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="new or empty folder"
    )
    arguments = parser.parse_args()
    from kws.firmware.export import export

    for path in export(arguments.model, arguments.out):
        print(f"{path}  {path.stat().st_size} bytes")


if __name__ == "__main__":
    run(main)

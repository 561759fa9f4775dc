"""Write a model as firmware: features, model and decoder in C, with TFLM or without any library."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli import run

if TYPE_CHECKING:
    from kws.firmware.profile import Profile

NOT_ESPHOME = (
    "cannot go into ESPHome: its micro_wake_word computes features of its own (40 channels every "
    "10 ms, with noise suppression and gain control), which this model was not trained on; take "
    "--engine c --target esp-idf"
)


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
        help="what runs the model, between features and decoder in C99: TensorFlow Lite for "
        "Microcontrollers, or C99 too, without any library (default: tflm)",
    )
    parser.add_argument(
        "--arithmetic",
        choices=("float", "fixed"),
        default="float",
        help="of the features: fixed for processors without FPU (default: float)",
    )
    parser.add_argument(
        "--target",
        choices=("generic", "arduino", "esp-idf", "zephyr", "esphome"),
        default="generic",
        help="the platform whose build takes the package as it is (default: generic)",
    )
    arguments = parser.parse_args()
    from kws.errors import ModelError
    from kws.firmware.export import export

    if arguments.target == "esphome":
        raise ModelError(f"{arguments.model}: {NOT_ESPHOME}")
    kind = (arguments.engine, arguments.arithmetic, arguments.target)
    profiles = _profiles(arguments.model, arguments.arithmetic) if arguments.engine == "c" else []
    for path in export(arguments.model, arguments.out, *kind, profiles):
        print(f"{path}  {path.stat().st_size} bytes")


def _profiles(model: Path, arithmetic: str) -> "list[Profile]":
    """What it takes on processors, for the package's README, where they can be emulated."""
    from kws.firmware.emulated import BoardTooSmall, missing_tools, profile

    if problem := missing_tools():
        print(f"README.md has no cycles and no flash by part: {problem}", file=sys.stderr)
        return []
    found = []
    for cpu in ("cortex-m0", "cortex-m3") if arithmetic == "fixed" else ("cortex-m4",):
        try:
            found.append(profile(model, cpu=cpu))
        except BoardTooSmall as error:
            print(f"README.md has nothing on a {cpu}: {error}", file=sys.stderr)
    return found


if __name__ == "__main__":
    run(main)

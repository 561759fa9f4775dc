"""Convert and verify a trained run: python tools/convert.py RUN [--form stream|window]"""

import argparse
from pathlib import Path

from cli import run


def main() -> None:
    """Read arguments, convert, verify, print the table."""
    parser = argparse.ArgumentParser(
        description="Turn a trained run into a self-describing int8 .tflite and prove it in TFLM."
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder of tools/train.py")
    parser.add_argument(
        "--form",
        choices=("stream", "window"),
        help="one step a call, or a whole window a call (default: stream, where it can be)",
    )
    parser.add_argument(
        "--state",
        choices=("explicit", "internal"),
        default="explicit",
        help="of a stream: as inputs and outputs (default), or kept inside the model",
    )
    parser.add_argument(
        "--compressed",
        action="store_true",
        help="besides, for TFLM alone: the kernels that compress.cluster or prune made, encoded",
    )
    parser.add_argument("--out", type=Path, help="model file (default: RUN/model.tflite)")
    parser.add_argument("--data", type=Path, help="data folder, if it has moved since the training")
    arguments = parser.parse_args()

    from kws.run import open_run

    folder, recipe, facts = open_run(arguments.run)
    form = arguments.form or ("window" if recipe.model.window_only else "stream")

    from kws.report.html import report_run
    from kws.report.tables import print_verification
    from kws.tflite.convert_run import convert_run

    data = arguments.data or Path(facts["data"])
    out = arguments.out or folder.tflite
    metadata, verification, compressed = convert_run(
        folder, recipe, data, form, arguments.state, out, arguments.compressed
    )
    print_verification(metadata, verification)
    if compressed:
        print(
            f"{compressed.file}: {compressed.file_bytes:,} bytes, {compressed.deflated_bytes:,} "
            f"deflated (plain: {compressed.plain_file_bytes:,} and "
            f"{compressed.plain_deflated_bytes:,}); {compressed.clips:,} clips answered alike; "
            f"arena {compressed.arena_smallest_bytes:,} bytes to start"
        )
    print(f"model: {out}\nreport: {report_run(folder, out, data)}")


if __name__ == "__main__":
    run(main)

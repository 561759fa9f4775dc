"""Put a trained model into the box: python tools/publish.py RUN recipes/FOLDER/NAME"""

import argparse
from pathlib import Path

from cli import run


def main() -> None:
    """Read arguments, publish, say what lies where."""
    parser = argparse.ArgumentParser(
        description="Put a verified model beside its recipe, with a model card and golden features."
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder, converted and verified")
    parser.add_argument(
        "folder", type=Path, help="such as recipes/speech_commands_8/NAME, of the recipe NAME.yaml"
    )
    parser.add_argument("--data", type=Path, help="data folder, if it has moved since the training")
    parser.add_argument(
        "--data-name",
        default="",
        metavar="TEXT",
        help="whose clips they are, for the card: such as 'Name of the data set (author, year)'",
    )
    parser.add_argument(
        "--running",
        type=Path,
        metavar="FILE.json",
        help="its figures in running sound, by evaluate.py --stream DIR --json FILE.json",
    )
    arguments = parser.parse_args()

    from kws.report.publish import publish

    out = publish(
        arguments.run, arguments.folder, arguments.data, arguments.data_name, arguments.running
    )
    for path in (out.model, out.card, out.golden):
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    run(main)

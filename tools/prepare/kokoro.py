"""Fetch Kokoro's neural voices, for ``say`` and ``talk`` with ``--voices kokoro``.

A model and 54 voices, 120 MB. They need onnxruntime: pip install -r requirements-kokoro.txt
"""

import argparse
from pathlib import Path

HELP = "fetch Kokoro's neural voices, for say and talk"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--out", type=Path, default=Path("kokoro"), metavar="DIR", help="default: kokoro"
    )


def main(arguments: argparse.Namespace) -> None:
    """Fetch what is not there, and say how to use it."""
    from kws.data.kokoro_files import get_kokoro

    count = get_kokoro(arguments.out)
    print(
        f"{arguments.out}: Kokoro and {count} voices; next: python tools/prepare_data.py say "
        f"--voices kokoro --kokoro {arguments.out} --keywords WORD --out said"
    )

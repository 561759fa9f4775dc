"""The voices that the command line names: espeak-ng's, Piper's or Kokoro's."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kws.data.voices import Voice

OPTIONS = {"piper": "--piper-model", "kokoro": "--kokoro"}
"""What each synthesizer but espeak-ng needs"""


def add_voices(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--voices", choices=("espeak", *OPTIONS), default="espeak")
    parser.add_argument(
        "--languages",
        nargs="+",
        default=[],
        metavar="LANGUAGE",
        help="by whose rules they read: espeak-ng's languages, such as en-us de (default: accents "
        "of English)",
    )
    parser.add_argument(
        "--piper-model",
        nargs="+",
        action="extend",
        type=Path,
        default=[],
        metavar="FILE.onnx",
        help="Piper's voices, FILE.onnx.json beside each",
    )
    parser.add_argument(
        "--kokoro",
        type=Path,
        metavar="DIR",
        help="Kokoro's voices: what `prepare_data.py kokoro` has fetched",
    )


def chosen_voices(arguments: argparse.Namespace) -> list["Voice"]:
    """Give the voices.

    Raises
    ------
    DataError
        When options contradict each other, or the voices cannot be had.
    """
    from kws.data.voices import espeak_voices, piper_voices
    from kws.errors import DataError

    given = {"piper": arguments.piper_model, "kokoro": arguments.kokoro}
    for name, option in OPTIONS.items():
        if given[name] and arguments.voices != name:
            raise DataError(
                f"{option} is given, but the voices are {arguments.voices}: add --voices {name}"
            )
    if arguments.voices == "piper":
        if arguments.languages:
            raise DataError(
                "--languages is for other voices: one of Piper's has its own language; leave it out"
            )
        return piper_voices(arguments.piper_model)
    if arguments.voices == "kokoro":
        from kws.data.kokoro_voices import kokoro_voices

        if arguments.kokoro is None:
            raise DataError("--voices kokoro needs --kokoro DIR; prepare_data.py kokoro fetches it")
        return kokoro_voices(arguments.kokoro, arguments.languages, arguments.seed)
    return espeak_voices(arguments.languages, arguments.seed)

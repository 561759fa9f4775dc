"""Keyword spotting for microcontrollers: recurrent models from a recipe to proven int8 TFLite.

>>> import kws
>>> model = kws.load("model.tflite")
>>> for detection in model.spot("audio.wav"): print(detection)
"""

from os import PathLike
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kws.spotting.model import Model

__version__ = "0.1.0"


def load(path: str | PathLike[str], engine: Literal["litert", "tflm"] = "litert") -> "Model":
    """Open a model file, to spot keywords in files, in blocks of audio or at a microphone.

    Parameters
    ----------
    path : a ``model.tflite`` that this toolkit wrote; it says itself what it hears.
    engine : LiteRT, or TFLM, the microcontrollers' interpreter (Linux on x86-64).

    Raises
    ------
    ModelError
        When the file is missing, damaged, not this toolkit's, or cannot be run.
    """
    from kws.spotting.model import Model

    return Model(path, engine)

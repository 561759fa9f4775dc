"""espeak-ng's C interface: its functions, its events, and where the PyPI wheel has its files."""

import ctypes
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kws.errors import DataError

_SYNCHRONOUS, _DONT_EXIT = 2, 0x8000  # values of espeak-ng's speak_lib.h


class EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", EventId),
    )


Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(Event))

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "espeak_Initialize": (
        ctypes.c_int,
        (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int),
    ),
    "espeak_Info": (ctypes.c_char_p, (ctypes.POINTER(ctypes.c_char_p),)),
    "espeak_SetSynthCallback": (None, (Callback,)),
    "espeak_SetVoiceByName": (ctypes.c_int, (ctypes.c_char_p,)),
    "espeak_SetParameter": (ctypes.c_int, (ctypes.c_int, ctypes.c_int, ctypes.c_int)),
    "espeak_Synth": (
        ctypes.c_int,
        (
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint),
            *(ctypes.c_uint, ctypes.POINTER(ctypes.c_uint), ctypes.c_void_p),
        ),
    ),
    "espeak_Synchronize": (ctypes.c_int, ()),
    "espeak_TextToPhonemes": (
        ctypes.c_char_p,
        (ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int),
    ),
    "espeak_Terminate": (ctypes.c_int, ()),
    "espeak_ng_SetRandSeed": (ctypes.c_int, (ctypes.c_long,)),
}


def load(links: ExitStack) -> tuple[ctypes.CDLL, int, Path]:
    """Load the library and start it.

    Parameters
    ----------
    links : closed once the library is no longer used.

    Returns
    -------
    The library, the rate of its sound in Hz, and its folder of voices.

    Raises
    ------
    DataError
        When the library is missing or does not start.
    """
    path, data = _find()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise DataError(f"{path}: espeak-ng cannot be loaded ({error})") from error
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    short = str(_short(data, links)).encode()
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, short, _DONT_EXIT)
    if rate_hz <= 0:
        raise DataError(f"{data}: espeak-ng cannot use this; install espeakng-loader again")
    return library, rate_hz, data


def _find() -> tuple[Path, Path]:
    """The library, and its folder of voices."""
    try:
        import espeakng_loader

        return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())
    except (ImportError, RuntimeError) as error:
        raise DataError(
            "the demonstration corpus is spoken by espeak-ng, which is not installed; "
            "run `pip install espeakng-loader`, or give recordings with --data"
        ) from error


def _short(data: Path, links: ExitStack) -> Path:
    """A path to ``data`` that fits espeak-ng's buffers (160 bytes, names below it included)."""
    if len(str(data).encode()) <= 100:
        return data
    link = Path(links.enter_context(tempfile.TemporaryDirectory(prefix="kws_"))) / "data"
    link.symlink_to(data, target_is_directory=True)
    return link

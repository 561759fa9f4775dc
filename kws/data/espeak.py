"""Speech from espeak-ng, with the time of every word, through the library in a PyPI wheel."""

import _ctypes
import ctypes
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from kws.errors import DataError
from kws.recipe import nearest

FASTEST_WPM = 450

# Values of espeak-ng's speak_lib.h.
_SYNCHRONOUS, _DONT_EXIT, _UTF8, _CHARACTERS = 2, 0x8000, 1, 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_LIST_END, _WORD = 0, 1
_QUIET = 30  # of 100: at the default volume some variants clip


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "espeak_Initialize": (
        ctypes.c_int,
        (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int),
    ),
    "espeak_Info": (ctypes.c_char_p, (ctypes.POINTER(ctypes.c_char_p),)),
    "espeak_SetSynthCallback": (None, (_Callback,)),
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
    "espeak_Terminate": (ctypes.c_int, ()),
    "espeak_ng_SetRandSeed": (ctypes.c_int, (ctypes.c_long,)),
}


@dataclass(frozen=True)
class WordTime:
    """A word (or several that espeak-ng runs together, as "on the") and the samples it takes."""

    text: str
    position: int
    """Index of its first character in the text."""
    start: int
    end: int


@dataclass(frozen=True)
class Speech:
    """What was said: float32 mono audio, its rate, and when each word was said."""

    audio: np.ndarray
    sample_rate_hz: int
    words: tuple[WordTime, ...]


class Espeak:
    """A freshly loaded espeak-ng, in a ``with`` block, one at a time in a process.

    espeak-ng keeps its state (flutter, noise) in globals that nothing resets. The library is
    therefore loaded anew for each block: the same calls in a block give the same samples, whatever
    was said before.

    Raises
    ------
    DataError
        When the library is missing or does not start.
    """

    _in_use = False

    def __enter__(self) -> Self:
        assert not Espeak._in_use, "espeak-ng has one global state: one block at a time"
        library, data = _find()
        self._variants = sorted(path.name for path in (data / "voices/!v").iterdir())
        try:
            self._library = ctypes.CDLL(str(library))
        except OSError as error:
            raise DataError(f"{library}: espeak-ng cannot be loaded ({error})") from error
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
        self._links = ExitStack()
        path = str(_short(data, self._links)).encode()
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, path, _DONT_EXIT)
        if self._rate <= 0:
            self._links.close()
            raise DataError(f"{data}: espeak-ng cannot use this; install espeakng-loader again")
        self._pcm: list[bytes] = []
        self._marks: list[tuple[int, int]] = []
        self._callback = _Callback(self._collect)  # kept: espeak-ng holds only a pointer to it
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ng_SetRandSeed(1)
        Espeak._in_use = True
        return self

    def __exit__(self, *_: object) -> None:
        self._library.espeak_Terminate()
        unload = getattr(_ctypes, "dlclose", None) or _ctypes.FreeLibrary  # type: ignore[attr-defined]
        unload(self._library._handle)
        self._links.close()
        Espeak._in_use = False

    @property
    def version(self) -> str:
        """espeak-ng's version, such as ``1.52.0``."""
        return self._library.espeak_Info(None).decode()

    def speak(
        self,
        text: str,
        accent: str = "en-us",
        variant: str = "",
        rate_wpm: float = 160,
        pitch: float = 50,
        pitch_range: float = 50,
    ) -> Speech:
        """Say ``text``.

        Parameters
        ----------
        text : plain text; punctuation shapes its melody and pauses.
        accent : an espeak-ng voice, such as ``en-us``.
        variant : how it is changed, such as ``f3``; nothing for the voice as it is.
        rate_wpm : words a minute, 80..``FASTEST_WPM``.
        pitch, pitch_range : 0..99; 50 is the variant's own.

        Raises
        ------
        DataError
            When the voice is not there, or the text holds nothing that can be said.
        """
        self._set_voice(accent, variant)
        for parameter, value in (
            *((_RATE, rate_wpm), (_VOLUME, _QUIET)),
            *((_PITCH, pitch), (_RANGE, pitch_range)),
        ):
            self._library.espeak_SetParameter(parameter, round(value), 0)
        self._pcm, self._marks = [], []
        encoded = text.encode()
        status = self._library.espeak_Synth(
            encoded, len(encoded) + 1, 0, _CHARACTERS, 0, _UTF8, None, None
        )
        self._library.espeak_Synchronize()
        audio = np.frombuffer(b"".join(self._pcm), np.int16).astype(np.float32) / 32768
        words = _word_times(text, audio, self._marks, self._rate)
        if status != 0 or not words:
            raise DataError(f"espeak-ng says nothing for {text!r}; write words as they are spoken")
        return Speech(audio, self._rate, words)

    def _set_voice(self, accent: str, variant: str) -> None:
        if variant and variant not in self._variants:  # espeak-ng would pass over it silently
            raise DataError(
                f"espeak-ng has no variant {variant!r}{nearest(variant, self._variants)}"
            )
        name = f"{accent}+{variant}" if variant else accent
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            raise DataError(f"espeak-ng has no voice {name!r}; English ones are such as 'en-us'")

    def _collect(self, samples: int | None, count: int, events: Any) -> int:
        if samples and count:
            self._pcm.append(ctypes.string_at(samples, 2 * count))
        index = 0
        while events[index].type != _LIST_END:
            if events[index].type == _WORD:
                self._marks.append((events[index].text_position - 1, events[index].sample))
            index += 1
        return 0


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


def _word_times(
    text: str, audio: np.ndarray, marks: list[tuple[int, int]], rate: int
) -> tuple[WordTime, ...]:
    """When each word begins and ends, given where each begins: pauses belong to none."""
    words = []
    block = rate // 100
    for index, (position, start) in enumerate(marks):
        following = marks[index + 1] if index + 1 < len(marks) else (len(text), len(audio))
        sounding = np.abs(audio[start : following[1]])
        loud = np.flatnonzero(sounding > 0.01 * sounding.max(initial=0))
        if len(loud) < block:
            continue  # nothing to hear: a mark without a word
        words.append(
            WordTime(
                text[position : following[0]].strip(" \t\n.,;:!?\"'()-"),
                position,
                start + int(loud[0]),
                start + int(loud[-1]) + 1,
            )
        )
    return tuple(words)

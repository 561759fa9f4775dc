"""Speech from espeak-ng, with the time of every word, through the library in a PyPI wheel."""

import _ctypes
import ctypes
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from kws.data.espeak_c import Callback, load
from kws.errors import DataError
from kws.recipe import nearest

FASTEST_WPM = 450

# Values of espeak-ng's speak_lib.h.
_UTF8, _PHONEME_INPUT, _CHARACTERS, _IPA = 1, 0x100, 1, 2
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_LIST_END, _WORD = 0, 1
_QUIET = 30  # of 100: at the default volume some variants clip


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
        with ExitStack() as links:
            self._library, self._rate, data = load(links)
            self._links = links.pop_all()
        self._variants = sorted(path.name for path in (data / "voices/!v").iterdir())
        files = (path for path in (data / "lang").rglob("*") if path.is_file())
        self.languages = sorted(path.name.lower() for path in files)
        """Names of espeak-ng's languages and accents, such as ``de`` and ``en-gb-scotland``."""
        self._pcm: list[bytes] = []
        self._marks: list[tuple[int, int]] = []
        self._callback = Callback(self._collect)  # kept: espeak-ng holds only a pointer to it
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
        text : plain text; punctuation shapes its melody and pauses. Phonemes in espeak-ng's
            spelling can stand between ``[[`` and ``]]``.
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
            encoded, len(encoded) + 1, 0, _CHARACTERS, 0, _UTF8 | _PHONEME_INPUT, None, None
        )
        self._library.espeak_Synchronize()
        audio = np.frombuffer(b"".join(self._pcm), np.int16).astype(np.float32) / 32768
        words = _word_times(text, audio, self._marks, self._rate)
        if status != 0 or not words:
            raise DataError(f"espeak-ng says nothing for {text!r}; write words as they are spoken")
        return Speech(audio, self._rate, words)

    def phonemes(self, text: str, accent: str, separator: str, ipa: bool = False) -> str:
        """The phonemes of ``text``, with ``separator`` between them and spaces between words.

        They are spelled as espeak-ng does, which :meth:`speak` understands between ``[[`` and
        ``]]``, or in the International Phonetic Alphabet. Stress marks stand before a vowel.

        Raises
        ------
        DataError
            When the voice is not there.
        """
        self._set_voice(accent, "")
        rest = ctypes.c_char_p(text.encode())
        clauses = []
        while rest.value:
            spoken = self._library.espeak_TextToPhonemes(
                ctypes.byref(rest), _CHARACTERS, ord(separator) << 8 | (_IPA if ipa else 0)
            )
            clauses.append((spoken or b"").decode())
        return " ".join(clauses)

    def _set_voice(self, accent: str, variant: str) -> None:
        if variant and variant not in self._variants:  # espeak-ng would pass over it silently
            raise DataError(
                f"espeak-ng has no variant {variant!r}{nearest(variant, self._variants)}"
            )
        name = f"{accent}+{variant}" if variant else accent
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            raise DataError(f"espeak-ng has no voice {name!r}{nearest(accent, self.languages)}")

    def _collect(self, samples: int | None, count: int, events: Any) -> int:
        if samples and count:
            self._pcm.append(ctypes.string_at(samples, 2 * count))
        index = 0
        while events[index].type != _LIST_END:
            if events[index].type == _WORD:
                self._marks.append((events[index].text_position - 1, events[index].sample))
            index += 1
        return 0


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

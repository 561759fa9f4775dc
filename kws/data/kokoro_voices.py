"""Kokoro's voices, and blends of two of them, as :class:`kws.data.voices.Voice`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from kws.data import kokoro
from kws.data.cast import name_in
from kws.data.espeak import Espeak, Speech
from kws.data.manifest import TESTING, TRAINING, VALIDATION
from kws.data.phonemes import Pronunciation, pronounce
from kws.data.voices import Voice, one_word, spoken_languages
from kws.errors import DataError

LANGUAGES = ("en-us", "en-gb-x-rp")
"""Spoken in turn where none are given, by all voices: those of other languages have an accent"""
BLENDS = 2
"""As many blends of two voices as voices, times this"""
_PACE, _SIZE = (0.75, 1.3), (0.94, 1.08)


@dataclass(frozen=True)
class KokoroVoice:
    """A voice of Kokoro's, or a blend; by its own chance, no two takes are the same."""

    folder: Path
    blend: tuple[tuple[str, float], ...]
    """Voices' names and their shares"""
    name: str
    language: str
    split: str
    times_words = False

    def say(self, text: str | Pronunciation, rng: np.random.Generator) -> Speech:
        if isinstance(text, str):
            with Espeak() as engine:
                said = pronounce(engine, text, self.language)
        else:
            said, text = text, text.ipa
        pace, size = rng.uniform(*_PACE), rng.uniform(*_SIZE)
        phonemes = kokoro.symbols(said.ipa, self.language.startswith("en"))
        audio = kokoro.speak(self.folder, self.blend, phonemes, pace)
        return one_word(audio, kokoro.RATE_HZ * size, text)  # as of a longer vocal tract


def kokoro_voices(folder: Path, languages: Sequence[str], seed: int) -> list[Voice]:
    """Give the voices in ``folder``, and ``BLENDS`` times as many blends of two.

    One voice of ten (at least two) is for validation and as many for testing; a blend is of two
    voices of one split.

    Raises
    ------
    DataError
        When the model, its voices or onnxruntime are missing, there are fewer than six voices, or
        espeak-ng, which knows how words are pronounced, has no such language.
    """
    names = kokoro.require_kokoro(folder)
    if len(names) < 6:
        raise DataError(f"{folder}: {len(names)} voices, expected 6 or more, two for each split")
    spoken = spoken_languages(languages, LANGUAGES)
    rng = np.random.default_rng([seed, 15])
    names = [names[i] for i in rng.permutation(len(names))]
    held_out = max(2, len(names) // 10)
    casts = {
        VALIDATION: names[:held_out],
        TESTING: names[held_out : 2 * held_out],
        TRAINING: names[2 * held_out :],
    }
    voices: list[Voice] = []
    for split, cast in casts.items():
        for blend in _blends(cast, rng):
            title = "_".join(name for name, _ in blend)
            name = name_in(split, f"kokoro{len(voices):03d}_{title}_")
            language = spoken[len(voices) % len(spoken)]
            voices.append(KokoroVoice(folder.resolve(), blend, name, language, split))
    return voices


def _blends(cast: Sequence[str], rng: np.random.Generator) -> list[tuple[tuple[str, float], ...]]:
    """Every voice by itself, then pairs at random, none of them twice."""
    alone = [((name, 1.0),) for name in cast]
    pairs = list(combinations(cast, 2))
    chosen = rng.permutation(len(pairs))[: BLENDS * len(cast)]
    shares = rng.uniform(0.3, 0.7, len(chosen))
    return [
        *alone,
        *(
            ((pairs[i][0], float(share)), (pairs[i][1], 1 - float(share)))
            for i, share in zip(chosen, shares, strict=True)
        ),
    ]

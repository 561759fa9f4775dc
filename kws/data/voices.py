"""Voices that say a text: espeak-ng's and Piper's, behind one small interface.

Kokoro's are in :mod:`kws.data.kokoro_voices`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import soxr

from kws.data import piper
from kws.data.cast import ACCENTS, Speaker, corpus_cast, name_in
from kws.data.espeak import Espeak, Speech, WordTime
from kws.data.manifest import TESTING, TRAINING, VALIDATION
from kws.data.phonemes import Pronunciation
from kws.data.speech_commands import split_of
from kws.data.takes import Booth
from kws.errors import DataError
from kws.recipe import nearest

RATE_HZ = 16000
"""Of everything that a voice says."""


class Voice(Protocol):
    """Somebody who can say a text."""

    @property
    def name(self) -> str:
        """The speaker in file names, before ``_nohash_``."""

    @property
    def language(self) -> str:
        """One of espeak-ng's languages."""

    @property
    def split(self) -> str:
        """The split of all that this voice says."""

    @property
    def times_words(self) -> bool:
        """Whether it tells the time of each word; otherwise a text counts as one word."""

    def say(self, text: str | Pronunciation, rng: np.random.Generator) -> Speech:
        """Say a text, or a non-word by its phonemes, a little differently each time.

        Returns
        -------
        Speech: float32 ``audio`` at ``sample_rate_hz`` (``RATE_HZ``) and its ``words``, at least
        one.

        Raises
        ------
        DataError
            When there is nothing to say in it, or the synthesizer is missing or fails.
        """


@dataclass(frozen=True)
class EspeakVoice:
    """One of the speakers of :mod:`kws.data.cast`; the same generator gives the same sound."""

    speaker: Speaker
    split: str
    times_words = True

    @property
    def name(self) -> str:
        return self.speaker.name

    @property
    def language(self) -> str:
        return self.speaker.accent

    def say(self, text: str | Pronunciation, rng: np.random.Generator) -> Speech:
        text = text if isinstance(text, str) else text.espeak_text
        with Espeak() as engine:
            audio, words = Booth(engine, self.speaker, RATE_HZ, 0, rng).say(text)
        return Speech(audio.astype(np.float32), RATE_HZ, tuple(words))


@dataclass(frozen=True)
class PiperVoice:
    """A speaker of a Piper model. Piper has a chance of its own: no two takes are the same."""

    model: piper.PiperModel
    speaker: int
    name: str
    split: str
    times_words = False

    @property
    def language(self) -> str:
        return self.model.language

    def say(self, text: str | Pronunciation, rng: np.random.Generator) -> Speech:
        text = text if isinstance(text, str) else text.piper_text
        slowness, noise, size = (
            rng.uniform(0.8, 1.25),
            rng.uniform(0.4, 0.9),
            rng.uniform(0.94, 1.08),
        )
        audio, rate_hz = piper.speak(self.model, self.speaker, text, slowness, noise)
        return one_word(audio, rate_hz * size, text)  # as Booth makes a vocal tract longer


def espeak_voices(languages: Sequence[str], seed: int) -> list[Voice]:
    """Give 240 voices that speak the languages in turn; English accents where none are given.

    Rate, pitch, melody and vocal tract differ; no variant of espeak-ng serves two splits. Each ten
    in a row are eight for training, one for validation and one for testing.

    Raises
    ------
    DataError
        When espeak-ng is missing, or has no such language.
    """
    chosen = spoken_languages(languages, ACCENTS)
    voices: list[Voice] = []
    turns: Counter[str] = Counter()
    seen: Counter[tuple[str, str]] = Counter()
    for index, speaker in enumerate(corpus_cast(seed)):
        split = split_of(speaker.name)
        # As the cast does it: a variant that comes again has the next language.
        again = seen[split, speaker.variant]
        language = chosen[(turns[split] + again) % len(chosen)]
        turns[split] += 1
        seen[split, speaker.variant] += 1
        name = name_in(split, f"espeak{index:03d}_{language}_{speaker.variant or 'own'}_")
        voices.append(EspeakVoice(replace(speaker, name=name, accent=language), split))
    return voices


def piper_voices(models: Sequence[Path]) -> list[Voice]:
    """Give every speaker of the models as a voice.

    From three speakers on, one of ten (at least one) is for validation and as many for testing;
    fewer are all for training.

    Raises
    ------
    DataError
        When Piper is not installed, no model is given, or one cannot be used.
    """
    if not models:
        raise DataError("--voices piper needs a voice: give --piper-model NAME.onnx")
    piper.require_piper()
    read = [piper.read_model(path) for path in dict.fromkeys(models)]
    pairs = [(model, speaker) for model in read for speaker in range(model.speakers)]
    held_out = max(1, len(pairs) // 10) if len(pairs) >= 3 else 0
    splits = [VALIDATION] * held_out + [TESTING] * held_out
    splits = [TRAINING] * (len(pairs) - len(splits)) + splits
    return [
        PiperVoice(model, speaker, name_in(split, f"piper{index:03d}_{model.path.stem}_"), split)
        for index, ((model, speaker), split) in enumerate(zip(pairs, splits, strict=True))
    ]


def one_word(audio: np.ndarray, rate_hz: float, text: str) -> Speech:
    """What a voice that times no words says: one word, from the first loud sample to the last.

    Parameters
    ----------
    audio : float32 (samples,), not silent.
    rate_hz : of ``audio``; that of what comes of it is ``RATE_HZ``.
    """
    audio = soxr.resample(audio, rate_hz, RATE_HZ)
    loud = np.flatnonzero(np.abs(audio) > 0.01 * np.abs(audio).max())
    return Speech(audio, RATE_HZ, (WordTime(text, 0, int(loud[0]), int(loud[-1]) + 1),))


def spoken_languages(given: Sequence[str], otherwise: Sequence[str]) -> list[str]:
    """Give the languages, each once; ``otherwise`` where none are given.

    Raises
    ------
    DataError
        When espeak-ng is missing, or has no such language.
    """
    with Espeak() as engine:
        known = engine.languages
    for language in given:
        if language not in known:
            raise DataError(
                f"espeak-ng has no language {language!r}{nearest(language.lower(), known)}"
            )
    return list(dict.fromkeys(given)) or list(otherwise)


def at_once(voices: Sequence[Voice]) -> int | None:
    """How many processes may speak at once, None for any number.

    Piper uses all processors by itself.
    """
    return 1 if any(isinstance(voice, PiperVoice) for voice in voices) else None


def in_turn(voices: Sequence[Voice]) -> list[Voice]:
    """Order voices so that any few in a row have the splits in about the shares of all."""
    counts = Counter(voice.split for voice in voices)
    seen: Counter[str] = Counter()
    keyed = []
    for voice in voices:
        seen[voice.split] += 1
        keyed.append(((seen[voice.split] - 0.5) / counts[voice.split], voice))
    return [voice for _, voice in sorted(keyed, key=lambda one: one[0])]

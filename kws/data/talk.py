"""Talk without keywords, spoken by espeak-ng's voices: what a detector must not answer to.

Sentences of common words in random order: all sounds and joints of a language, few of them twice.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kws.audio import io
from kws.audio.noise import at_level
from kws.data.manifest import TESTING
from kws.data.sentences import SENTENCES
from kws.data.speaking import write_all
from kws.data.streams import LEVEL_DB, holds
from kws.data.vocabulary import WORDS
from kws.data.voices import RATE_HZ, Voice

VERSION = 1
"""Raised whenever the code says something else from the same order"""
LONGEST = 11
SHORTEST = 5
"""Words in a sentence"""
_READ = 0.2
"""Share of sentences that mean something"""


def talk_texts(count: int, taboo: Sequence[str], seed: int) -> list[str]:
    """Sentences without any of the ``taboo`` words.

    They follow from the seed; the first ones are the same whatever the count.
    """
    free = [word for word in WORDS if not any(holds(word, one) for one in taboo)]
    read = [text for text in SENTENCES if not any(holds(text, one) for one in taboo)]
    rng = np.random.default_rng([seed, 11])
    texts = []
    for _ in range(count):
        length, choice = int(rng.integers(SHORTEST, LONGEST + 1)), rng.random()
        words = rng.choice(free, length)
        meant = read[int(rng.integers(len(read)))] if read else ""
        texts.append(meant if meant and choice < _READ else " ".join(words))
    return texts


def say_talk(
    folder: Path, count: int, taboo: Sequence[str], voices: Sequence[Voice], seed: int
) -> None:
    """Speak sentences into ``folder``, ``000000.wav`` and so on; what is there already stays.

    Voices of the testing split are left to tests.

    Raises
    ------
    DataError
        When espeak-ng is missing.
    StorageError
        When a file cannot be written.
    """
    cast = [voice for voice in voices if voice.split != TESTING] or list(voices)
    texts = talk_texts(count, taboo, seed)
    lines = [_Line(folder / f"{i:06d}.wav", i, text) for i, text in enumerate(texts)]
    missing = [line for line in lines if not line.path.is_file()]
    write_all(partial(_say, cast=cast, seed=seed), missing, "sentences")


class _Line(NamedTuple):
    path: Path
    number: int
    text: str


def _say(line: _Line, cast: Sequence[Voice], seed: int) -> None:
    rng = np.random.default_rng([seed, 12, line.number])
    voice = cast[int(rng.integers(len(cast)))]
    audio = voice.say(line.text, rng).audio
    io.write(line.path, at_level(audio, rng.uniform(*LEVEL_DB), RATE_HZ), RATE_HZ)

"""Talk without keywords, spoken by synthesizers' voices: what a detector must not answer to.

Sentences of common words in random order: all sounds and joints of a language, few of them twice.
"""

import re
from collections.abc import Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kws.audio import io
from kws.audio.noise import at_level
from kws.data.espeak import Espeak
from kws.data.phoneme_distance import segments
from kws.data.phonemes import pronounce
from kws.data.sentences import SENTENCES
from kws.data.speaking import write_all
from kws.data.spoken_record import earlier
from kws.data.streams import LEVEL_DB, Line, Written, holds, write_stream
from kws.data.vocabulary import WORDS
from kws.data.voices import RATE_HZ, Voice
from kws.errors import DataError
from kws.files import write_json
from kws.progress import progress

FACTS = "talk.json"
"""Beside the recordings: what was ordered, and which of them are there"""
VERSION = 2
"""Raised whenever the code says something else from the same order"""
LONGEST = 11
SHORTEST = 5
"""Words in a sentence"""
_READ = 0.2
"""Share of sentences that mean something"""
_NAME = "talk"
"""Of the recordings, before their numbers"""
_LANGUAGE = "en-us"
"""That of the words: by its rules two of them sound the same."""


def with_homophones(taboo: Sequence[str]) -> list[str]:
    """The taboo words, and those of the talk that sound the same: ``know`` where ``no`` is taboo.

    Raises
    ------
    DataError
        When espeak-ng is missing, or a taboo word cannot be said.
    """
    spoken = dict.fromkeys(re.findall(r"[a-z']+", " ".join([*WORDS, *SENTENCES]).lower()))
    with Espeak() as engine:

        def sound(word: str) -> list[str]:
            return segments(pronounce(engine, word, _LANGUAGE))

        avoided = [sound(word) for word in taboo]
        return [*taboo, *(word for word in spoken if word not in taboo and sound(word) in avoided)]


def talk_texts(
    count: int, taboo: Sequence[str], rng: np.random.Generator, sentences: Sequence[str] = SENTENCES
) -> list[str]:
    """Sentences without any of the ``taboo`` words: of random words, and some of ``sentences``.

    The first ones are the same whatever the count.
    """
    free = [word for word in WORDS if not any(holds(word, one) for one in taboo)]
    read = [text for text in sentences if not any(holds(text, one) for one in taboo)]
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
    """Speak sentences to train on into ``folder``, ``000000.wav`` and so on.

    What is there already stays.

    Raises
    ------
    DataError
        When espeak-ng is missing, or a taboo word cannot be said.
    StorageError
        When a file cannot be written.
    """
    paths = [folder / f"{i:06d}.wav" for i in range(count)]
    if all(path.is_file() for path in paths):
        return
    texts = talk_texts(count, with_homophones(taboo), np.random.default_rng([seed, 11]))
    sentences = [_Sentence(path, i, texts[i]) for i, path in enumerate(paths)]
    missing = [one for one in sentences if not one.path.is_file()]
    write_all(partial(_say, cast=voices, seed=seed), missing, "sentences")


def write_talk(
    folder: Path, count: int, taboo: Sequence[str], voices: Sequence[Voice], seed: int
) -> list[Written]:
    """Speak sentences to test on into ``folder``: long recordings, with pauses, over faint noise.

    None of them is one that :func:`say_talk` says, whatever its seed. ``talk.json`` beside them
    has the order and the recordings that are there: a call that was cut short, with the same
    order, goes on after them.

    Raises
    ------
    DataError
        When nothing or nobody is to speak, ``folder`` holds something else, or espeak-ng is
        missing.
    StorageError
        When a file cannot be written.
    """
    if count < 1:
        raise DataError(f"{count} sentences: expected at least 1, such as 1000 (about an hour)")
    if not voices:
        raise DataError("none of these voices are of that split; take another --split, or others")
    names = [voice.name for voice in voices]
    facts = {
        "version": VERSION, "sentences": count, "without": [*taboo], "voices": names, "seed": seed,
    }  # fmt: skip
    done = _before(folder, facts)
    left = _lines(count, taboo, voices, seed)[sum(one.lines for one in done) :]

    def record() -> None:
        named = [(one.path.name, round(one.seconds, 3), one.lines) for one in done]
        write_json(folder / FACTS, {**facts, "recordings": named})

    record()
    with progress("speaking talk", len(left), "sentences") as advance:
        for written in write_stream(folder, _NAME, left, advance, first=len(done)):
            done.append(written)
            record()
    return done


def _lines(count: int, taboo: Sequence[str], voices: Sequence[Voice], seed: int) -> list[Line]:
    rng = np.random.default_rng([seed, 13])
    texts = talk_texts(count, with_homophones(taboo), rng, sentences=())
    cast = rng.integers(len(voices), size=count)
    return [Line(text, "", "", voices[int(cast[i])], (seed, 14, i)) for i, text in enumerate(texts)]


def _before(folder: Path, facts: dict[str, Any]) -> list[Written]:
    """The recordings that an earlier call wrote, up to the first that is not there any more."""

    def parse(named: Any) -> list[Written]:
        return [Written(folder / path, float(length), int(lines)) for path, length, lines in named]

    def there(one: Written) -> bool:
        return one.path.is_file() and one.path.with_suffix(".txt").is_file()

    return [*takewhile(there, earlier(folder / FACTS, facts, "recordings", parse) or [])]


class _Sentence(NamedTuple):
    path: Path
    number: int
    text: str


def _say(sentence: _Sentence, cast: Sequence[Voice], seed: int) -> None:
    rng = np.random.default_rng([seed, 12, sentence.number])
    voice = cast[int(rng.integers(len(cast)))]
    audio = voice.say(sentence.text, rng).audio
    io.write(sentence.path, at_level(audio, rng.uniform(*LEVEL_DB), RATE_HZ), RATE_HZ)

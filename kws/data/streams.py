"""Long recordings to test on: sentences with keywords, sentences without, and what is said when."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kws.audio import io
from kws.audio.annotation import SpokenWord, write_words
from kws.audio.noise import at_level, coloured_noise, mix
from kws.data.espeak import Espeak
from kws.data.manifest import TESTING
from kws.data.phonemes import pronounce
from kws.data.sentences import CARRIERS, SENTENCES
from kws.data.speaking import in_order
from kws.data.voices import RATE_HZ, Voice, at_once
from kws.errors import DataError
from kws.progress import Advance

FOLDER = "_streams_"
"""Beside the words' folders; readers of data folders pass over it."""
FILE_S = 280.0
"""A stream goes on in another file after this."""
PAUSE_S, SNR_DB, LEVEL_DB = (0.5, 1.5), (15.0, 25.0), (-30.0, -18.0)


Seed = tuple[int, ...]
Timed = tuple[str, float, float]
"""A word, and when it begins and ends, in seconds."""


@dataclass(frozen=True)
class Line:
    """A sentence, who says it, and from which seed."""

    text: str
    keyword: str
    """As it is spoken in the sentence; empty for a sentence without one."""
    label: str
    voice: Voice
    seed: Seed


class Written(NamedTuple):
    """A file of a stream."""

    path: Path
    seconds: float
    lines: int
    """How many are in it"""


def script(
    labels: dict[str, str], texts: Sequence[str], voices: Sequence[Voice], takes: int, seed: int
) -> tuple[list[Line], list[Line]]:
    """Plan two streams: every keyword in ``takes`` sentences, and as many sentences without any.

    The voices of the testing split say them, or all voices where there are none. English voices
    have sentences of their own; the others say the keyword alone, and numbers, besides ``texts``.

    Parameters
    ----------
    labels : each keyword as it is spoken, and its label.
    texts : sentences of the user's own, with or without keywords.
    """
    rng = np.random.default_rng([seed, 2])
    cast = [voice for voice in voices if voice.split == TESTING] or list(voices)
    spoken = [keyword for keyword in labels for _ in range(takes)]
    rng.shuffle(spoken)
    both: tuple[list[Line], list[Line]] = ([], [])
    for index, keyword in enumerate((*spoken, *[""] * len(spoken))):
        voice = cast[int(rng.integers(len(cast)))]
        text = _sentence(keyword, list(labels), texts, voice, rng)
        line = Line(text, keyword, labels.get(keyword, ""), voice, (seed, 3, index))
        both[0 if keyword else 1].append(line)
    return both


def holds(text: str, keyword: str) -> bool:
    """Whether a text has a keyword in it, as a word or words of its own."""
    return f" {_plain(keyword)} " in f" {_plain(text)} "


def write_stream(
    folder: Path, name: str, lines: Sequence[Line], advance: Advance, first: int = 0
) -> Iterator[Written]:
    """Say the lines with pauses, over faint noise, into ``name_000.wav``, ``name_001.wav`` ...

    Each has the words and their times beside it, as an Audacity label track (``.txt``), and is
    told as soon as both are written.

    Parameters
    ----------
    first : number of the first file, where earlier lines are in the files before it.
    """
    pieces: list[np.ndarray] = []
    words: list[SpokenWord] = []
    at_s, since, files = 0.0, 0, first
    said = in_order(_with_pauses, lines, at_once([line.voice for line in lines]))
    for number, parts in enumerate(said, 1):
        for audio, spoken in parts:
            words += [
                SpokenWord(word, round(at_s + start, 3), round(at_s + end, 3))
                for word, start, end in spoken
            ]
            pieces.append(audio)
            at_s += len(audio) / RATE_HZ
        advance()
        if at_s >= FILE_S or number == len(lines):
            path = folder / f"{name}_{files:03d}.wav"
            _write(path, np.concatenate(pieces), words, lines[number - 1].seed)
            yield Written(path, at_s, number - since)
            pieces, words, at_s, since, files = [], [], 0.0, number, files + 1


def _write(path: Path, speech: np.ndarray, words: list[SpokenWord], seed: Seed) -> None:
    rng = np.random.default_rng([*seed, 1])
    noise = coloured_noise(len(speech), rng.uniform(0.5, 1.5), rng, RATE_HZ)
    io.write(path, mix(speech, noise, rng.uniform(*SNR_DB), RATE_HZ), RATE_HZ)
    write_words(path.with_suffix(".txt"), words)


def _sentence(
    keyword: str, keywords: list[str], texts: Sequence[str], voice: Voice, rng: np.random.Generator
) -> str:
    english = voice.language.startswith("en")
    if keyword:
        own = [text for text in texts if holds(text, keyword)]
        carriers = CARRIERS if english else CARRIERS[:2]
        choices = [*own, *(carrier.format(keyword) for carrier in carriers)]
    else:
        free = SENTENCES if english else [_numbers(voice.language, keywords, rng)]
        choices = [*texts, *free]
        choices = [text for text in choices if not any(holds(text, word) for word in keywords)]
    if not choices:
        raise DataError(
            "every sentence for test streams has a keyword in it; give others with --text"
        )
    return choices[int(rng.integers(len(choices)))]


def _numbers(language: str, keywords: list[str], rng: np.random.Generator) -> str:
    """Numbers to be read out, which every language can, without a keyword among them."""
    chosen: list[str] = []
    with Espeak() as engine:
        taboo = {_sounds(engine, keyword, language) for keyword in keywords}
        # In "treinta y dos", "dos" begins with another sound: its digit is left out altogether.
        digits = {digit for digit in "0123456789" if _sounds(engine, digit, language) in taboo}
        for number in map(str, rng.integers(2000, size=200)):
            said = _sounds(engine, number, language)
            if not digits & set(number) and not any(keyword in said for keyword in taboo):
                chosen.append(number)
            if len(chosen) == 4:
                return ", ".join(chosen) + "."
    raise DataError(
        f"the keywords are numbers in {language!r}, so test streams need sentences without them; "
        "give some with --text"
    )


def _sounds(engine: Espeak, text: str, language: str) -> str:
    """The IPA of a text without stress and spaces."""
    words = pronounce(engine, text, language).words
    return "".join(phoneme.sound for word in words for phoneme in word)


def _with_pauses(line: Line) -> list[tuple[np.ndarray, list[Timed]]]:
    """A line's audio, a pause after each part, and its words."""
    rng = np.random.default_rng(line.seed)
    return [
        (np.pad(audio, (0, round(rng.uniform(*PAUSE_S) * RATE_HZ))), words)
        for audio, words in _spoken(line, rng)
    ]


def _spoken(line: Line, rng: np.random.Generator) -> list[tuple[np.ndarray, list[Timed]]]:
    """A line's audio and its words, in parts where it must be.

    Where a voice times no words, or runs the keyword together with another word, it says what is
    before the keyword, the keyword, and what is after it, each by itself.
    """
    level_db = rng.uniform(*LEVEL_DB)
    if line.voice.times_words or not line.keyword:
        whole = _said(line.text, line, level_db, rng)
        if not line.keyword or any(word == line.label for word, _, _ in whole[1]):
            return [whole]
    parts = re.split(rf"(?i)(?<!\w)({re.escape(line.keyword)})(?!\w)", line.text)
    return [_said(part, line, level_db, rng) for part in parts if _plain(part)]


def _said(
    text: str, line: Line, level_db: float, rng: np.random.Generator
) -> tuple[np.ndarray, list[Timed]]:
    """The sound of a text, and its words; those that are the keyword become its label."""
    speech = line.voice.say(text, rng)
    times = [(w.text.strip(" .,;:!?"), w.start / RATE_HZ, w.end / RATE_HZ) for w in speech.words]
    wanted = _plain(line.keyword).split()
    words: list[Timed] = []
    while times:
        for length in range(1, len(times) + 1):
            run = times[:length]
            if wanted and _plain(" ".join(word for word, _, _ in run)).split() == wanted:
                words.append((line.label, run[0][1], run[-1][2]))
                break
        else:
            length = 1
            words.append(times[0])
        times = times[length:]
    return at_level(speech.audio, level_db, RATE_HZ), words


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.casefold()))

"""Long recordings to test a detector on: words of a corpus in noise, babble or speech.

The background runs on from end to end at one level; each word lies over it at a signal-to-noise
ratio, after a pause, keywords and other words in random order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from kws.audio.annotation import SpokenWord, write_words
from kws.audio.io import read, write
from kws.audio.noise import at_level, at_rms, babble, coloured_noise, cut_noise
from kws.audio.splice import faded
from kws.audio.word import Span, find_words
from kws.data.manifest import Clip
from kws.errors import AudioError, DataError
from kws.progress import Advance

Background = Literal["noise", "babble", "speech"]
BACKGROUNDS: tuple[Background, ...] = ("noise", "babble", "speech")
LEVEL_DB = -23.0
"""Of a word's loud part, dB of full scale, before the gain"""
PAUSE_S = (1.2, 3.0)
VOICES = 6
"""Who talk at once in babble"""
_PIECE_S = 10.0
"""The background changes its source this often."""
_LEAST_S = 0.1
_MARGIN_MS, _FADE_MS = 150.0, 50.0
"""What a word keeps of its clip on either side, where a faint s or p is not found to stand out; and
over how much of that it comes and goes."""


@dataclass(frozen=True)
class Scene:
    """What a recording is to be like."""

    background: Background
    snr_db: float
    """Of each word's loud part to the background"""
    gain_db: float = 0.0
    """Of all, words and background; what is beyond full scale is clipped"""

    @property
    def name(self) -> str:
        """Of its files."""
        gain = f"_gain{self.gain_db:+g}dB" if self.gain_db else ""
        return f"{self.background}_{self.snr_db:g}dB{gain}"


@dataclass(frozen=True)
class LongSpeech:
    """A recording too long to be held: it is read by the piece."""

    path: Path
    seconds: float


@dataclass(frozen=True)
class Word:
    """A word cut out of its clip, with a little of what is around it."""

    label: str
    audio: np.ndarray
    """float32 (samples,), faded in and out"""
    start: int
    """Where in it the word begins, in samples ..."""
    end: int
    """... and ends"""

    @property
    def sound(self) -> np.ndarray:
        """The word alone."""
        return self.audio[self.start : self.end]


@dataclass(frozen=True)
class Material:
    """What scenes are made of, at one rate."""

    words: tuple[Word, ...]
    noises: tuple[np.ndarray, ...]
    voices: tuple[np.ndarray, ...]
    """Clips without keywords, for babble"""
    speech: tuple[np.ndarray | LongSpeech, ...]
    """Long recordings without keywords"""


def cut_words(
    clips: Sequence[Clip], sample_rate_hz: int, advance: Advance
) -> tuple[list[Word], list[str]]:
    """Cut the strongest sound out of each clip.

    Returns
    -------
    the words, and a message for each clip that gave none.
    """
    found: list[Word] = []
    without: list[str] = []
    for clip in clips:
        advance()
        try:
            audio = read(
                clip.path, sample_rate_hz, start_s=clip.start_s, duration_s=clip.duration_s
            )
        except AudioError as error:
            without.append(str(error))
            continue
        spans = find_words(audio, sample_rate_hz) if len(audio) >= _LEAST_S * sample_rate_hz else []
        if spans:
            best = max(spans, key=lambda span: span.strength)
            found.append(_cut(clip.word or clip.label, audio, best, sample_rate_hz))
        else:
            without.append(f"{clip.path}: no word stands out of its noise")
    return found, without


def _cut(label: str, audio: np.ndarray, span: Span, sample_rate_hz: int) -> Word:
    margin = round(_MARGIN_MS * sample_rate_hz / 1000)
    first, last = max(0, span.start - margin), min(len(audio), span.end + margin)
    kept = faded(audio[first:last], _FADE_MS, sample_rate_hz)
    return Word(label, kept, span.start - first, span.end - first)


def write_scene(
    folder: Path, scene: Scene, material: Material, seed: int, sample_rate_hz: int
) -> float:
    """Write ``<name>.wav`` and its words as ``<name>.txt``; gives the seconds.

    The order, the pauses and the background depend on the seed and the kind of background alone:
    the same words are at the same places at every ratio and gain.

    Raises
    ------
    DataError
        When there is nothing to make the background of.
    AudioError
        When a long recording of speech cannot be read.
    """
    rng = np.random.default_rng([seed, BACKGROUNDS.index(scene.background)])
    words, samples = _lay_out(material.words, rng, sample_rate_hz)
    background = _background(scene.background, material, samples, rng, sample_rate_hz)
    audio = at_rms(background, 10 ** ((LEVEL_DB - scene.snr_db) / 20))
    for start, word in words:
        first = start - word.start
        audio[first : first + len(word.audio)] += at_level(word.audio, LEVEL_DB, sample_rate_hz)
    audio = audio * np.float32(10 ** (scene.gain_db / 20))
    write(folder / f"{scene.name}.wav", audio, sample_rate_hz)
    spoken = [
        SpokenWord(word.label, start / sample_rate_hz, (start + len(word.sound)) / sample_rate_hz)
        for start, word in words
    ]
    write_words(folder / f"{scene.name}.txt", spoken)
    return samples / sample_rate_hz


def facts(scene: Scene) -> dict[str, str]:
    """A line of the folder's table: the file and its conditions."""
    return {
        "path": f"{scene.name}.wav",
        "background": scene.background,
        "snr_db": f"{scene.snr_db:g}",
        "gain_db": f"{scene.gain_db:g}",
    }


def _lay_out(
    words: Sequence[Word], rng: np.random.Generator, sample_rate_hz: int
) -> tuple[list[tuple[int, Word]], int]:
    """Where each word begins, in random order; and how many samples there are in all."""
    laid, at = [], 0
    for index in rng.permutation(len(words)):
        word = words[index]
        at += round(rng.uniform(*PAUSE_S) * sample_rate_hz)
        laid.append((at, word))
        at += len(word.sound)
    return laid, at + round(PAUSE_S[1] * sample_rate_hz)


def _background(
    kind: Background,
    material: Material,
    samples: int,
    rng: np.random.Generator,
    sample_rate_hz: int,
) -> np.ndarray:
    """(samples,) of background, each piece of it equally loud."""
    pieces: dict[str, Callable[[int], np.ndarray]] = {
        "noise": lambda count: cut_noise(material.noises, count, rng, sample_rate_hz),
        "babble": lambda count: babble(material.voices, VOICES, count, rng, sample_rate_hz),
        "speech": lambda count: _talk(material.speech, count, rng, sample_rate_hz),
    }
    if (kind == "babble" and not material.voices) or (kind == "speech" and not material.speech):
        raise DataError(
            f"background {kind}: nothing to make it of; "
            + ("give a folder of it with --speech" if kind == "speech" else "no word but keywords")
        )
    made: list[np.ndarray] = []
    for start in range(0, samples, round(_PIECE_S * sample_rate_hz)):
        count = min(round(_PIECE_S * sample_rate_hz), samples - start)
        piece = pieces[kind](count)
        if not piece.any():  # a digital pause
            piece = coloured_noise(count, 1.0, rng, sample_rate_hz)
        made.append(at_rms(piece, 0.1))
    return np.concatenate(made)


def _talk(
    speech: Sequence[np.ndarray | LongSpeech],
    samples: int,
    rng: np.random.Generator,
    sample_rate_hz: int,
) -> np.ndarray:
    """Recordings one after the other, at one level, until there are enough samples."""
    said: list[np.ndarray] = []
    while sum(map(len, said)) < samples:
        part = _part(speech[int(rng.integers(len(speech)))], rng, sample_rate_hz)
        said.append(at_level(part, LEVEL_DB, sample_rate_hz))
    return np.concatenate(said)[:samples]


def _part(
    recording: np.ndarray | LongSpeech, rng: np.random.Generator, sample_rate_hz: int
) -> np.ndarray:
    """All of a recording, or of a long one as much as a piece, from a random place."""
    if isinstance(recording, LongSpeech):
        start_s = rng.uniform(0.0, recording.seconds - _PIECE_S)
        return read(recording.path, sample_rate_hz, start_s=start_s, duration_s=_PIECE_S)
    piece = round(_PIECE_S * sample_rate_hz)
    if len(recording) <= piece:
        return recording
    start = int(rng.integers(len(recording) - piece + 1))
    return recording[start : start + piece]

"""Hours of noise and speech with a wake word in them, mixed as in Picovoice's benchmark.

Recordings of the word are spread over the time. Between them lie utterances without it, one in five
of which is heard; the others are pauses as long. Noise runs under all of it. Each recording and
each utterance is as much louder than its noise as the ratio says, by their loudest frames. What is
drawn is our own choice, not the benchmark's (github.com/Picovoice/wake-word-benchmark).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kws.audio.annotation import SpokenWord, read_text, write_words
from kws.audio.io import read, write
from kws.data.scan import scan
from kws.errors import DataError
from kws.files import require_new
from kws.progress import progress

RATE_HZ = 16000
HEARD_SHARE = 0.2
"""Of the utterances between wake words; the others are silent"""
FRAME = 512
"""Samples of which the energy is measured"""
FILE_S = 3600.0
"""A mix goes on in another file after this"""


@dataclass(frozen=True)
class MixOrder:
    """What is wanted."""

    keyword: str
    takes: Path
    """Folder of recordings of the keyword, each heard once"""
    speech: Path
    """Folder of utterances; those whose transcript (LibriSpeech's ``*.trans.txt``, where there is
    one) has the keyword are left out"""
    noise: Path
    """Folder of noise; of DEMAND's folders of 16 channels the first is taken"""
    hours: float = 24.0
    snr_db: float = 10.0
    seed: int = 1


def make_mix(order: MixOrder, out: Path) -> list[tuple[Path, float]]:
    """Write ``mix_000.wav``, ``mix_001.wav`` ... and an Audacity label track beside each.

    Returns
    -------
    The files and their seconds.

    Raises
    ------
    DataError
        When ``out`` holds something, or a folder has no sound files.
    AudioError
        When a sound file cannot be used.
    """
    require_new(out)
    rng = np.random.default_rng([order.seed, 15])
    takes, noises = _sounds(order.takes), _noises(order.noise)
    speech = utterances(order.speech, order.keyword)
    noise = _Noise(noises, rng)
    out.mkdir(parents=True, exist_ok=True)
    written: list[tuple[Path, float]] = []
    pieces: list[np.ndarray] = []
    words: list[SpokenWord] = []
    samples = 0
    parts = _parts(takes, speech, order.hours * 3600, rng)
    with progress("mixing", round(order.hours * 3600), "seconds") as advance:
        for part, is_word in parts:
            at_s = samples / RATE_HZ
            if is_word:
                words.append(SpokenWord(order.keyword, at_s, at_s + len(part) / RATE_HZ))
            pieces.append(over(part, noise.take(len(part)), order.snr_db))
            samples += len(part)
            advance(round(len(part) / RATE_HZ))
            if samples >= FILE_S * RATE_HZ:
                written.append(_write(out, len(written), pieces, words))
                pieces, words, samples = [], [], 0
    if samples:
        written.append(_write(out, len(written), pieces, words))
    return written


def over(part: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """A part on noise, both (samples,), at a ratio of their loudest frames' energies, in dB.

    Silence is left silent.
    """
    signal = loudest_energy(part)
    if signal == 0.0:
        return noise
    scale = np.sqrt(loudest_energy(noise) * 10 ** (snr_db / 10) / signal)
    return noise + part * np.float32(scale)


def loudest_energy(audio: np.ndarray) -> float:
    """Largest sum of squares of a frame of ``FRAME`` samples; of all where there are fewer."""
    count = max(1, len(audio) // FRAME)
    whole = audio[: count * FRAME].astype(np.float64)
    return float(np.square(whole.reshape(count, -1)).sum(axis=1).max()) if whole.size else 0.0


def utterances(folder: Path, keyword: str) -> list[Path]:
    """Sound files of a folder, at any depth, without those whose transcript has the keyword.

    A line of a ``*.trans.txt`` is an utterance's name and what is said in it.
    """
    spoken: set[Path] = set()
    for transcript in sorted(folder.rglob("*.trans.txt")):
        for line in read_text(transcript, "a transcript").splitlines():
            name, _, text = line.partition(" ")
            if keyword.lower() in text.lower():
                spoken.add(transcript.parent / name)
    files = [path for path in _sounds(folder) if path.with_suffix("") not in spoken]
    if not files:
        raise DataError(f"{folder}: {keyword!r} is said in each of its recordings")
    return files


class _Noise:
    """Recordings one after the other without end, each at full scale."""

    def __init__(self, paths: Sequence[Path], rng: np.random.Generator):
        self._paths, self._rng, self._left = paths, rng, np.zeros(0, np.float32)

    def take(self, samples: int) -> np.ndarray:
        found = [self._left]
        have = len(self._left)
        while have < samples:
            path = self._paths[int(self._rng.integers(len(self._paths)))]
            found.append(_at_full_scale(read(path, RATE_HZ)))
            have += len(found[-1])
        joined = np.concatenate(found)
        self._left = joined[samples:]
        return joined[:samples]


def _parts(
    takes: Sequence[Path], speech: Sequence[Path], seconds: float, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, bool]]:
    """Utterances, pauses and takes in their order; and whether it is a take of the word."""
    between = round(seconds * RATE_HZ) // (len(takes) + 1)
    for number in range(len(takes) + 1):
        if number == 0:
            order = rng.permutation(len(takes))
        else:
            yield _at_full_scale(read(takes[order[number - 1]], RATE_HZ)), True
        filled = 0
        while filled < between:
            said = read(speech[int(rng.integers(len(speech)))], RATE_HZ)
            filled += max(1, len(said))
            yield (_at_full_scale(said) if rng.random() < HEARD_SHARE else said * 0), False


def _sounds(folder: Path) -> list[Path]:
    found = scan(folder).files
    if not found:
        raise DataError(f"{folder}: no sound files in it; expected recordings such as WAV or FLAC")
    return found


def _noises(folder: Path) -> list[Path]:
    """All sound files, but of folders with a ``ch01`` that one alone."""
    found = _sounds(folder)
    first = {path.parent for path in found if path.stem == "ch01"}
    return [path for path in found if path.stem == "ch01" or path.parent not in first]


def _at_full_scale(audio: np.ndarray) -> np.ndarray:
    peak = float(np.abs(audio).max(initial=0.0))
    return audio / np.float32(peak) if peak else audio


def _write(
    out: Path, number: int, pieces: list[np.ndarray], words: list[SpokenWord]
) -> tuple[Path, float]:
    path, audio = out / f"mix_{number:03d}.wav", _at_full_scale(np.concatenate(pieces))
    write_words(path.with_suffix(".txt"), words)
    write(path, audio, RATE_HZ)
    return path, len(audio) / RATE_HZ

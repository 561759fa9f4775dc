"""What training clips are varied with: noises, voices and rooms, gathered once a process.

The pools follow from the recipe and its seed alone, so that every process has the same.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from kws.audio import io
from kws.audio.context import cut_out
from kws.audio.rooms import Room, as_room, make_room
from kws.audio.steps import Material
from kws.data.source import Piece
from kws.errors import AudioError, DataError
from kws.recipe import AugmentConfig

VOICES = 400
"""Most clips of which babble is made: with 48, a model knew them all by heart."""
WORDS = 400
"""Most clips whose words are said beside others."""
ROOMS = 64
IMPULSES = 200
"""Most responses that are read from a folder."""
NOISE_S = 1200.0
"""Most noise that is read from a folder; each of many files gives a piece of it."""
_SHORTEST_NOISE_S = 5.0
_LONGEST_VOICE_S = 5.0
_VOICE, _NOISE, _ROOM, _WORD = 1, 2, 3, 4
"""Which random numbers: one sequence for each pool."""


def pick_voices(pieces: Iterable[Piece], config: AugmentConfig, seed: int) -> tuple[Piece, ...]:
    """Choose the training clips of which babble is made; none where the recipe asks for none."""
    return _pick(pieces, VOICES, (seed, _VOICE)) if config.babble_probability > 0 else ()


def pick_words(pieces: Iterable[Piece], config: AugmentConfig, seed: int) -> tuple[Piece, ...]:
    """Choose, of training clips without keywords, those whose words are said beside others."""
    return _pick(pieces, WORDS, (seed, _WORD)) if config.context_probability > 0 else ()


def _pick(pieces: Iterable[Piece], most: int, seed: tuple[int, int]) -> tuple[Piece, ...]:
    listed = list(pieces)
    order = np.random.default_rng(seed).permutation(len(listed))
    return tuple(listed[index] for index in order[:most])


def gather_material(
    config: AugmentConfig,
    noises: Sequence[np.ndarray],
    voices: Sequence[Piece],
    words: Sequence[Piece],
    seed: int,
    sample_rate_hz: int,
) -> Material:
    """Read, or make, all that the recipe's augmentation needs.

    Parameters
    ----------
    noises : the corpus's own background recordings; those of ``noise_folder`` are added.
    voices, words : as :func:`pick_voices` and :func:`pick_words` chose them. One that cannot be
        read is left out: it is among the training clips, where it is counted and named.

    Raises
    ------
    DataError
        When a folder of the recipe is missing or has no sound file, one of its files cannot be
        used, or there is no word to say beside others.
    """
    noise_files, impulse_files = _noise_files(config), _impulse_files(config)
    rooms: list[Room] = []
    if impulse_files:
        rooms = _read_impulses(impulse_files, seed, sample_rate_hz)
    elif config.room_probability > 0:
        rng = np.random.default_rng((seed, _ROOM))
        rooms = [make_room(config.room_rt60_s, rng, sample_rate_hz) for _ in range(ROOMS)]
    said = [cut_out(clip, sample_rate_hz) for clip in _read_voices(words, sample_rate_hz)]
    said = [word for word in said if len(word)]
    if config.context_probability > 0 and not said:
        raise DataError(
            "augment.context_probability: no clip of unknown words to lay beside others; expected "
            "some in the training split, or context_probability 0"
        )
    return Material(
        noises=[*noises, *_read_noises(noise_files, seed, sample_rate_hz)],
        voices=_read_voices(voices, sample_rate_hz),
        rooms=rooms,
        words=said,
    )


def material_files(config: AugmentConfig) -> list[Path]:
    """The files of the recipe's folders on which augmented clips depend; see above for errors."""
    return [*_noise_files(config), *_impulse_files(config)]


def _noise_files(config: AugmentConfig) -> list[Path]:
    if config.noise_folder is None or config.noise_probability == 0:
        return []
    return _sounds(Path(config.noise_folder), "augment.noise_folder")


def _impulse_files(config: AugmentConfig) -> list[Path]:
    if config.impulse_folder is None or config.room_probability == 0:
        return []
    return _sounds(Path(config.impulse_folder), "augment.impulse_folder")


def _sounds(folder: Path, key: str) -> list[Path]:
    """All sound files in a folder and below it, sorted; links to folders are not followed."""
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise DataError(f"{key}: {folder}: {found}, expected a folder of sound files")
    paths = [Path(place) / name for place, _, names in os.walk(folder) for name in names]
    sounds = [
        path
        for path in paths
        if path.suffix.lower() in io.SUFFIXES and not path.name.startswith(".")
    ]
    if not sounds:
        raise DataError(
            f"{key}: {folder}: no sound file among {len(paths)} files; expected "
            f"{', '.join(io.SUFFIXES)}"
        )
    return sorted(sounds)


def _read_noises(files: list[Path], seed: int, sample_rate_hz: int) -> list[np.ndarray]:
    """A piece of each file, in a random order, until there is enough; all, where they are few."""
    rng = np.random.default_rng((seed, _NOISE))
    share_s = max(_SHORTEST_NOISE_S, NOISE_S / max(1, len(files)))
    longest, left = round(share_s * sample_rate_hz), round(NOISE_S * sample_rate_hz)
    pieces: list[np.ndarray] = []
    for index in rng.permutation(len(files)):
        if left <= 0:
            break
        noise = _read(files[index], sample_rate_hz, "augment.noise_folder")
        start = int(rng.integers(max(1, len(noise) - longest + 1)))
        pieces.append(noise[start : start + longest].copy())  # the rest need not be kept
        left -= len(pieces[-1])
    return pieces


def _read_voices(voices: Sequence[Piece], sample_rate_hz: int) -> list[np.ndarray]:
    longest = round(_LONGEST_VOICE_S * sample_rate_hz)
    heard = []
    for path, start_s, duration_s in voices:
        try:
            audio = io.read(path, sample_rate_hz, start_s=start_s, duration_s=duration_s)
        except AudioError:
            continue
        heard.append(io.fit(audio, min(len(audio), longest)).copy())
    return heard


def _read_impulses(files: list[Path], seed: int, sample_rate_hz: int) -> list[Room]:
    rng, key = np.random.default_rng((seed, _ROOM)), "augment.impulse_folder"
    rooms = []
    for index in rng.permutation(len(files))[:IMPULSES]:
        path = files[index]
        try:
            rooms.append(as_room(path.name, _read(path, sample_rate_hz, key), sample_rate_hz))
        except ValueError as error:
            raise DataError(f"{key}: {path}: {error}; remove it") from error
    return rooms


def _read(path: Path, sample_rate_hz: int, key: str) -> np.ndarray:
    try:
        return io.read(path, sample_rate_hz)
    except AudioError as error:
        raise DataError(f"{key}: {error}") from error

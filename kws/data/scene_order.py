"""From a corpus to a folder of scenes: which words, which conditions, and a table of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kws.audio.io import LONGEST_S, length_s, read
from kws.data.corpus import read_clips
from kws.data.folder import NOISE_FOLDER, background_noises, sound_files
from kws.data.manifest import Clip, of_split
from kws.data.recordings import TABLE
from kws.data.scenes import LongSpeech, Material, Scene, cut_words, facts, write_scene
from kws.errors import DataError
from kws.files import require_new, write_table
from kws.progress import progress
from kws.recipe_data import SILENCE, UNKNOWN


@dataclass(frozen=True)
class SceneOrder:
    """What is wanted."""

    data: Path
    """Folder or manifest of clips"""
    keywords: tuple[str, ...]
    scenes: tuple[Scene, ...]
    split: str = "validation"
    takes: int = 12
    """Clips of each keyword in each scene, or all where there are fewer"""
    others: int | None = None
    """Clips of other words; where not given, as many as of all keywords"""
    speech: Path | None = None
    """Folder of recordings without keywords, for that background"""
    seed: int = 1
    sample_rate_hz: int = 16000


@dataclass(frozen=True)
class Made:
    """What came of it."""

    seconds: dict[str, float]
    """By the scene's name"""
    words: dict[str, int]
    """In each scene, by label"""
    left_out: tuple[str, ...]
    """A message for each clip in which no word was found, and each silent recording of speech"""
    noise: str
    """What the noise is made of, as a sentence; empty where no scene has any"""


def make_scenes(order: SceneOrder, out: Path) -> Made:
    """Write a recording and its label file for each scene, and the table of all.

    Raises
    ------
    DataError
        When ``out`` holds something, a keyword has no clip, a scene is wanted twice, a number is
        negative, or there is nothing to make a background of.
    AudioError
        When a recording of speech cannot be used.
    """
    require_new(out)
    if order.others is not None and order.others < 0:
        raise DataError(f"{order.others} clips of other words: expected 0 or more")
    names = [scene.name for scene in order.scenes]
    if len(set(names)) < len(names) or not names:
        raise DataError("scenes: expected each background, ratio and gain once, and at least one")
    chosen = _choose(order)
    rate = order.sample_rate_hz
    with progress("cutting words", len(chosen), "clips") as advance:
        words, without = cut_words(chosen, rate, advance)
    keywords = [word for word in words if word.label in order.keywords]
    others = [word for word in words if word.label not in order.keywords]
    words = keywords + others[: order.others]
    root = order.data if order.data.is_dir() else order.data.parent
    noises = tuple(background_noises(root, rate))
    speech, silent = _speech(order.speech, rate) if order.speech else ([], [])
    material = Material(
        words=tuple(words),
        noises=noises,
        voices=tuple(word.sound for word in others),
        speech=tuple(speech),
    )
    seconds = {}
    out.mkdir(parents=True, exist_ok=True)
    with progress("mixing scenes", len(order.scenes), "recordings") as advance:
        for scene in order.scenes:
            seconds[scene.name] = write_scene(out, scene, material, order.seed, rate)
            advance()
    rows = [facts(scene) for scene in order.scenes]
    write_table(out / TABLE, [*rows[0]], ([*row.values()] for row in rows))
    counts: dict[str, int] = defaultdict(int)
    for word in words:
        counts[word.label] += 1
    noisy = any(scene.background == "noise" for scene in order.scenes)
    noise = _noise_sentence(root / NOISE_FOLDER, len(noises)) if noisy else ""
    return Made(seconds, dict(sorted(counts.items())), (*without, *silent), noise)


def _noise_sentence(folder: Path, recordings: int) -> str:
    """Where the noise comes from: a detector may fare otherwise in another."""
    if recordings:
        return f"noise: cut from {recordings} recordings in {folder}, some synthetic"
    return f"noise: synthetic alone, for there are no recordings in {folder}"


def _speech(folder: Path, rate_hz: int) -> tuple[list[np.ndarray | LongSpeech], list[str]]:
    """The recordings of a folder, and a message for each that is silent."""
    found: list[np.ndarray | LongSpeech] = []
    silent = []
    for path in sound_files(folder):
        if (seconds := length_s(path)) > LONGEST_S:
            found.append(LongSpeech(path, seconds))
        elif (audio := read(path, rate_hz)).any():
            found.append(audio)
        else:
            silent.append(f"{path}: digital silence; expected speech")
    if not found:
        there = "only digital silence" if silent else "no sound files"
        raise DataError(f"{folder}: {there} in it; expected recordings of speech")
    return found, silent


def _choose(order: SceneOrder) -> list[Clip]:
    """Clips at random: ``takes`` a keyword, and as many other words, for babble, or more."""
    labels = (*order.keywords, UNKNOWN)
    clips = of_split(read_clips(order.data, labels), order.split, order.data)
    rng = np.random.default_rng([order.seed, 9])
    chosen: list[Clip] = []
    for keyword in order.keywords:
        there = [clip for clip in clips if clip.label == keyword]
        if not there:
            raise DataError(
                f"{order.data}: no {order.split} clip of {keyword!r}; expected some of each "
                "keyword: take another split, or other keywords"
            )
        chosen += _some(there, order.takes, rng)
    others = [clip for clip in clips if clip.label not in (*order.keywords, SILENCE)]
    return chosen + _some(others, max(len(chosen), order.others or 0), rng)


def _some(clips: Sequence[Clip], count: int, rng: np.random.Generator) -> list[Clip]:
    return [clips[index] for index in rng.permutation(len(clips))[:count]]

"""Features of clips and of made silence, clean or in augmented copies, a chunk at a time.

What a chunk becomes depends on its sources and the seed alone, not on who computes it or when.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kws.audio import io
from kws.audio.augment import augment
from kws.audio.features import extract
from kws.data.folder import background_noises, noise_files, read_folder
from kws.data.manifest import TRAINING, of_split, require_labels
from kws.data.silence import count_of_silence, held_out_part, make_silence, training_part
from kws.errors import AudioError, DataError
from kws.progress import progress
from kws.recipe import SILENCE, AugmentConfig, FeatureConfig

CHUNK = 128
"""Sources extracted and stored at a time."""
LONGEST_CLIP_S = 60.0
"""A longer file in a clip folder is not a clip."""
CLEAN_SEED = 20180409
"""Of the silence in clean splits: the same for all recipes, so that figures compare."""


@dataclass(frozen=True)
class Examples:
    """What a model learns from or is scored on."""

    features: np.ndarray
    """(examples, frames, size), float16 from the cache (a read-only memmap), else float32"""
    labels: np.ndarray
    """int32 (examples,), index in the labels"""
    bad: tuple[str, ...]
    """A message for each clip that could not be read; these are not among the examples."""
    key: str = ""
    """Of the cache: changes with everything that the features depend on."""
    made_silence: int = 0
    """How many of the examples of :func:`load_split` are silence made from noise."""


@dataclass(frozen=True)
class Source:
    """Where examples come from: a clip, or silence to be made where ``path`` is None."""

    path: Path | None
    label: int
    number: int
    """Counted within clips, and within made silence; decides the random numbers."""


@dataclass(frozen=True)
class Making:
    """How sources become features."""

    features: FeatureConfig
    clip_samples: int
    root: Path
    """Data folder, for its background recordings."""
    noise_times_ns: tuple[int, ...]
    """When these were changed: a process that has read them reads changed ones anew."""
    seed: int
    augment: AugmentConfig | None
    """None: clean, once, with noise from the recordings' held-out part."""

    @property
    def copies(self) -> int:
        return self.augment.copies if self.augment else 1


def list_sources(
    root: Path, labels: tuple[str, ...], split: str, silence_share: float
) -> list[Source]:
    """List a split's clips, and the silence to make: always in training, else where there is none.

    Raises
    ------
    DataError
        When the folder or the split has no clips, or, in training, a label has none.
    """
    clips = of_split(read_folder(root, labels), split, root)
    spoken = sum(clip.label != SILENCE for clip in clips)
    if split == TRAINING:
        require_labels(clips, labels[: labels.index(SILENCE)], split, root)
    sources = [Source(clip.path, labels.index(clip.label), i) for i, clip in enumerate(clips)]
    if split == TRAINING or spoken == len(clips):
        made = count_of_silence(spoken, silence_share)
        sources += [Source(None, labels.index(SILENCE), i) for i in range(made)]
    return sources


def make_features(
    sources: list[Source], making: Making
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Read, vary and extract some sources.

    Returns
    -------
    features float32 (copies, kept, frames, size), labels int32 (kept,), and a message for each
    clip that could not be read.
    """
    copies: list[list[np.ndarray]] = [[] for _ in range(making.copies)]
    labels, bad = [], []
    for source in sources:
        try:
            variants = _variants(source, making)
        except AudioError as error:
            bad.append(str(error))
            continue
        labels.append(source.label)
        for copy, audio in zip(copies, variants, strict=True):
            copy.append(audio)
    frames, config = making.features.frames(making.clip_samples), making.features
    features = np.zeros((making.copies, len(labels), frames, config.size), np.float32)
    if labels:
        for index, copy in enumerate(copies):
            features[index] = extract(np.stack(copy), config)
    return features, np.array(labels, np.int32), bad


def load_split(
    root: Path,
    labels: tuple[str, ...],
    features: FeatureConfig,
    clip_samples: int,
    split: str,
    silence_share: float = 0.1,
) -> Examples:
    """Read a split for scoring: clean clips, float32 features in memory, nothing cached.

    Parameters
    ----------
    root : data folder, as :func:`kws.data.folder.read_folder` describes it.
    labels : the model's classes; the others' folders count as ``unknown``.
    clip_samples : length to which clips are padded or cut, at the features' rate.
    split : ``training``, ``validation``, ``testing`` or ``all``.
    silence_share : silence to make where the split has none, as a share of all clips.

    Raises
    ------
    DataError
        As :func:`list_sources`; or when not one clip could be read.
    """
    sources = list_sources(root, labels, split, silence_share)
    making = Making(features, clip_samples, root, noise_times_ns(root), CLEAN_SEED, None)
    parts, bad = [], []
    with progress(f"reading {split} clips", len(sources), "clips") as advance:
        for start in range(0, len(sources), CHUNK):
            chunk = sources[start : start + CHUNK]
            values, indices, unreadable = make_features(chunk, making)
            parts.append((values[0], indices))
            bad += unreadable
            advance(len(chunk))
    made = sum(source.path is None for source in sources)
    if len(bad) == len(sources) - made:
        raise DataError(f"{root}: not one of {len(bad)} clips could be read; the first: {bad[0]}")
    return Examples(
        features=np.concatenate([values for values, _ in parts]),
        labels=np.concatenate([indices for _, indices in parts]),
        bad=tuple(bad),
        made_silence=made,
    )


def _variants(source: Source, making: Making) -> list[np.ndarray]:
    """Every copy of one source, float32 (clip_samples,) each."""
    rate, samples, config = making.features.sample_rate_hz, making.clip_samples, making.augment
    noises = _noises(making.root, making.noise_times_ns, rate, config is not None)
    rngs = [
        np.random.default_rng((making.seed, source.path is None, source.number, copy))
        for copy in range(making.copies)
    ]
    if source.path is None:
        return [make_silence(samples, noises, rng, rate) for rng in rngs]
    audio = io.read(source.path, rate, LONGEST_CLIP_S)
    if config is None:
        return [io.fit(audio, samples)]
    # A margin lets a shift bring in what a long recording has beside the middle.
    margin = round(config.shift_ms * rate / 1000)
    audio = io.fit(audio, samples + 2 * margin)
    return [io.fit(augment(audio, config, noises, rng, rate), samples) for rng in rngs]


def noise_times_ns(root: Path) -> tuple[int, ...]:
    """When the background recordings of a data folder were last changed."""
    return tuple(path.stat().st_mtime_ns for path in noise_files(root))


@functools.lru_cache(maxsize=2)
def _noises(
    root: Path, _times_ns: tuple[int, ...], sample_rate_hz: int, training: bool
) -> list[np.ndarray]:
    """One part of the background recordings, read once a process."""
    noises = background_noises(root, sample_rate_hz)
    return training_part(noises) if training else held_out_part(noises)

"""Features of clips and of made silence, clean or in augmented copies, a chunk at a time.

What a chunk becomes depends on its sources and the seed alone, not on who computes it or when.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kws.audio.features import extract
from kws.data.corpus import read_clips
from kws.data.manifest import TRAINING, of_split, require_labels
from kws.data.shards import Shards
from kws.data.silence import count_of_silence
from kws.data.variants import Making, Source, clean_making, variants
from kws.errors import AudioError, DataError
from kws.progress import progress
from kws.recipe import FeatureConfig
from kws.recipe_data import SILENCE

CHUNK = 128
"""Sources extracted and stored at a time."""


@dataclass(frozen=True)
class Examples:
    """What a model learns from or is scored on."""

    features: np.ndarray | Shards
    """(examples, frames, size), float16 shards from the cache, else float32"""
    labels: np.ndarray
    """int32 (examples,), index in the labels"""
    bad: tuple[str, ...]
    """A message for each clip that could not be read; these are not among the examples."""
    key: str = ""
    """Of the cache: changes with everything that the features depend on."""
    made_silence: int = 0
    """How many of the examples of :func:`load_split` are silence made from noise."""


def list_sources(
    root: Path, labels: tuple[str, ...], split: str, silence_share: float
) -> list[Source]:
    """List a split's clips, and the silence to make: always in training, else where there is none.

    Raises
    ------
    DataError
        When the folder or the split has no clips, or, in training, a label has none.
    """
    clips = of_split(read_clips(root, labels), split, root)
    spoken = sum(clip.label != SILENCE for clip in clips)
    if split == TRAINING:
        spoken_labels = tuple(label for label in labels if label != SILENCE)
        require_labels(clips, spoken_labels, split, root)
    index = {label: i for i, label in enumerate(labels)}
    kept = (clip for clip in clips if clip.label in index)
    sources = [
        Source(clip.path, index[clip.label], i, clip.start_s, clip.duration_s)
        for i, clip in enumerate(kept)
    ]
    if SILENCE in index and (split == TRAINING or spoken == len(clips)):
        made = count_of_silence(spoken, silence_share)
        sources += [Source(None, index[SILENCE], i) for i in range(made)]
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
            varied = variants(source, making)
        except AudioError as error:
            bad.append(str(error))
            continue
        labels.append(source.label)
        for copy, audio in zip(copies, varied, strict=True):
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
    root : data folder, or manifest, as :func:`kws.data.corpus.read_clips` takes it.
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
    making = clean_making(features, clip_samples, root)
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

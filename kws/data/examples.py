"""Features of clips and of made silence, clean or in augmented copies, a chunk at a time.

What a chunk becomes depends on its sources and the seed alone, not on who computes it or when.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kws.audio.features import extract
from kws.data.corpus import read_clips, read_extra
from kws.data.made_words import made_sources
from kws.data.manifest import (
    ALL,
    SPLITS,
    TESTING,
    TRAINING,
    VALIDATION,
    Clip,
    of_split,
    require_labels,
)
from kws.data.negatives import cut_negatives
from kws.data.shards import Shards
from kws.data.silence import count_of_silence
from kws.data.source import Source
from kws.data.spoken import Spoken
from kws.data.variants import Making, clean_making, variants
from kws.errors import AudioError, DataError
from kws.progress import progress
from kws.recipe import FeatureConfig, Recipe
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
    own: int = 0
    """Of the examples of :func:`kws.data.cache.load_examples`: how many of each copy are the data
    folder's own; those that the recipe added come after them."""


def list_sources(
    root: Path,
    labels: tuple[str, ...],
    split: str,
    silence_share: float,
    unseen_words: tuple[str, ...] = (),
) -> list[Source]:
    """List a split's clips, and the silence to make: always in training, else where there is none.

    Raises
    ------
    DataError
        When the folder or the split has no clips, or, in training, a label has none.
    """
    clips = [clip for clip in read_clips(root, labels) if clip.word not in unseen_words]
    clips = of_split(clips, split, root)
    spoken = sum(clip.label != SILENCE for clip in clips)
    if split == TRAINING:
        spoken_labels = tuple(label for label in labels if label != SILENCE)
        require_labels(clips, spoken_labels, split, root)
    index = {label: i for i, label in enumerate(labels)}
    kept = (clip for clip in clips if clip.label in index)
    sources = [_source(clip, index[clip.label], i) for i, clip in enumerate(kept)]
    if SILENCE in index and (split == TRAINING or spoken == len(clips)):
        made = count_of_silence(spoken, silence_share)
        sources += [Source(None, index[SILENCE], i) for i in range(made)]
    return sources


def more_sources(
    recipe: Recipe, sources: list[Source], spoken: Spoken | None = None
) -> list[Source]:
    """The recipe's further examples for training: of other folders, spoken, made, and further
    takes of the keywords' clips.

    ``sources`` and their random numbers stay as they are; what is made does not depend on the
    other folders.

    Parameters
    ----------
    spoken : what :func:`kws.data.spoken.speak` gives.

    Raises
    ------
    DataError
        When a folder of ``data.extra`` or ``data.negatives`` cannot be used.
    """
    data, clips = recipe.data, [source for source in sources if source.path is not None]
    more: list[Source] = []
    spoken = spoken or Spoken()
    roots = (*map(Path, data.extra), *spoken.corpora)
    extra = [clip for root in roots for clip in read_extra(root, data.labels, data.unseen)]
    for place in (*map(Path, data.negatives), *spoken.talk):
        extra += cut_negatives(place, data.clip_ms / 1000)
    for number, clip in enumerate(extra, start=len(clips)):
        more.append(_source(clip, data.labels.index(clip.label), number))
    more += _further_takes(recipe, clips)
    if data.made_unknown_share:
        count = round(data.made_unknown_share * len(clips))
        more += made_sources(clips, recipe, count)
    return more


def _further_takes(recipe: Recipe, clips: list[Source]) -> list[Source]:
    """The keywords' clips once more, as often as ``augment.keyword_takes`` asks for."""
    keywords = {recipe.data.labels.index(keyword) for keyword in recipe.data.keywords}
    said = [clip for clip in clips if clip.label in keywords]
    takes = range(1, recipe.augment.keyword_takes)
    return [replace(clip, take=take) for take in takes for clip in said]


def list_unseen(
    root: Path, labels: tuple[str, ...], split: str, unseen_words: tuple[str, ...]
) -> list[Source]:
    """List the clips of words that are kept out; a source's label is its word's index.

    Nothing was trained on them: for ``training`` and ``validation`` they are those of both splits.
    """
    splits = {ALL: SPLITS, TESTING: (TESTING,)}.get(split, (TRAINING, VALIDATION))
    clips = [
        clip
        for clip in read_clips(root, labels)
        if clip.word in unseen_words and clip.split in splits
    ]
    return [_source(clip, unseen_words.index(clip.word), i) for i, clip in enumerate(clips)]


def _source(clip: Clip, label: int, number: int) -> Source:
    word = clip.word or clip.label
    return Source(clip.path, label, number, clip.start_s, clip.duration_s, word)


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
            if not source.again:  # else it is one of the clips, and told there
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
    unseen_words: tuple[str, ...] = (),
) -> Examples:
    """Read a split for scoring: clean clips, float32 features in memory, nothing cached.

    Parameters
    ----------
    root : data folder, or manifest, as :func:`kws.data.corpus.read_clips` takes it.
    labels : the model's classes; the others' folders count as ``unknown``.
    clip_samples : length to which clips are padded or cut, at the features' rate.
    split : ``training``, ``validation``, ``testing`` or ``all``.
    silence_share : silence to make where the split has none, as a share of all clips.
    unseen_words : their clips are left out; :func:`load_unseen` reads them.

    Raises
    ------
    DataError
        As :func:`list_sources`; or when not one clip could be read.
    """
    sources = list_sources(root, labels, split, silence_share, unseen_words)
    examples = _read(sources, clean_making(features, clip_samples, root), f"{split} clips")
    made = sum(source.path is None for source in sources)
    if len(examples.bad) == len(sources) - made:
        raise DataError(
            f"{root}: not one of {len(examples.bad)} clips could be read; the first: "
            f"{examples.bad[0]}"
        )
    return replace(examples, made_silence=made)


def load_unseen(
    root: Path,
    labels: tuple[str, ...],
    features: FeatureConfig,
    clip_samples: int,
    split: str,
    unseen_words: tuple[str, ...],
) -> Examples:
    """Read the clips of words never heard, as :func:`load_split` does; there may be none.

    Returns
    -------
    examples whose labels are indices in ``unseen_words``.
    """
    sources = list_unseen(root, labels, split, unseen_words)
    return _read(sources, clean_making(features, clip_samples, root), "unseen words")


def _read(sources: list[Source], making: Making, what: str) -> Examples:
    frames = making.features.frames(making.clip_samples)
    parts = [np.zeros((0, frames, making.features.size), np.float32)]
    labels, bad = [np.zeros(0, np.int32)], []
    if not sources:
        return Examples(parts[0], labels[0], ())
    with progress(f"reading {what}", len(sources), "clips") as advance:
        for start in range(0, len(sources), CHUNK):
            chunk = sources[start : start + CHUNK]
            values, indices, unreadable = make_features(chunk, making)
            parts.append(values[0])
            labels.append(indices)
            bad += unreadable
            advance(len(chunk))
    return Examples(np.concatenate(parts), np.concatenate(labels), tuple(bad))

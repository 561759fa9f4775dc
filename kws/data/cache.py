"""Features on disk: made in parallel or on a cluster, resumed where a run was stopped.

``<cache>/<key>/`` holds shards (:mod:`kws.data.shards`) and, once they are complete, ``info.json``,
which says what they are.
"""

import json
import os
import shutil
import time
from hashlib import sha256
from pathlib import Path

import joblib
import numpy as np

from kws.data.big_files import check_space
from kws.data.cluster import cluster
from kws.data.examples import CHUNK, Examples, list_sources, make_features, more_sources
from kws.data.folder import noise_files
from kws.data.locks import filling
from kws.data.manifest import TRAINING
from kws.data.material import material_files
from kws.data.shards import Shards, is_written, read_facts, write_shard
from kws.data.source import Source
from kws.data.spoken import SPOKEN, speak
from kws.data.variants import Making, clean_making, training_making
from kws.errors import DataError, StorageError
from kws.files import write_json
from kws.progress import progress
from kws.recipe import Recipe

VERSION = 4
"""Raised whenever the code gives other features from the same recipe and clips."""
SHARD = 2 * CHUNK
"""Clips in a shard."""
_FEWEST_PARALLEL = 4
_SHOWN = 3


def load_examples(
    recipe: Recipe, root: Path, split: str, cache_root: Path, dask: str | None = None
) -> Examples:
    """Give a split's features, from the cache where they are in it.

    ``training``: ``augment.copies`` augmented copies of every clip, and silence made anew for each
    copy, ``data.silence_share`` of the total, and what the recipe adds: extra, spoken and made.
    Copy 0 of all clips comes first, then copy 1, and so on. Other splits, and ``all``: clean clips,
    once. Clips of ``data.unseen_words`` are in none of them.

    Parameters
    ----------
    root : data folder or manifest, as :func:`kws.data.corpus.read_clips` takes it.
    cache_root : folder of all caches.
    dask : address of a Dask scheduler whose workers make the features, and see the same folders.

    Returns
    -------
    examples whose features are a :class:`kws.data.shards.Shards`.

    Raises
    ------
    DataError
        When the folder cannot be used, a label has no clips, more than ``data.max_bad_fraction``
        of the clips cannot be read, or the cluster cannot be used.
    StorageError
        When the cache cannot be written, or was damaged.
    """
    labels = recipe.data.labels
    sources = list_sources(root, labels, split, recipe.data.silence_share, recipe.data.unseen)
    own = len(sources)
    if split == TRAINING:
        making = training_making(recipe, root, sources)
        with filling(cache_root, SPOKEN):
            spoken = speak(recipe, cache_root.parent / SPOKEN)
        sources += more_sources(recipe, sources, spoken)
    else:
        making = clean_making(recipe.features, recipe.clip_samples, root)
    folder = cache_root / _key(sources, own, making, split)
    with filling(cache_root, folder.name):
        if not (folder / "info.json").is_file():
            _build(folder, [sources[:own], sources[own:]], making, recipe, split, dask)
        examples = _open(folder)
        try:
            _check(examples, sources, labels, recipe.data.max_bad_fraction, split, root)
        except DataError:  # the clips will be mended: read them again next time
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return examples


def _key(sources: list[Source], own: int, making: Making, split: str) -> str:
    """A name that changes with everything that the features depend on."""
    on_the_fly = {"time_masks", "time_mask_frames", "band_masks", "band_mask_bands", "mixup_alpha"}
    told_apart = on_the_fly | {"keyword_takes"}  # by the sources
    material = material_files(making.augment) if making.augment else []
    facts: dict[str, object] = {
        "version": [VERSION, CHUNK, SHARD],
        "features": making.features.model_dump(),
        "augment": making.augment.model_dump(exclude=told_apart) if making.augment else None,
        "clip_samples": making.clip_samples,
        "seed": making.seed,
        "split": split,
        "root": str(making.root.resolve()),
        "noises": [_file_facts(path) for path in noise_files(making.root)],
        "material": [_file_facts(path) for path in material],
    }
    if own < len(sources):
        facts["own"] = own
    for name, pool in (("voices", making.voices), ("words", making.words)):
        if pool:
            facts[name] = [f"{path} {start_s}" for path, start_s, _ in pool]
    key = sha256(json.dumps(facts, sort_keys=True).encode())
    for one in sources:  # one at a time: there may be a million
        name, size, time_ns = _file_facts(one.path)
        line = f"{name}\0{size} {time_ns} {one.label} {one.start_s} {one.duration_s}\n"
        made = f"{one.made}\n" if one.made else ""  # of clips that are facts themselves
        key.update((line + made).encode(errors="surrogateescape"))
    return key.hexdigest()[:24]


def _file_facts(path: Path | None) -> tuple[str, int, int]:
    if path is None:  # silence
        return "", -1, 0
    name = str(path)
    try:
        found = os.stat(name)
    except OSError:  # a dangling link: it will be named as a clip that cannot be read
        return name, -1, 0
    return name, found.st_size, found.st_mtime_ns


def _build(
    folder: Path,
    origins: list[list[Source]],
    making: Making,
    recipe: Recipe,
    split: str,
    dask: str | None,
) -> None:
    """Make all shards that are missing; ``origins``, the folder's own and added, share none."""
    for torn in folder.glob(".*"):  # what a killed run was writing
        torn.unlink()
    own, added = ([some[at : at + SHARD] for at in range(0, len(some), SHARD)] for some in origins)
    parts = [*own, *added]
    todo = [index for index in range(len(parts)) if not is_written(folder, index)]
    clips = sum(len(parts[index]) for index in todo)
    row = (making.features.frames(making.clip_samples), making.features.size)
    need_bytes = 2 * making.copies * clips * row[0] * row[1]
    check_space(folder.parent, need_bytes, f"the features of {clips:,} {split} clips")
    # Starting a process takes as long as extracting a thousand clips.
    jobs = joblib.cpu_count() if making.copies * len(todo) >= _FEWEST_PARALLEL else 1
    with progress(f"extracting {split} clips", clips, "clips") as advance, cluster(dask):
        tasks = (joblib.delayed(_make_shard)(folder, i, parts[i], making) for i in todo)
        parallel = joblib.Parallel(-1 if dask else jobs, return_as="generator_unordered")
        for done in parallel(tasks):
            advance(done)
    facts = [read_facts(folder, index) for index in range(len(parts))]
    found = np.bincount(np.concatenate([labels for labels, _ in facts]))
    write_json(
        folder / "info.json",
        {
            "version": VERSION,
            "recipe": recipe.name,
            "data": str(making.root),
            "split": split,
            "copies": making.copies,
            "clips_by_label": dict(zip(recipe.data.labels, found.tolist(), strict=False)),
            "row": row,
            "shards": [len(labels) for labels, _ in facts],
            "own_shards": len(own),
            "bad": [message for _, messages in facts for message in messages],
        },
    )


def _make_shard(folder: Path, index: int, sources: list[Source], making: Making) -> int:
    """Make one shard's features and keep them; gives the number of its sources."""
    if not making.root.exists():
        raise DataError(f"{making.root}: not seen by a worker; it must be there on every machine")
    chunks = [sources[start : start + CHUNK] for start in range(0, len(sources), CHUNK)]
    made = [make_features(chunk, making) for chunk in chunks]
    features = np.concatenate([part.astype(np.float16) for part, _, _ in made], axis=1)
    labels = np.concatenate([part for _, part, _ in made])
    write_shard(folder, index, features, labels, [message for _, _, bad in made for message in bad])
    return len(sources)


def _open(folder: Path) -> Examples:
    try:
        info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
        facts = [read_facts(folder, index)[0] for index in range(len(info["shards"]))]
        labels = np.tile(np.concatenate(facts), info["copies"])
        shards = Shards(folder, info["shards"], info["copies"], tuple(info["row"]))
        own = sum(info["shards"][: info["own_shards"]])
        os.utime(folder / "info.json", (time.time(), time.time()))  # when it was last used
        return Examples(shards, labels, tuple(info["bad"]), folder.name, own=own)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{folder}: cached features are damaged ({error}); delete this folder, the next run "
            "makes it again"
        ) from error


def _check(
    examples: Examples,
    sources: list[Source],
    labels: tuple[str, ...],
    max_bad_fraction: float,
    split: str,
    root: Path,
) -> None:
    """Refuse too many unreadable clips, and a training label that has none left."""
    bad = examples.bad
    clips = sum(source.path is not None and not source.again for source in sources)
    first = "; ".join(bad[:_SHOWN]) + ("; ..." if len(bad) > _SHOWN else "")
    if len(bad) > max_bad_fraction * clips:
        raise DataError(
            f"{root}: {len(bad)} of {clips} {split} clips cannot be read, more than "
            f"data.max_bad_fraction {max_bad_fraction} allows: {first}: mend or remove them"
        )
    if split == TRAINING and len(there := np.unique(examples.labels)) < len(labels):
        missing = next(label for i, label in enumerate(labels) if i not in there)
        raise DataError(f"{root}: no training clip of {missing!r} can be read: {first}")

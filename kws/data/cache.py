"""Features on disk: made in parallel, kept as they come, opened as a memory map.

``<cache>/<key>/`` holds ``features.npy``, ``labels.npy`` and, once it is complete, ``info.json``.
Finished chunks lie in ``chunks/`` until then, so that a run that was stopped goes on from there.
"""

import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np

from kws.data.examples import (
    CHUNK,
    CLEAN_SEED,
    Examples,
    Making,
    Source,
    list_sources,
    make_features,
    noise_times_ns,
)
from kws.data.folder import noise_files
from kws.data.manifest import TRAINING
from kws.errors import DataError, StorageError
from kws.files import storage_error, whole, write_json
from kws.progress import progress
from kws.recipe import Recipe

VERSION = 2
"""Raised whenever the code gives other features from the same recipe and clips."""
_FEWEST_PARALLEL = 8
_SHOWN = 3


def load_examples(recipe: Recipe, root: Path, split: str, cache_root: Path) -> Examples:
    """Give a split's features, from the cache where they are in it.

    ``training``: ``augment.copies`` augmented copies of every clip, and silence made anew for each
    copy, ``data.silence_share`` of the total. Copy 0 of all clips comes first, then copy 1, and so
    on. Other splits, and ``all``: clean clips, once.

    Parameters
    ----------
    root : data folder, as :func:`kws.data.folder.read_folder` describes it.
    cache_root : folder of all caches.

    Returns
    -------
    examples with features float16 (examples, clip_frames, size), a read-only memory map.

    Raises
    ------
    DataError
        When the folder cannot be used, a label has no clips, or more than
        ``data.max_bad_fraction`` of the clips cannot be read.
    StorageError
        When the cache cannot be written, or was damaged.
    """
    labels = recipe.data.labels
    sources = list_sources(root, labels, split, recipe.data.silence_share)
    training = split == TRAINING
    making = Making(
        features=recipe.features,
        clip_samples=recipe.clip_samples,
        root=root,
        noise_times_ns=noise_times_ns(root),
        seed=recipe.seed if training else CLEAN_SEED,
        augment=recipe.augment if training else None,
    )
    key = _key(sources, making, split, root)
    folder = cache_root / key
    with _alone(cache_root):
        if not (folder / "info.json").is_file():
            _build(folder, sources, making, split)
        examples = _open(folder, key)
        try:
            _check(examples, sources, labels, recipe.data.max_bad_fraction, split, root)
        except DataError:  # the clips will be mended: read them again next time
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return examples


def _key(sources: list[Source], making: Making, split: str, root: Path) -> str:
    """A name that changes with everything that the features depend on."""
    on_the_fly = {"time_masks", "time_mask_frames", "band_masks", "band_mask_bands"}
    facts = {
        "version": [VERSION, importlib.metadata.version("librosa"), CHUNK],
        "features": making.features.model_dump(),
        "augment": making.augment.model_dump(exclude=on_the_fly) if making.augment else None,
        "clip_samples": making.clip_samples,
        "seed": making.seed,
        "split": split,
        "root": str(root.resolve()),
        "sources": [(*_file_facts(source.path, root), source.label) for source in sources],
        "noises": [_file_facts(path, root) for path in noise_files(root)],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


def _file_facts(path: Path | None, root: Path) -> tuple[str, int, int]:
    if path is None:
        return "", 0, 0
    name = str(path.relative_to(root))
    try:
        found = path.stat()
    except OSError:  # a dangling link: it will be named as a clip that cannot be read
        return name, -1, 0
    return name, found.st_size, found.st_mtime_ns


def _build(folder: Path, sources: list[Source], making: Making, split: str) -> None:
    chunks = [sources[start : start + CHUNK] for start in range(0, len(sources), CHUNK)]
    shards = [folder / "chunks" / f"{index:06d}.npz" for index in range(len(chunks))]
    todo = [(c, shard) for c, shard in zip(chunks, shards, strict=True) if not shard.is_file()]
    # Starting a process takes as long as extracting a few hundred clips.
    jobs = joblib.cpu_count() if len(todo) >= _FEWEST_PARALLEL else 1
    clips = sum(len(chunk) for chunk, _ in todo)
    with progress(f"extracting {split} clips", clips, "clips") as advance:
        tasks = (joblib.delayed(_write_shard)(chunk, making, shard) for chunk, shard in todo)
        for done in joblib.Parallel(jobs, return_as="generator_unordered")(tasks):
            advance(done)
    bad = _join(folder, shards, making)
    write_json(folder / "info.json", {"version": VERSION, "split": split, "bad": bad})
    shutil.rmtree(folder / "chunks", ignore_errors=True)


def _write_shard(chunk: list[Source], making: Making, shard: Path) -> int:
    """Make one chunk's features and keep them; gives the number of its sources."""
    features, labels, bad = make_features(chunk, making)
    with whole(shard) as temporary:
        np.savez(
            temporary,
            allow_pickle=False,
            features=features.astype(np.float16),
            labels=labels,
            bad=np.array(bad, dtype=np.str_),
        )
    return len(chunk)


def _join(folder: Path, shards: list[Path], making: Making) -> list[str]:
    """Write all shards into one array, copy-major; gives the messages of the bad clips.

    By plain writes: on a full disk a memory map would end the process instead of raising.
    """
    labels: list[np.ndarray] = []
    bad: list[str] = []
    for shard in shards:
        with np.load(shard, allow_pickle=False) as part:
            labels.append(part["labels"])
            bad += part["bad"].tolist()
    clips = sum(map(len, labels))
    config, frames = making.features, making.features.frames(making.clip_samples)
    shape = (making.copies * clips, frames, config.size)
    row = 2 * frames * config.size
    with whole(folder / "features.npy") as temporary, open(temporary, "wb") as file:
        header = {"descr": "<f2", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        start, done = file.tell(), 0
        for shard in shards:
            with np.load(shard, allow_pickle=False) as part:
                features = part["features"]
            for index, copy in enumerate(features):
                file.seek(start + (index * clips + done) * row)
                file.write(copy.tobytes())
            done += features.shape[1]
    with whole(folder / "labels.npy") as temporary:
        np.save(temporary, np.tile(np.concatenate(labels), making.copies))
    return bad


def _open(folder: Path, key: str) -> Examples:
    try:
        info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
        features = np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / "labels.npy", allow_pickle=False)
        return Examples(features, labels, tuple(info["bad"]), key)
    except (OSError, ValueError, KeyError) as error:
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
    bad, clips = examples.bad, sum(source.path is not None for source in sources)
    first = "; ".join(bad[:_SHOWN]) + ("; ..." if len(bad) > _SHOWN else "")
    if len(bad) > max_bad_fraction * clips:
        raise DataError(
            f"{root}: {len(bad)} of {clips} {split} clips cannot be read, more than "
            f"data.max_bad_fraction {max_bad_fraction} allows: {first}: mend or remove them"
        )
    if split == TRAINING and len(there := np.unique(examples.labels)) < len(labels):
        missing = next(label for i, label in enumerate(labels) if i not in there)
        raise DataError(f"{root}: no training clip of {missing!r} can be read: {first}")


@contextmanager
def _alone(cache_root: Path) -> Iterator[None]:
    """Let one process at a time build; another that wants the same waits, then has it."""
    try:
        cache_root.mkdir(parents=True, exist_ok=True)
        with open(cache_root / ".lock", "w") as lock:
            if os.name == "posix":
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise storage_error(error, cache_root) from error

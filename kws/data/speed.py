"""How fast features are made from sound files, beside a plain loop, for ``make bench``."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from kws.audio.features import extract
from kws.audio.io import read, write
from kws.data.cache import load_examples
from kws.recipe import FeatureConfig, Recipe
from kws.recipe_io import parse_recipe

CLIPS = 8192
LOOPED = 2048
"""Clips that the slow ways take: their rates do not depend on the number."""
ROUNDS = 2
WORDS = ("yes", "no", "other")


def preparation_rates(folder: Path) -> dict[str, float]:
    """Clips a second, from sound files to features, each way in turn; also of augmented copies.

    The clips are a second of noise, as 16-bit WAV. Worker processes are started before the clock
    is: that takes two seconds once, whatever the size of the corpus. A process has one core: NumPy
    may start no threads. The ways take turns, and the best of two rounds counts: machines are
    noisy.

    Parameters
    ----------
    folder : an empty one, for clips and caches.
    """
    data = {"keywords": list(WORDS[:2]), "silence_share": 0.0}
    recipe = parse_recipe({"name": "bench", "data": data, "model": {"units": [1]}}, "bench")
    paths = _write_clips(folder / "data", CLIPS, recipe.features.sample_rate_hz)
    _write_clips(folder / "few", LOOPED, recipe.features.sample_rate_hz)
    ways = {"librosa.load and melspectrogram, file by file": partial(_looped, paths, recipe)}
    for kind, place, split in (("clean", "data", "all"), ("augmented", "few", "training")):
        for processes in (1, os.cpu_count() or 1):
            name = f"this toolkit, {kind}, {processes} process{'es' if processes > 1 else ''}"
            ways[name] = partial(_prepared, recipe, folder / place, split, processes)
    rates = dict.fromkeys(ways, 0.0)
    with threadpool_limits(1):
        for _ in range(ROUNDS):
            for name, measure in ways.items():
                rates[name] = max(rates[name], measure())
    return rates


def _looped(paths: list[Path], recipe: Recipe) -> float:
    _plain_loop(paths[:8], recipe.features)
    start = time.perf_counter()
    _plain_loop(paths[:LOOPED], recipe.features)
    return LOOPED / (time.perf_counter() - start)


def _prepared(recipe: Recipe, root: Path, split: str, processes: int) -> float:
    with _processes(processes):
        some = sorted((root / WORDS[0]).iterdir())[:64]
        joblib.Parallel(processes)(  # starts them, and lets each load the code it needs
            joblib.delayed(_extract_one)(path, recipe.features) for path in some
        )
        cache = root.parent / "cache"
        start = time.perf_counter()
        made = len(load_examples(recipe, root, split, cache).labels)
        rate = made / (time.perf_counter() - start)
    shutil.rmtree(cache)
    return rate


def _extract_one(path: Path, config: FeatureConfig) -> None:
    extract(read(path, config.sample_rate_hz), config)
    time.sleep(0.05)  # so that no process takes all of them


def _plain_loop(paths: list[Path], config: FeatureConfig) -> None:
    """What one writes first; settings as in ``config``."""
    import librosa

    for path in paths:
        audio, rate = librosa.load(path, sr=config.sample_rate_hz)
        mel = librosa.feature.melspectrogram(
            y=audio,
            sr=rate,
            n_fft=config.fft_size,
            hop_length=config.hop_samples,
            n_mels=config.mel_bands,
            fmin=config.low_hz,
            fmax=config.high_hz,
        )
        librosa.power_to_db(mel)


def _write_clips(root: Path, count: int, sample_rate_hz: int) -> list[Path]:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 2 * sample_rate_hz).astype(np.float32)
    paths = []
    for i in range(count):
        start = int(rng.integers(sample_rate_hz))
        path = root / WORDS[i % len(WORDS)] / f"{i}_nohash_0.wav"
        write(path, noise[start : start + sample_rate_hz], sample_rate_hz)
        paths.append(path)
    return paths


@contextmanager
def _processes(count: int) -> Iterator[None]:
    """Let joblib think that the machine has ``count`` cores."""
    name = "LOKY_MAX_CPU_COUNT"
    before = os.environ.get(name)
    os.environ[name] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before

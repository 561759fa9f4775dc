"""How fast features are made from sound files, beside a plain loop, for ``make bench``."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from kws.audio.io import write
from kws.data.cache import load_examples
from kws.recipe import FeatureConfig, Recipe
from kws.recipe_io import parse_recipe

CLIPS = 8192
LOOPED = 512
"""Clips that the plain loop takes: its rate does not depend on their number."""
WORDS = ("yes", "no", "other")


def preparation_rates(folder: Path) -> dict[str, float]:
    """Clips a second, from the same sound files to clean features, each way in turn.

    The clips are a second of noise, as 16-bit WAV. Worker processes are started before the clock
    is: that takes two seconds once, whatever the size of the corpus.

    Parameters
    ----------
    folder : an empty one, for clips and caches.
    """
    values = {"name": "bench", "data": {"keywords": list(WORDS[:2])}, "model": {"units": [1]}}
    recipe, root = parse_recipe(values, "bench"), folder / "data"
    paths = _write_clips(root, recipe.features.sample_rate_hz)
    _plain_loop(paths[:8], recipe.features)
    rates = {"librosa.load and melspectrogram, file by file": _rate(paths[:LOOPED], recipe)}
    for processes in (1, os.cpu_count() or 1):
        with _processes(processes):
            load_examples(recipe, root, "validation", folder / f"warm{processes}")
            start = time.perf_counter()
            examples = load_examples(recipe, root, "all", folder / f"cache{processes}")
            made = len(examples.labels)
            name = f"this toolkit, {processes} process{'es' if processes > 1 else ''}"
            rates[name] = made / (time.perf_counter() - start)
    return rates


def _rate(paths: list[Path], recipe: Recipe) -> float:
    start = time.perf_counter()
    _plain_loop(paths, recipe.features)
    return len(paths) / (time.perf_counter() - start)


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


def _write_clips(root: Path, sample_rate_hz: int) -> list[Path]:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 2 * sample_rate_hz).astype(np.float32)
    paths = []
    for i in range(CLIPS):
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

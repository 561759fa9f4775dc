"""What a clip becomes: itself, or augmented copies of it; and silence, made from noise.

It depends on the source and the seed alone, not on who computes it or when.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kws.audio import io
from kws.audio.augment import augment_clip, through_device
from kws.audio.steps import Log, Material
from kws.data.folder import background_noises, noise_files
from kws.data.material import Piece, gather_material, material_files, pick_voices
from kws.data.silence import held_out_part, make_silence, training_part
from kws.recipe import AugmentConfig, FeatureConfig, Recipe

LONGEST_CLIP_S = 60.0
"""A longer file in a clip folder is not a clip."""
CLEAN_SEED = 20180409
"""Of the silence in clean splits: the same for all recipes, so that figures compare."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where examples come from: a clip, or silence to be made where ``path`` is None."""

    path: Path | None
    label: int
    number: int
    """Counted within clips, and within made silence; decides the random numbers."""
    start_s: float = 0.0
    duration_s: float | None = None


@dataclass(frozen=True)
class Making:
    """How sources become features."""

    features: FeatureConfig
    clip_samples: int
    root: Path
    """Data folder or manifest, for the background recordings there."""
    noise_times_ns: tuple[int, ...]
    """When these were changed: a process that has read them reads changed ones anew."""
    seed: int
    augment: AugmentConfig | None
    """None: clean, once, with noise from the recordings' held-out part."""
    voices: tuple[Piece, ...] = ()
    """Training clips of which babble is made."""

    @property
    def copies(self) -> int:
        return self.augment.copies if self.augment else 1


def training_making(recipe: Recipe, root: Path, sources: list[Source]) -> Making:
    """How a recipe's training sources become features.

    Raises
    ------
    DataError
        When a folder of the recipe's augment section is missing or has no sound file.
    """
    config = recipe.augment
    pieces = ((s.path, s.start_s, s.duration_s) for s in sources if s.path is not None)
    return Making(
        features=recipe.features,
        clip_samples=recipe.clip_samples,
        root=root,
        noise_times_ns=noise_times_ns(root, config),
        seed=recipe.seed,
        augment=config,
        voices=pick_voices(pieces, config, recipe.seed),
    )


def clean_making(features: FeatureConfig, clip_samples: int, root: Path) -> Making:
    """How sources become features where they are scored: as they are."""
    return Making(features, clip_samples, root, noise_times_ns(root), CLEAN_SEED, augment=None)


def variants(source: Source, making: Making, logs: list[Log] | None = None) -> list[np.ndarray]:
    """Every copy of one source, float32 (clip_samples,) each.

    Parameters
    ----------
    logs : gets a list for each copy of what was drawn for it.

    Raises
    ------
    AudioError
        When the clip cannot be read.
    """
    rate, samples, config = making.features.sample_rate_hz, making.clip_samples, making.augment
    material = _material(
        making.root, making.noise_times_ns, rate, config, making.voices, making.seed
    )
    audio = None if source.path is None else read_clip(source, rate)
    if audio is not None and config is None:
        return [io.fit(audio, samples)]
    copies = []
    for copy in range(making.copies):
        rng = np.random.default_rng((making.seed, audio is None, source.number, copy))
        log: Log = []
        if audio is not None and config is not None:
            varied = augment_clip(audio, samples, config, material, rng, rate, log)
        else:
            varied = make_silence(samples, material.noises, rng, rate)
            if config is not None:
                varied = through_device(varied, config, rng, rate, log)
        copies.append(varied)
        if logs is not None:
            logs.append(log)
    return copies


def read_clip(source: Source, sample_rate_hz: int) -> np.ndarray:
    """A clip as it was recorded, float32 (samples,); AudioError where it cannot be read."""
    assert source.path is not None, "made silence has no recording"
    return io.read(source.path, sample_rate_hz, LONGEST_CLIP_S, source.start_s, source.duration_s)


def noise_times_ns(root: Path, config: AugmentConfig | None = None) -> tuple[int, ...]:
    """When a data folder's background recordings, and a recipe's own files, were last changed."""
    files = noise_files(root) + (material_files(config) if config else [])
    return tuple(path.stat().st_mtime_ns for path in files)


@functools.lru_cache(maxsize=2)
def _material(
    root: Path,
    _times_ns: tuple[int, ...],
    sample_rate_hz: int,
    config: AugmentConfig | None,
    voices: tuple[Piece, ...],
    seed: int,
) -> Material:
    """What clips are varied with, read once a process; clean splits have held-out noise alone."""
    noises = background_noises(root, sample_rate_hz)
    if config is None:
        return Material(held_out_part(noises))
    return gather_material(config, training_part(noises), voices, seed, sample_rate_hz)

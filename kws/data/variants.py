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
from kws.data.made_words import make_word
from kws.data.material import gather_material, material_files, pick_voices, pick_words
from kws.data.silence import held_out_part, make_silence, training_part
from kws.data.source import Made, Piece, Source
from kws.recipe import AugmentConfig, FeatureConfig, Recipe
from kws.recipe_data import UNKNOWN

LONGEST_CLIP_S = 60.0
"""A longer file in a clip folder is not a clip."""
CLEAN_SEED = 20180409
"""Of the silence in clean splits: the same for all recipes, so that figures compare."""


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
    """Training clips of which babble is made: those of no keyword, where there are some."""
    words: tuple[Piece, ...] = ()
    """Training clips whose words are said beside others."""

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
    clips = [source for source in sources if source.path is not None]
    unknown = recipe.data.labels.index(UNKNOWN) if recipe.data.unknown else None
    others = [clip.piece for clip in clips if clip.label == unknown]
    return Making(
        features=recipe.features,
        clip_samples=recipe.clip_samples,
        root=root,
        noise_times_ns=noise_times_ns(root, config),
        seed=recipe.seed,
        augment=config,
        voices=pick_voices(others or [clip.piece for clip in clips], config, recipe.seed),
        words=pick_words(others, config, recipe.seed),
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
        making.root, making.noise_times_ns, rate, config, making.voices, making.words, making.seed
    )
    recorded = source.path is not None and not source.made
    audio = read_clip(source, rate) if recorded else None
    if audio is not None and config is None:
        return [io.fit(audio, samples)]
    copies = []
    for copy in range(making.copies):
        drawn = source.take * making.copies + copy
        rng = np.random.default_rng((making.seed, _kind(source), source.number, drawn))
        log: Log = []
        if config is not None and source.path is not None:
            spoken = _made(source.made[copy], samples, rate, rng, log) if audio is None else audio
            varied = augment_clip(spoken, samples, config, material, rng, rate, log)
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
    return _read(source.piece, sample_rate_hz)


def _read(piece: Piece, sample_rate_hz: int) -> np.ndarray:
    path, start_s, duration_s = piece
    return io.read(path, sample_rate_hz, LONGEST_CLIP_S, start_s, duration_s)


def _kind(source: Source) -> int:
    """Clips, silence and made words have random numbers of their own."""
    return 1 if source.path is None else 2 if source.made else 0


def _made(
    made: Made, samples: int, sample_rate_hz: int, rng: np.random.Generator, log: Log
) -> np.ndarray:
    log.append(
        (made.how, " + ".join(f"{path.parent.name}/{path.name}" for path, *_ in made.pieces))
    )
    clips = {piece: io.fit(_read(piece, sample_rate_hz), samples) for piece in made.pieces}
    return make_word(made.how, [clips[piece] for piece in made.pieces], rng, sample_rate_hz)


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
    words: tuple[Piece, ...],
    seed: int,
) -> Material:
    """What clips are varied with, read once a process; clean splits have held-out noise alone."""
    noises = background_noises(root, sample_rate_hz)
    if config is None:
        return Material(held_out_part(noises))
    return gather_material(config, training_part(noises), voices, words, seed, sample_rate_hz)

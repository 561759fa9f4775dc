"""Training clips varied as the world varies them, step by step from the speaker to the file.

All randomness comes from the generator passed in. Speed, shift, noise and gain draw from it; every
other kind has a generator of its own, spawned from it, so that switching a kind on or off leaves
the random numbers of all others as they were.
"""

from dataclasses import replace

import numpy as np

from kws.audio import io
from kws.audio.steps import DEVICE, OWN, SOMETIMES, SPAWNED, STEPS, Chain, Log, Material, Step
from kws.recipe import AugmentConfig


def augment_clip(
    audio: np.ndarray,
    samples: int,
    config: AugmentConfig,
    material: Material,
    rng: np.random.Generator,
    sample_rate_hz: int,
    log: Log | None = None,
) -> np.ndarray:
    """Vary a recording as :func:`augment` does, and cut the clip from its middle.

    A margin lets a shift bring in what a long recording has beside the middle.

    Returns
    -------
    float32 (samples,).
    """
    margin = round(config.shift_ms * sample_rate_hz / 1000)
    wide = io.fit(audio, samples + 2 * margin)
    return io.fit(augment(wide, config, material, rng, sample_rate_hz, log), samples)


def augment(
    audio: np.ndarray,
    config: AugmentConfig,
    material: Material,
    rng: np.random.Generator,
    sample_rate_hz: int,
    log: Log | None = None,
) -> np.ndarray:
    """Vary one clip by every kind that the recipe switches on.

    Parameters
    ----------
    audio : float32 (samples,), full scale -1..1.
    config : probabilities, and the ranges from which values are drawn, uniformly (levels in dB).
    material : noises, voices and rooms; at least one of what a probability above 0 asks for.
    rng : decides everything; a new one from the same seed gives the same samples.
    sample_rate_hz : of ``audio`` and ``material``.
    log : what was drawn is appended to it.

    Returns
    -------
    float32, as many samples as the speed leaves, clipped to -1..1 as a converter would.
    """
    varied = _run(audio, STEPS, Chain(config, material, sample_rate_hz, _or_new(log)), rng)
    return np.clip(varied, -1.0, 1.0)


def through_device(
    audio: np.ndarray,
    config: AugmentConfig,
    rng: np.random.Generator,
    sample_rate_hz: int,
    log: Log | None = None,
) -> np.ndarray:
    """Send made silence through equalizer, band and codec, as often as speech.

    Without that, a model could tell silence from speech by its missing telephone.
    """
    chain = Chain(config, Material(), sample_rate_hz, _or_new(log))
    return _run(audio, {name: STEPS[name] for name in DEVICE}, chain, rng)


def _run(
    audio: np.ndarray, steps: dict[str, Step], chain: Chain, rng: np.random.Generator
) -> np.ndarray:
    own = _own_generators(chain.config, rng)
    for name, step in steps.items():
        applied = name not in own or own[name].random() < _probability(chain.config, name)
        if name not in OWN:
            varied = step(audio, chain if applied else replace(chain, log=[]), rng)
            audio = varied if applied else audio
        elif name in own and applied:
            audio = step(audio, chain, own[name])
    return audio


def _own_generators(
    config: AugmentConfig, rng: np.random.Generator
) -> dict[str, np.random.Generator]:
    """A generator for each kind that needs its own to decide; nothing is drawn from ``rng``."""
    needed = [name for name in OWN if _probability(config, name) > 0]
    needed += [name for name in SOMETIMES if _probability(config, name) < 1]
    if not needed:
        return {}
    return {
        name: own
        for name, own in zip(SPAWNED, rng.spawn(len(SPAWNED)), strict=True)
        if name in needed
    }


def _probability(config: AugmentConfig, name: str) -> float:
    return float(getattr(config, f"{name}_probability"))


def _or_new(log: Log | None) -> Log:
    return [] if log is None else log

"""Silence clips: noise without speech, over the whole range of levels that a device meets.

A model that has learned silence at one level takes other levels for a word.
"""

from collections.abc import Sequence

import numpy as np

from kws.audio.noise import cut_noise

DIGITAL_ZERO_SHARE = 0.05
"""Share of clips that are all zeros, as from a microphone that is switched off."""
LOWEST_DB, HIGHEST_DB = -90.0, 6.0
"""Range of the loudest sample before clipping, dB of full scale; uniform in dB."""
_TRAINING_PART = 0.8


def make_silence(
    samples: int, noises: Sequence[np.ndarray], rng: np.random.Generator, sample_rate_hz: int
) -> np.ndarray:
    """Make one clip of silence.

    A piece of a recording from a random place, or synthetic noise, brought to a random level; or
    digital zero.

    Parameters
    ----------
    noises : recordings, float32 at ``sample_rate_hz``; may be empty.
    rng : decides everything.

    Returns
    -------
    float32 (samples,), -1..1.
    """
    if rng.random() < DIGITAL_ZERO_SHARE:
        return np.zeros(samples, np.float32)
    noise = cut_noise(noises, samples, rng, sample_rate_hz)
    level_db = rng.uniform(LOWEST_DB, HIGHEST_DB)
    peak = float(np.abs(noise).max(initial=0.0))
    if peak == 0.0:  # the recording itself is silent there
        return np.zeros(samples, np.float32)
    return np.clip(noise * np.float32(10.0 ** (level_db / 20.0) / peak), -1.0, 1.0)


def count_of_silence(clips: int, share: float) -> int:
    """Number of silence clips that make up ``share`` of the total beside ``clips`` others.

    At least one; ``share`` lies in 0..0.5, 0 itself gives none.
    """
    return max(1, round(clips * share / (1.0 - share))) if share > 0 else 0


def training_part(noises: list[np.ndarray]) -> list[np.ndarray]:
    """The first four fifths of each recording, for training."""
    return [noise[: _boundary(noise)] for noise in noises]


def held_out_part(noises: list[np.ndarray]) -> list[np.ndarray]:
    """The rest of each recording, which training never hears."""
    return [noise[_boundary(noise) :] for noise in noises]


def _boundary(noise: np.ndarray) -> int:
    return max(1, int(len(noise) * _TRAINING_PART))

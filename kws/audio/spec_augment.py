"""Augmentation of features, a batch at a time: SpecAugment's masks, and mixup."""

import numpy as np

from kws.recipe import AugmentConfig


def spec_augment(
    features: np.ndarray, config: AugmentConfig, rng: np.random.Generator
) -> np.ndarray:
    """Mask stretches of time and of bands, each clip its own (Park et al. 2019, "SpecAugment").

    What is masked takes the mean of its band over the batch, which normalisation makes zero.

    Parameters
    ----------
    features : float (batch, frames, size), raw.
    config : numbers and widest widths of the masks; widths are uniform from 0 up.

    Returns
    -------
    a new array of the same shape and type; ``features`` itself where there are no masks to set.
    """
    batch, frames, size = features.shape
    masked = np.zeros((batch, frames, size), dtype=bool)
    for _ in range(config.time_masks):
        masked |= _stretches(batch, frames, config.time_mask_frames, rng)[:, :, None]
    for _ in range(config.band_masks):
        masked |= _stretches(batch, size, config.band_mask_bands, rng)[:, None, :]
    if not masked.any():
        return features
    mean = features.mean(axis=(0, 1), dtype=np.float64).astype(features.dtype)
    return np.where(masked, mean, features)


def mixup(
    features: np.ndarray, targets: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mix each clip of a batch with another, and their targets alike (Zhang et al. 2018, "mixup").

    Clip ``i`` becomes ``share * clip i + (1 - share) * clip other(i)``; the other clips are the
    batch in a random order. Shares are drawn from Beta(alpha, alpha), one for each clip.

    Parameters
    ----------
    features : float (batch, frames, size).
    targets : float (batch, labels), one-hot or soft.
    alpha : small: nearly always one of the two; 1: any share alike. 0: nothing is mixed or drawn.

    Returns
    -------
    new arrays of the same shapes and types; the given ones where alpha is 0.
    """
    if alpha == 0.0:
        return features, targets
    batch = len(features)
    share, other = rng.beta(alpha, alpha, batch), rng.permutation(batch)
    return _mixed(features, share, other), _mixed(targets, share, other)


def _mixed(values: np.ndarray, share: np.ndarray, other: np.ndarray) -> np.ndarray:
    own = share.reshape(-1, *(1,) * (values.ndim - 1)).astype(values.dtype)
    return own * values + (1 - own) * values[other]


def _stretches(batch: int, length: int, widest: int, rng: np.random.Generator) -> np.ndarray:
    """bool (batch, length), true on one random stretch of 0 to ``widest`` places in each row."""
    widths = rng.integers(0, min(widest, length) + 1, batch)
    starts = rng.integers(0, length - widths + 1)
    places = np.arange(length)
    return (places >= starts[:, None]) & (places < (starts + widths)[:, None])

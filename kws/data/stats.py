"""Statistics of the training features, for normalisation and for the int8 scale of the input."""

from dataclasses import dataclass

import numpy as np

from kws.data.shards import Shards

_CHUNK = 4096


@dataclass(frozen=True)
class FeatureStats:
    """Of raw features, over training clips alone."""

    mean: np.ndarray
    """(size,), by band"""
    deviation: float
    """Root mean square distance from the mean, over all bands"""
    low: float
    high: float
    """Lowest and highest value: the range of the int8 input"""


def feature_stats(features: Shards | np.ndarray) -> FeatureStats:
    """Measure (examples, frames, size) features, in chunks and double precision."""
    size, count = features.shape[2], features.shape[0] * features.shape[1]
    total, squares = np.zeros(size), np.zeros(size)
    low, high = np.inf, -np.inf
    for start in range(0, len(features), _CHUNK):
        chunk = features[start : start + _CHUNK].astype(np.float64)
        total += chunk.sum(axis=(0, 1))
        squares += (chunk**2).sum(axis=(0, 1))
        low, high = min(low, chunk.min()), max(high, chunk.max())
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    return FeatureStats(mean, float(np.sqrt(variance.mean())) or 1.0, float(low), float(high))

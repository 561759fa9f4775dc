"""Untrained models: to know a size before anything is trained, and for tests."""

import numpy as np

from kws.recipe import FeatureConfig
from kws.tflite.weights import Direction, ModelWeights

_RANGES = {
    **dict.fromkeys(("x.zr", "x.n", "h.zr", "h.n"), (-8.0, 8.0)),
    "zr": (-6.0, 6.0),
    **dict.fromkeys(("n", "reset"), (-4.0, 4.0)),
}


def random_weights(
    units: tuple[int, ...],
    bidirectional: bool,
    classes: int,
    seed: int = 0,
    per_channel: bool = False,
) -> ModelWeights:
    """A model over default log-mel features whose posteriors differ from frame to frame.

    Parameters
    ----------
    units : of each layer, bottom up; of each direction where ``bidirectional``.
    classes : number of labels.
    """
    rng, size = np.random.default_rng(seed), FeatureConfig().size
    layers, width = [], size
    for count in units:
        directions = [_direction(rng, width, count) for _ in range(2 if bidirectional else 1)]
        layers.append(tuple(directions))
        width = count * len(directions)
    return ModelWeights(
        layers=tuple(layers),
        head_kernel=rng.normal(0, 2 * width**-0.5, (width, classes)),
        head_bias=rng.normal(0, 0.1, classes),
        logits_range=(-8.0, 8.0),
        mean=rng.normal(-35, 5, size),
        deviation=15.0,
        feature_range=(-70.0, 25.0),
        per_channel=per_channel,
    )


def _direction(rng: np.random.Generator, size: int, units: int) -> Direction:
    return Direction(
        rng.normal(0, size**-0.5, (size, 3 * units)),
        rng.normal(0, units**-0.5, (units, 3 * units)),
        rng.normal(0, 0.1, (2, 3 * units)),
        _RANGES,
    )

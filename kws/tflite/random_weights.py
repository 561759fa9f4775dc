"""Untrained models: to know a size before anything is trained, and for tests."""

import numpy as np

from kws.nn.cells import CELLS
from kws.recipe_model import ModelConfig, StemBlock
from kws.tflite.weights import Attend, Convolution, Direction, ModelWeights

_PRODUCT, _STEP = (-8.0, 8.0), (-4.0, 4.0)


def random_weights(
    config: ModelConfig, classes: int, size: int = 40, seed: int = 0, per_channel: bool = False
) -> ModelWeights:
    """A model over log-mel features whose posteriors differ from frame to frame.

    Parameters
    ----------
    classes : number of labels. size : of a frame.
    """
    rng = np.random.default_rng(seed)
    stem, width = _stem(rng, config.stem, size)
    layers = []
    for units in config.units:
        count = 2 if config.bidirectional else 1
        directions = [_direction(rng, config.cell, width, units) for _ in range(count)]
        layers.append(tuple(directions))
        width = units * len(directions)
    attend = Attend(rng.normal(0, width**-0.5, (width, 1)), {"scores": _STEP})
    return ModelWeights(
        stem=tuple(stem),
        layers=tuple(layers),
        pooling=config.pooling,
        attend=attend if config.pooling == "attention" else None,
        head_kernel=rng.normal(0, 2 * width**-0.5, (width, classes)),
        head_bias=rng.normal(0, 0.1, classes),
        logits_range=(-8.0, 8.0),
        mean=np.full(size, -95 / 255 * 94) if stem else rng.normal(-35, 5, size),
        deviation=15.0,
        feature_range=(-70.0, 25.0),
        per_channel=per_channel,
    )


def _stem(
    rng: np.random.Generator, blocks: tuple[StemBlock, ...], size: int
) -> tuple[list[tuple[Convolution, ...]], int]:
    """Its convolutions, and how many values a frame they give."""
    found, bands, channels = [], size, 1
    for index, block in enumerate(blocks):
        kind = "depthwise" if index else "full"
        wide = channels if index else block.channels
        deep = _convolution(rng, kind, channels, wide, block.kernel, block.stride)
        convs = [deep]
        if index:
            convs.append(_convolution(rng, "pointwise", channels, block.channels, (1, 1), (1, 1)))
        found.append(tuple(convs))
        bands, channels = deep.out(bands, 1), block.channels
    return found, bands * channels


def _convolution(
    rng: np.random.Generator,
    kind: str,
    inputs: int,
    channels: int,
    taps: tuple[int, int],
    stride: tuple[int, int],
) -> Convolution:
    rows = taps[0] * taps[1] * (1 if kind == "depthwise" else inputs)
    kernel = rng.normal(0, (2 / rows) ** 0.5, (rows, channels))
    return Convolution(
        kind, kernel, rng.normal(0, 0.1, channels), taps, stride, {"relu": (0.0, 6.0)}
    )


def _direction(rng: np.random.Generator, name: str, size: int, units: int) -> Direction:
    cell = CELLS[name]
    width = units * sum(map(len, cell.gates.values()))
    prefixes = ("x", "h") if cell.recurrent else ("x",)
    ranges = {f"{prefix}.{gate}": _PRODUCT for prefix in prefixes for gate in cell.gates}
    ranges |= dict.fromkeys(cell.points, _STEP)
    for point, limit in cell.limits.items():
        ranges[point] = (-limit, limit)
    return Direction(
        cell=name,
        kernel=rng.normal(0, size**-0.5, (size, width)),
        recurrent_kernel=rng.normal(0, units**-0.5, (units, width)) if cell.recurrent else None,
        bias=rng.normal(0, 0.1, (cell.biases, width)),
        units=units,
        ranges=ranges,
    )

"""Keras to ``.tflite``: the trained model's weights and ranges, written as int8 operators."""

from typing import Literal

from kws.nn.layers import Recurrent
from kws.nn.models import KeywordModel
from kws.recipe import Recipe
from kws.tflite.emit import State, build_stream, build_window
from kws.tflite.metadata import NAME, Metadata, metadata_json
from kws.tflite.weights import Direction, ModelWeights

Form = Literal["stream", "window"]


def read_weights(model: KeywordModel) -> ModelWeights:
    """Take the weights, ranges and normalisation out of a Keras model."""
    directions = [_direction(layer) for layer in model.directions()]
    wide = 2 if model.bidirectional else 1
    layers = [tuple(directions[i : i + wide]) for i in range(0, len(directions), wide)]
    kernel, bias = model.head.kernel.numpy(), model.head.bias.numpy()
    normalize = model.normalize.get_config()
    import numpy as np

    return ModelWeights(
        layers=tuple(layers),
        head_kernel=kernel,
        head_bias=bias,
        logits_range=model.head.points.ranges()["logits"],
        mean=np.asarray(normalize["mean"], np.float64),
        deviation=normalize["deviation"],
        feature_range=(normalize["low"], normalize["high"]),
        per_channel=model.per_channel,
    )


def _direction(layer: Recurrent) -> Direction:
    return Direction(
        kernel=layer.kernel.numpy(),
        recurrent_kernel=layer.recurrent_kernel.numpy(),
        bias=layer.bias.numpy(),
        ranges=layer.points.ranges(),
    )

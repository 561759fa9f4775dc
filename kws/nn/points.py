"""Quantization points in training: where a tensor becomes int8 on the device, and its range.

Three ways to run the same model: ``float`` (points do nothing), ``record`` (eager; points collect
the ranges of what passes), ``int8`` (points round as int8 does, with straight-through gradients).
What a measured point computes is what tensorflow-model-optimization's quantizers do.
"""

from collections.abc import Callable
from typing import Literal

import tensorflow as tf
import tf_keras as keras

from kws.nn.cells import STATE

Mode = Literal["float", "record", "int8"]
SIGMOID_RANGE = (0.0, 255.0 / 256.0)
"""What int8 LOGISTIC and SOFTMAX give: steps of 1/256."""
SIGNED_RANGE = (-1.0, 127.0 / 128.0)
"""What int8 TANH gives, and the scale of every state: steps of 1/128."""
_TAIL = 0.01
"""Per cent of the values at either end that a measured range leaves out."""
_UNMEASURED = (-6.0, 6.0)


class Points:
    """The measured quantization points of one layer.

    Parameters
    ----------
    layer : the layer that the ranges are saved with.
    names : of the points.
    limits : largest magnitude of a range, where what follows saturates anyway.
    """

    def __init__(
        self, layer: keras.layers.Layer, names: list[str], limits: dict[str, float] | None = None
    ):
        self.mode: Mode = "float"
        self._limits = limits or {}
        self._ranges = {name: _range(layer, name.replace(".", "_")) for name in names}
        self._seen: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        self._values: dict[str, tuple[tf.Tensor, tf.Tensor]] = {}

    def ranges(self) -> dict[str, tuple[float, float]]:
        """By point, its lowest and highest value."""
        return {name: (float(low), float(high)) for name, (low, high) in self._ranges.items()}

    def prepare(self) -> None:
        """Read the ranges once, before a loop over time."""
        self._values = {
            name: (tf.stop_gradient(low), tf.stop_gradient(high))
            for name, (low, high) in self._ranges.items()
        }

    def __call__(self, name: str, value: tf.Tensor) -> tf.Tensor:
        """Pass a measured point."""
        if self.mode == "record":
            tails = _percentiles(value, [_TAIL, 100 - _TAIL])
            self._seen[name].append((float(tails[0]), float(tails[1])))
        if self.mode != "int8":
            return value
        return tf.quantization.fake_quant_with_min_max_vars(value, *self._values[name])

    def fixed(self, value: tf.Tensor, low_high: tuple[float, float]) -> tf.Tensor:
        """Pass a point whose range the operator dictates."""
        if self.mode != "int8":
            return value
        return tf.quantization.fake_quant_with_min_max_args(value, *low_high)

    def set_recorded(self) -> None:
        """Make what ``record`` saw the ranges: the widest of all calls, within limits."""
        for name, seen in self._seen.items():
            low = min(0.0, min(low for low, _ in seen))
            high = max(0.0, max(high for _, high in seen))
            limit = self._limits.get(name, float("inf"))
            lowest, highest = self._ranges[name]
            lowest.assign(max(low, -limit))
            highest.assign(max(min(high, limit), low + 1e-3))
            seen.clear()


def _range(layer: keras.layers.Layer, name: str) -> tuple[tf.Variable, tf.Variable]:
    """Two scalars kept with the layer: lowest and highest."""
    low, high = (keras.initializers.Constant(value) for value in _UNMEASURED)
    return (
        layer.add_weight(f"{name}_min", (), initializer=low, trainable=False),
        layer.add_weight(f"{name}_max", (), initializer=high, trainable=False),
    )


def _percentiles(value: tf.Tensor, percents: list[float]) -> list[tf.Tensor]:
    ordered = tf.sort(tf.reshape(value, [-1]))
    last = ordered.shape[0] - 1
    return [ordered[round(last * percent / 100)] for percent in percents]


class WeightPoint:
    """The quantization point of a kernel: symmetric, its range the kernel's own at every step.

    As tensorflow-model-optimization's ``LastValueQuantizer``, but it keeps the range in no
    variable: parts of a batch that change none are computed at once.

    Parameters
    ----------
    per_channel : each column has a range of its own.
    """

    def __init__(self, per_channel: bool):
        self._per_channel = per_channel
        self.clusters: Callable[[tf.Tensor], tf.Tensor] | None = None
        """In training with few values, what gives each weight its one; see kws.nn.compress."""

    def __call__(self, kernel: tf.Tensor, mode: Mode) -> tf.Tensor:
        if self.clusters is not None:
            kernel = self.clusters(kernel)
        if mode != "int8":
            return kernel
        return _rounded_per_column(kernel) if self._per_channel else _rounded(kernel)


# Every weight is within the range, the largest too, whatever rounding the range itself has seen:
# so all slopes pass.
@tf.custom_gradient
def _rounded(kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    high = tf.reduce_max(tf.abs(kernel))
    found = tf.quantization.fake_quant_with_min_max_vars(kernel, -high, high, narrow_range=True)
    return found, lambda slope: slope


@tf.custom_gradient
def _rounded_per_column(kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    high = tf.reduce_max(tf.abs(kernel), axis=0)
    found = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -high, high, narrow_range=True
    )
    return found, lambda slope: slope


class KerasOps:
    """The operators of :class:`kws.nn.cells.Ops` on tensors, each result passing its point."""

    def __init__(self, points: Points):
        self._points = points

    def add(self, point: str, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return self._pass(point, a + b)

    def mul(self, point: str, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return self._pass(point, a * b)

    def sigmoid(self, a: tf.Tensor) -> tf.Tensor:
        return self._points.fixed(tf.sigmoid(a), SIGMOID_RANGE)

    def tanh(self, a: tf.Tensor) -> tf.Tensor:
        return self._points.fixed(tf.tanh(a), SIGNED_RANGE)

    def one_minus(self, a: tf.Tensor) -> tf.Tensor:
        return self._points.fixed(1.0 - a, SIGMOID_RANGE)

    def split(self, a: tf.Tensor, parts: int) -> tuple[tf.Tensor, ...]:
        return tuple(tf.split(a, parts, axis=-1))

    def _pass(self, point: str, value: tf.Tensor) -> tf.Tensor:
        if point == STATE:
            return self._points.fixed(value, SIGNED_RANGE)
        return self._points(point, value)

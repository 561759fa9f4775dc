"""Recurrent layers with quantization points, in the shape that XLA compiles well."""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from kws.nn.cells import GRUCell
from kws.nn.points import KerasOps, Mode, Points, WeightPoint

_LIMITS = {"zr": 6.0, "n": 4.0}
"""Before a sigmoid and a tanh: beyond these, int8 gates stand still (sigmoid(6) > 255/256).

The products that are summed there keep their full ranges: large ones often cancel.
"""


def _remember(shape: tuple[int, int], dtype=None) -> tf.Tensor:
    """Biases that are zero, but for the update gate's: 1, so that a fresh GRU keeps its state.

    The argument is that for an LSTM's forget gate (Jozefowicz et al. 2015): gradients reach back.
    """
    units = shape[1] // 3
    return tf.constant(np.r_[np.ones(units), np.zeros(shape[0] * shape[1] - units)], dtype, shape)


@keras.saving.register_keras_serializable("kws")
class Recurrent(keras.layers.Layer):
    """A recurrent layer over (batch, frames, size), one direction.

    The weights are named, shaped and ordered as those of ``keras.layers.GRU(units)``: kernel
    (size, 3 units), recurrent_kernel (units, 3 units), bias (2, 3 units). The products of all
    frames with the kernel are one matrix product before the loop.

    Parameters
    ----------
    units : size of the state.
    backward : read the frames from last to first; outputs stay at their frame.
    per_channel : give each column of the kernels its own int8 scale.
    """

    def __init__(self, units: int, backward: bool = False, per_channel: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.units, self.backward, self.per_channel = units, backward, per_channel
        self.cell = GRUCell
        self.width = units * sum(width for _, width in self.cell.gates)

    def build(self, shape) -> None:
        size, width = int(shape[-1]), self.width
        add = self.add_weight
        self.kernel = add("kernel", (size, width), initializer="glorot_uniform")
        self.recurrent_kernel = add(
            "recurrent_kernel", (self.units, width), initializer="orthogonal"
        )
        self.bias = add("bias", (2, width), initializer=_remember)
        gates = [name for name, _ in self.cell.gates]
        names = [
            *(f"x.{gate}" for gate in gates),
            *(f"h.{gate}" for gate in gates),
            *self.cell.points,
        ]
        self.points = Points(self, names, _LIMITS)
        self.kernel_points = self._weight_points("kernel", size)
        self.recurrent_points = self._weight_points("recurrent_kernel", self.units)
        super().build(shape)

    def call(self, inputs: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Run over the frames.

        Parameters
        ----------
        inputs : (batch, frames, size).
        state : (batch, units), in -1..1.

        Returns
        -------
        outputs (batch, frames, units) and the state after the last frame read (batch, units).
        """
        self.points.prepare()
        frames, ops = inputs.shape[1], KerasOps(self.points)
        products = inputs @ self._rounded(self.kernel_points, self.kernel) + self.bias[0]
        x = self._gates("x", tf.transpose(products, [1, 0, 2]))
        recurrent = self._rounded(self.recurrent_points, self.recurrent_kernel)
        outputs = tf.TensorArray(tf.float32, frames, element_shape=state.shape)

        def body(count, state, outputs):
            at = frames - 1 - count if self.backward else count
            h = self._gates("h", state @ recurrent + self.bias[1])
            state = self.cell.step(ops, {gate: x[gate][at] for gate in x}, h, state)
            return count + 1, state, outputs.write(at, state)

        _, state, outputs = tf.while_loop(
            lambda count, *_: count < frames,
            body,
            (tf.constant(0), state, outputs),
            maximum_iterations=frames,
        )
        return tf.transpose(outputs.stack(), [1, 0, 2]), state

    def _weight_points(self, name: str, size: int) -> list[WeightPoint]:
        """A quantization point for each gate's block of a kernel: each is an operator's weights."""
        return [
            WeightPoint(self, f"{name}_{gate}", (size, width * self.units), self.per_channel)
            for gate, width in self.cell.gates
        ]

    def _rounded(self, points: list[WeightPoint], kernel: tf.Tensor) -> tf.Tensor:
        """A kernel, its blocks past their quantization points."""
        blocks = tf.split(kernel, [width * self.units for _, width in self.cell.gates], axis=-1)
        rounded = [point(b, self.points.mode) for point, b in zip(points, blocks, strict=True)]
        return tf.concat(rounded, axis=-1)

    def _gates(self, prefix: str, products: tf.Tensor) -> dict[str, tf.Tensor]:
        """Split products into gates, each with its own quantization point."""
        sizes = [width * self.units for _, width in self.cell.gates]
        parts = tf.split(products, sizes, axis=-1)
        named = zip(self.cell.gates, parts, strict=True)
        return {name: self.points(f"{prefix}.{name}", part) for (name, _), part in named}

    def get_config(self) -> dict:
        own = {"units": self.units, "backward": self.backward, "per_channel": self.per_channel}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("kws")
class Bidirectional(keras.layers.Layer):
    """A forward and a backward recurrent layer over (batch, frames, size), side by side.

    Schuster & Paliwal (1997). Outputs are (batch, frames, 2 units), forward half first; the state
    (batch, 2 units) holds each direction's last.
    """

    def __init__(self, units: int, per_channel: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.units, self.per_channel = units, per_channel
        self.forward = Recurrent(units, per_channel=per_channel, name="forward")
        self.backward = Recurrent(units, backward=True, per_channel=per_channel, name="backward")

    def call(self, inputs: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Run over the frames; shapes as the class says."""
        ahead, behind = tf.split(state, 2, axis=-1)
        forward_outputs, ahead = self.forward(inputs, ahead)
        backward_outputs, behind = self.backward(inputs, behind)
        return (
            tf.concat([forward_outputs, backward_outputs], axis=-1),
            tf.concat([ahead, behind], axis=-1),
        )

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units, "per_channel": self.per_channel}


@keras.saving.register_keras_serializable("kws")
class Normalize(keras.layers.Layer):
    """Raw features to about zero mean and unit variance: ``(x - mean) / deviation``.

    The mean is by band, the deviation one number, so that conversion folds both into the first
    kernel's scale and bias without a rounding of its own. The quantization point is on the raw
    features: it is what a device quantizes.

    Parameters
    ----------
    mean : (size,), of the training clips. deviation : theirs, over all bands.
    low, high : range of the raw features.
    """

    def __init__(self, mean: list[float], deviation: float, low: float, high: float, **kwargs):
        super().__init__(**kwargs)
        self.mean, self.deviation, self.low, self.high = list(mean), deviation, low, high
        self.mode: Mode = "float"

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """(batch, frames, size) to the same shape."""
        if self.mode == "int8":
            features = tf.quantization.fake_quant_with_min_max_args(features, self.low, self.high)
        return (features - tf.constant(self.mean, tf.float32)) / self.deviation

    def get_config(self) -> dict:
        own = {"mean": self.mean, "deviation": self.deviation, "low": self.low, "high": self.high}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("kws")
class Head(keras.layers.Layer):
    """The dense layer that gives logits, with quantization points on kernel and logits."""

    def __init__(self, classes: int, per_channel: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.classes, self.per_channel = classes, per_channel

    def build(self, shape) -> None:
        size = int(shape[-1])
        self.kernel = self.add_weight("kernel", (size, self.classes), initializer="glorot_uniform")
        self.bias = self.add_weight("bias", (self.classes,), initializer="zeros")
        self.points = Points(self, ["logits"])
        self.kernel_point = WeightPoint(
            self, "kernel_range", (size, self.classes), self.per_channel
        )
        super().build(shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(..., size) to (..., classes)."""
        self.points.prepare()
        kernel = self.kernel_point(self.kernel, self.points.mode)
        return self.points("logits", inputs @ kernel + self.bias)

    def get_config(self) -> dict:
        return {**super().get_config(), "classes": self.classes, "per_channel": self.per_channel}

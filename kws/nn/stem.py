"""A causal convolutional stem over time and frequency, with its own state for streams."""

import tensorflow as tf
import tf_keras as keras

from kws.nn.dropout import Dropout
from kws.nn.points import Points, WeightPoint

_MOMENTUM, _EPSILON = 0.99, 1e-3


@keras.saving.register_keras_serializable("kws")
class Conv(keras.layers.Layer):
    """A convolution, batch normalisation, ReLU and a quantization point.

    Written as sums over the kernel's few taps, which XLA compiles far better than convolutions of
    few channels. :meth:`fold` ends batch normalisation (Ioffe & Szegedy 2015) for good: from then
    on kernel and bias hold it, as they will on the device.

    Parameters
    ----------
    kind : ``full`` (all channels to all), ``depthwise``, or ``pointwise`` (``full``, one tap).
    channels : of the output (``depthwise``: of the input too).
    taps, stride : frames and bands.
    same : zeros around the input, so that every stride has its output, as Keras's ``same``.
    folded : whether :meth:`fold` was called.
    """

    def __init__(
        self,
        kind: str,
        channels: int,
        taps: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        same: bool = False,
        folded: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.kind, self.channels, self.same, self.folded = kind, channels, same, folded
        self.taps, self.stride = (taps[0], taps[1]), (stride[0], stride[1])

    def build(self, shape) -> None:
        rows = self.taps[0] * self.taps[1] * (1 if self.kind == "depthwise" else int(shape[-1]))
        add, columns = self.add_weight, (self.channels,)
        start = keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
        self.kernel = add("kernel", (rows, self.channels), initializer=start)
        self.bias = add("bias", columns, initializer="zeros")
        self.gamma = add("gamma", columns, initializer="ones")
        self.mean = add("mean", columns, initializer="zeros", trainable=False)
        self.variance = add("variance", columns, initializer="ones", trainable=False)
        self.points = Points(self, ["relu"])
        self.kernel_point = WeightPoint(self, "kernel_range", (rows, self.channels), True)
        super().build(shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """(batch, frames, bands, channels) to fewer frames and bands, as taps and stride have it.

        With ``training`` the batch's own mean and variance are used, and remembered.
        """
        self.points.prepare()
        kernel = self.kernel_point(self.kernel, self.points.mode)
        apply = self._depthwise if self.kind == "depthwise" else self._full
        values = apply(self._shifted(self._padded(inputs) if self.same else inputs), kernel)
        if not self.folded:
            values = self._normalize(values, training)
        return self.points("relu", tf.nn.relu(values + self.bias))

    def fold(self) -> None:
        """Put the batch normalisation into kernel and bias, and end it; again, nothing changes."""
        scale = self.gamma / tf.sqrt(self.variance + _EPSILON)
        self.bias.assign(self.bias - self.mean * scale)
        self.kernel.assign(self.kernel * scale)
        self.gamma.assign(tf.ones_like(self.gamma))
        self.mean.assign(tf.zeros_like(self.mean))
        self.variance.assign(tf.fill(self.variance.shape, 1.0 - _EPSILON))
        self.folded = True

    def out(self, size: int, axis: int) -> int:
        """Frames (axis 0) or bands (axis 1) that come of ``size``, zeros around it included."""
        return (size - self.taps[axis]) // self.stride[axis] + 1

    def _padded(self, inputs: tf.Tensor) -> tf.Tensor:
        """Zeros on either side; where their number is odd, one more behind."""
        edges = [[0, 0]]
        for axis, size in enumerate(inputs.shape[1:3]):
            last = (size - 1) // self.stride[axis] * self.stride[axis]
            missing = max(0, last + self.taps[axis] - size)
            edges.append([missing // 2, missing - missing // 2])
        return tf.pad(inputs, [*edges, [0, 0]])

    def _shifted(self, inputs: tf.Tensor) -> list[tf.Tensor]:
        """The inputs of each tap, by frame and band of the output."""
        _, frames, bands, _ = inputs.shape
        rows, columns = self.out(frames, 0), self.out(bands, 1)
        return [
            inputs[
                :,
                row : row + self.stride[0] * (rows - 1) + 1 : self.stride[0],
                column : column + self.stride[1] * (columns - 1) + 1 : self.stride[1],
            ]
            for row in range(self.taps[0])
            for column in range(self.taps[1])
        ]

    def _full(self, parts: list[tf.Tensor], kernel: tf.Tensor) -> tf.Tensor:
        together = tf.concat(parts, axis=-1)
        products = tf.reshape(together, (-1, together.shape[-1])) @ kernel
        return tf.reshape(products, (*together.shape[:-1], self.channels))

    def _depthwise(self, parts: list[tf.Tensor], kernel: tf.Tensor) -> tf.Tensor:
        return tf.add_n([part * kernel[tap] for tap, part in enumerate(parts)])

    def _normalize(self, values: tf.Tensor, training: bool) -> tf.Tensor:
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = tf.nn.moments(values, [0, 1, 2])
            for kept, new in ((self.mean, mean), (self.variance, variance)):
                kept.assign_sub((1 - _MOMENTUM) * (kept - new))
        return (values - mean) * (self.gamma / tf.sqrt(variance + _EPSILON))

    def get_config(self) -> dict:
        own = {"kind": self.kind, "channels": self.channels, "taps": self.taps}
        own |= {"stride": self.stride, "same": self.same, "folded": self.folded}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("kws")
class Stem(keras.layers.Layer):
    """A full convolution, then depthwise-separable ones (Howard et al. 2017), causal in time.

    Each block keeps the last ``taps - stride`` frames of its input for the next call: its state.
    So a stream of calls gives the frames that one call over all of them gives.

    Parameters
    ----------
    blocks : of each, ``channels``, ``kernel`` and ``stride`` (frames, bands).
    """

    def __init__(self, blocks: list[dict], **kwargs):
        super().__init__(**kwargs)
        self.blocks = blocks
        self.convs: list[Conv] = []
        """Bottom up: one of the first block, two of each other"""
        for index, block in enumerate(blocks):
            shape = (tuple(block["kernel"]), tuple(block["stride"]))
            if index == 0:
                self.convs.append(Conv("full", block["channels"], *shape, name="full_0"))
                continue
            deep = Conv("depthwise", blocks[index - 1]["channels"], *shape, name=f"deep_{index}")
            wide = Conv("pointwise", block["channels"], name=f"wide_{index}")
            self.convs += [deep, wide]

    def shapes(self, bands: int) -> list[tuple[int, int, int]]:
        """Of each block, what it keeps: (frames, bands, channels); last, a frame that comes out."""
        found, channels = [], 1
        for block in self.by_block():
            first = block[0]
            found.append((first.taps[0] - first.stride[0], bands, channels))
            bands, channels = first.out(bands, 1), block[-1].channels
        return [*found, (1, bands, channels)]

    def call(
        self,
        frames: tf.Tensor,
        states: tuple[tf.Tensor, ...],
        dropout: Dropout | None = None,
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """(batch, frames, size) to (batch, frames / stride, bands * channels), and the states.

        ``dropout`` is given in training.
        """
        values, after = frames[..., None], []
        for block, before in zip(self.by_block(), states, strict=True):
            values = tf.concat([before, values], axis=1)
            after.append(values[:, values.shape[1] - before.shape[1] :])
            for conv in block:
                values = conv(values, training=dropout is not None)
        batch, steps, bands, channels = values.shape
        return tf.reshape(values, (batch, steps, bands * channels)), tuple(after)

    def by_block(self) -> list[list[Conv]]:
        rest = self.convs[1:]
        return [self.convs[:1], *(rest[i : i + 2] for i in range(0, len(rest), 2))]

    def get_config(self) -> dict:
        return {**super().get_config(), "blocks": self.blocks}

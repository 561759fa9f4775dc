"""A causal convolutional stem over time and frequency, with its own state for streams."""

import tensorflow as tf
import tf_keras as keras

from kws.nn.convolve import add_bias, batch_normalize, depthwise, full, out_size
from kws.nn.dropout import Dropout
from kws.nn.points import Points, WeightPoint

EPSILON = 1e-3
_MOMENTUM = 0.99


@keras.saving.register_keras_serializable("kws")
class Conv(keras.layers.Layer):
    """A convolution without padding, batch normalisation, ReLU and a quantization point.

    Written as sums over the kernel's few taps (:mod:`kws.nn.convolve`). A depthwise kernel has an
    int8 scale for each channel: they differ by much, and have but a few taps. :meth:`fold` ends
    batch normalisation (Ioffe & Szegedy 2015) for good: from then on kernel and bias hold it, as
    they will on the device.

    Parameters
    ----------
    kind : ``full`` (all channels to all), ``depthwise``, or ``pointwise`` (``full``, one tap).
    channels : of the output (``depthwise``: of the input too).
    taps, stride : frames and bands.
    folded : whether :meth:`fold` was called.
    """

    def __init__(
        self,
        kind: str,
        channels: int,
        taps: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        folded: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.kind, self.channels, self.folded = kind, channels, folded
        self.taps, self.stride = (taps[0], taps[1]), (stride[0], stride[1])
        self.batch: tuple[tf.Tensor, ...] = ()
        """Mean and variance (channels,) of the last call's batch, in the same graph"""

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
        self.kernel_point = WeightPoint(self.per_channel)
        super().build(shape)

    @property
    def per_channel(self) -> bool:
        """Whether each column of the kernel has an int8 scale of its own."""
        return self.kind == "depthwise"

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """(batch, frames, bands, channels) to fewer frames and bands, as taps and stride have it.

        With ``training`` the batch's own mean and variance are used, and are ``batch`` afterwards.
        """
        self.points.prepare()
        kernel = self.kernel_point(self.kernel, self.points.mode)
        values = self.multiply(inputs, kernel)
        if not self.folded:
            values = self.normalize(values, training)
        values = add_bias(values, tf.convert_to_tensor(self.bias))
        return self.points("relu", tf.nn.relu(values))

    def fold(self) -> None:
        """Put the batch normalisation into kernel and bias, and end it; again, nothing changes."""
        scale = self.gamma / tf.sqrt(self.variance + EPSILON)
        self.bias.assign(self.bias - self.mean * scale)
        self.kernel.assign(self.kernel * scale)
        self.gamma.assign(tf.ones_like(self.gamma))
        self.mean.assign(tf.zeros_like(self.mean))
        self.variance.assign(tf.fill(self.variance.shape, 1.0 - EPSILON))
        self.folded = True

    def multiply(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The convolution alone."""
        convolve = depthwise if self.kind == "depthwise" else full
        return convolve(inputs, tf.convert_to_tensor(kernel), self.taps, self.stride)

    def normalize(self, values: tf.Tensor, training: bool) -> tf.Tensor:
        """Batch normalisation, without its bias."""
        if not training:
            return (values - self.mean) * (self.gamma / tf.sqrt(self.variance + EPSILON))
        scale = tf.convert_to_tensor(self.gamma)
        values, mean, variance = batch_normalize(values, scale, EPSILON)
        self.batch = (mean, variance)
        return values

    def remember(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        """Move the kept statistics a little towards a batch's."""
        for kept, new in ((self.mean, mean), (self.variance, variance)):
            kept.assign_sub((1 - _MOMENTUM) * (kept - new))

    def get_config(self) -> dict:
        own = {"kind": self.kind, "channels": self.channels, "folded": self.folded}
        return {**super().get_config(), **own, "taps": self.taps, "stride": self.stride}


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
            bands = out_size(bands, first.taps[1], first.stride[1])
            channels = block[-1].channels
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

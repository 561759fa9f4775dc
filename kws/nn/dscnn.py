"""The convolutional model that recurrent ones are compared with: the DS-CNN of MLPerf Tiny."""

import tensorflow as tf
import tf_keras as keras

from kws.nn.dropout import Dropout
from kws.nn.stem import EPSILON, Conv

CHANNELS, BLOCKS = 64, 4
_TAPS, _STRIDE, _BLOCK_TAPS = (10, 4), (2, 2), (3, 3)
_FIRST_DROPOUT, _LAST_DROPOUT = 0.2, 0.4


@keras.saving.register_keras_serializable("kws")
class SameConv(Conv):
    """A convolution with zeros around its input, so that each stride has its output.

    By the operators of ``keras.layers.Conv2D``, ``DepthwiseConv2D`` and ``BatchNormalization``:
    with so many channels they train in less than half the time of a stem's sums over taps, but
    only where XLA does not compile them.
    """

    per_channel = True
    """As TensorFlow's converter has it."""

    def multiply(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        strides, taps = (1, *self.stride, 1), tf.reshape(kernel, (*self.taps, -1, self.channels))
        if self.kind != "depthwise":
            return tf.nn.conv2d(inputs, taps, strides, "SAME")
        return tf.nn.depthwise_conv2d(inputs, tf.transpose(taps, (0, 1, 3, 2)), strides, "SAME")

    def normalize(self, values: tf.Tensor, training: bool) -> tf.Tensor:
        if not training:
            return super().normalize(values, training)
        normalized, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            values, self.gamma, tf.zeros_like(self.gamma), epsilon=EPSILON
        )
        self.batch = (mean, variance)
        return normalized


@keras.saving.register_keras_serializable("kws")
class Dscnn(keras.layers.Layer):
    """Keyword spotting of MLPerf Tiny (Banbury et al. 2021), up to its dense layer.

    A full convolution of 10 frames by 4 coefficients, then four depthwise-separable blocks (Zhang
    et al. 2017), batch normalisation and ReLU after each convolution, the mean over the window.
    It stands where a recurrent model has its stem, but reads the whole window at once and keeps no
    states. Of MLPerf's layers only the convolutions' biases are missing, which batch normalisation
    would take out again.
    """

    blocks = ()
    """None keeps anything for the next call."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convs = [SameConv("full", CHANNELS, _TAPS, _STRIDE, name="full_0")]
        for index in range(1, BLOCKS + 1):
            deep = SameConv("depthwise", CHANNELS, _BLOCK_TAPS, name=f"deep_{index}")
            self.convs += [deep, SameConv("pointwise", CHANNELS, name=f"wide_{index}")]

    def shapes(self, _size: int) -> list[tuple[int, int, int]]:
        """As a stem has it: of each block what it keeps, nothing, then what comes out."""
        return [(1, 1, CHANNELS)]

    def call(
        self, frames: tf.Tensor, states: tuple[tf.Tensor, ...], dropout: Dropout | None = None
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """(batch, frames, size) to (batch, 1, channels), and the states, none.

        ``dropout`` is given in training.
        """
        values = frames[..., None]
        for index, conv in enumerate(self.convs):
            values = conv(values, training=dropout is not None)
            if dropout is not None and index == 0:
                values = dropout.of(_FIRST_DROPOUT, values)
        if dropout is not None:
            values = dropout.of(_LAST_DROPOUT, values)
        rows, columns = pooled(*frames.shape[1:])
        mean = tf.reduce_mean(values[:, :rows, :columns], axis=[1, 2])
        return self.convs[-1].points("relu", mean)[:, None], states

    def by_block(self) -> list[list[SameConv]]:
        rest = self.convs[1:]
        return [self.convs[:1], *(rest[i : i + 2] for i in range(0, len(rest), 2))]


def pooled(frames: int, size: int) -> tuple[int, int]:
    """Rows and columns of the last map over which the mean is taken, of a window's size.

    Half of both, rounded down, as MLPerf has it: of 49 frames 24, though there are 25 rows.
    """
    return max(1, frames // 2), max(1, size // 2)

"""Convolutions of few channels and what training derives from them, in a shape XLA compiles well.

XLA for CPUs adds up a channel's values one after another, each sum waiting for the last, wherever a
product is to be summed over all but the channels. Summed over the bands first, as whole arrays,
the same takes a tenth of the time: so the derivatives are written out here.
"""

from collections.abc import Callable

import tensorflow as tf

Pair = tuple[int, int]


def channel_sums(values: tf.Tensor) -> tf.Tensor:
    """Sums (channels,) of (batch, frames, bands, channels)."""
    bands = [values[:, :, band] for band in range(values.shape[2])]
    return tf.reduce_sum(tf.add_n(bands), [0, 1])


def shifted(values: tf.Tensor, taps: Pair, stride: Pair) -> list[tf.Tensor]:
    """The inputs of each tap, by frame and band of the output; taps of a frame are neighbours."""
    rows, columns = out_shape(values, taps, stride)
    return [
        values[
            :,
            row : row + stride[0] * (rows - 1) + 1 : stride[0],
            column : column + stride[1] * (columns - 1) + 1 : stride[1],
        ]
        for row in range(taps[0])
        for column in range(taps[1])
    ]


def out_shape(values: tf.Tensor, taps: Pair, stride: Pair) -> Pair:
    """Frames and bands that a convolution without padding makes."""
    _, frames, bands, _ = values.shape
    return out_size(frames, taps[0], stride[0]), out_size(bands, taps[1], stride[1])


def out_size(size: int, taps: int, stride: int) -> int:
    """The same along one axis, of ``size``."""
    return (size - taps) // stride + 1


def full(values: tf.Tensor, kernel: tf.Tensor, taps: Pair, stride: Pair) -> tf.Tensor:
    """All channels to all; the kernel is (taps * channels, channels out), by tap, then channel."""
    together = tf.concat(shifted(values, taps, stride), axis=-1)
    products = tf.reshape(together, (-1, together.shape[-1])) @ kernel
    return tf.reshape(products, (*together.shape[:-1], kernel.shape[-1]))


def depthwise(values: tf.Tensor, kernel: tf.Tensor, taps: Pair, stride: Pair) -> tf.Tensor:
    """Each channel with its own column of the kernel (taps, channels)."""

    @tf.custom_gradient
    def apply(values: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        parts = shifted(values, taps, stride)

        def gradient(slope: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            by_tap = tf.stack([channel_sums(part * slope) for part in parts])
            spread = shifted(_spread(slope, values, taps, stride), taps, (1, 1))
            back = [part * kernel[-1 - tap] for tap, part in enumerate(spread)]
            return tf.add_n(back), by_tap

        return tf.add_n([part * kernel[tap] for tap, part in enumerate(parts)]), gradient

    return apply(values, kernel)


def _spread(slope: tf.Tensor, values: tf.Tensor, taps: Pair, stride: Pair) -> tf.Tensor:
    """An output's slope, ``stride`` apart, with zeros between and around it.

    A convolution of it with the kernel turned round gives the slope of the input.
    """
    sizes, before = out_shape(values, taps, stride), (taps[0] - 1, taps[1] - 1)
    if stride != (1, 1):
        gaps = [(0, 0), (0, 0), (0, stride[0] - 1), (0, 0), (0, stride[1] - 1), (0, 0)]
        slope = tf.pad(slope[:, :, None, :, None], gaps)
        apart = (sizes[0] * stride[0], sizes[1] * stride[1])
        slope = tf.reshape(slope, (-1, *apart, slope.shape[-1]))
        slope = slope[:, : apart[0] - stride[0] + 1, : apart[1] - stride[1] + 1]
    unread = [
        values.shape[axis + 1] - (sizes[axis] - 1) * stride[axis] - taps[axis] for axis in (0, 1)
    ]
    around = [(before[axis], before[axis] + unread[axis]) for axis in (0, 1)]
    return tf.pad(slope, [(0, 0), *around, (0, 0)])


@tf.custom_gradient
def add_bias(values: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Add each channel's bias (channels,)."""
    return values + bias, lambda slope: (slope, channel_sums(slope))


def batch_normalize(
    values: tf.Tensor, scale: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Subtract each channel's mean over the batch, divide by its deviation, multiply by ``scale``.

    Ioffe & Szegedy (2015), whose derivative this is.

    Returns
    -------
    the normalized values; mean and variance (channels,), through which nothing is learned.
    """

    @tf.custom_gradient
    def apply(values: tf.Tensor, scale: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], Callable]:
        count = tf.cast(tf.reduce_prod(tf.shape(values)[:-1]), values.dtype)
        mean = channel_sums(values) / count
        variance = channel_sums(tf.square(values - mean)) / count
        factor = tf.math.rsqrt(variance + epsilon)

        def gradient(slope: tf.Tensor, *_unused: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            normal = (values - mean) * factor
            by_scale = channel_sums(slope * normal)
            rest = slope - (channel_sums(slope) + normal * by_scale) / count
            return rest * (scale * factor), by_scale

        return ((values - mean) * (scale * factor), mean, variance), gradient

    return apply(values, scale)

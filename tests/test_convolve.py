"""Convolutions over taps, and their derivatives, against TensorFlow's operators."""

import numpy as np
import pytest
import tensorflow as tf

from kws.nn.convolve import add_bias, batch_normalize, channel_sums, depthwise, full

EPSILON = 1e-3
TAPS = [
    ((3, 3), (1, 1)),
    ((3, 3), (1, 2)),
    ((3, 3), (2, 2)),
    ((5, 4), (2, 2)),
    ((1, 3), (1, 3)),
    ((4, 2), (3, 1)),
    ((1, 1), (1, 1)),
]


def drawn(*shape: int) -> tf.Tensor:
    values = np.random.default_rng(shape).normal(size=shape)
    return tf.constant(values.astype(np.float32))


def with_slopes(function, *inputs: tf.Tensor) -> list[np.ndarray]:
    """What a function gives, and the slopes of an uneven sum of it by each input."""

    @tf.function(autograph=False, jit_compile=True)
    def run(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            found = function(*inputs)
            uneven = tf.reshape(tf.cos(tf.range(tf.size(found), dtype=tf.float32)), found.shape)
            total = tf.reduce_sum(found * uneven)
        return [found, *tape.gradient(total, inputs)]

    return [part.numpy() for part in run(*inputs)]


def assert_alike(ours, theirs, *inputs: tf.Tensor) -> None:
    pairs = zip(with_slopes(ours, *inputs), with_slopes(theirs, *inputs), strict=True)
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize(("taps", "stride"), TAPS)
def test_depthwise(taps, stride):
    def theirs(values, kernel):
        by_row = tf.reshape(kernel, (*taps, 6, 1))
        parts = [  # depthwise_conv2d takes no two strides
            tf.nn.conv2d(values[..., c : c + 1], by_row[:, :, c : c + 1], stride, "VALID")
            for c in range(6)
        ]
        return tf.concat(parts, axis=-1)

    kernel = drawn(taps[0] * taps[1], 6)
    assert_alike(
        lambda values, kernel: depthwise(values, kernel, taps, stride),
        theirs, drawn(3, 13, 11, 6), kernel,
    )  # fmt: skip


@pytest.mark.parametrize(("taps", "stride"), TAPS)
def test_full(taps, stride):
    assert_alike(
        lambda values, kernel: full(values, kernel, taps, stride),
        lambda values, kernel: tf.nn.conv2d(
            values, tf.reshape(kernel, (*taps, 4, 5)), stride, "VALID"
        ),
        drawn(3, 13, 11, 4), drawn(taps[0] * taps[1] * 4, 5),
    )  # fmt: skip


def test_batch_normalization():
    def theirs(values, scale):
        mean, variance = tf.nn.moments(values, [0, 1, 2])
        return tf.nn.batch_normalization(values, mean, variance, None, scale, EPSILON)

    values, scale = 3 * drawn(4, 7, 5, 6) + 2, drawn(6)
    assert_alike(lambda *inputs: batch_normalize(*inputs, EPSILON)[0], theirs, values, scale)
    _, mean, variance = batch_normalize(values, scale, EPSILON)
    np.testing.assert_allclose(mean, values.numpy().mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(variance, values.numpy().var((0, 1, 2)), rtol=1e-4)


def test_bias_and_sums():
    values, bias = drawn(4, 7, 5, 6), drawn(6)
    assert_alike(add_bias, lambda values, bias: values + bias, values, bias)
    assert_alike(channel_sums, lambda values: tf.reduce_sum(values, [0, 1, 2]), values)

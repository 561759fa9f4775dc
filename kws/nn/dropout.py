"""Dropout that a seed decides, so that a resumed training drops what the unbroken one drops."""

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Part:
    """Which of ``count`` equal parts of a batch; ``index`` is a scalar int32."""

    index: tf.Tensor
    count: int


class Dropout:
    """Dropout between layers and on states, its random numbers decided by ``seed`` (2,) int32.

    Parameters
    ----------
    rate : share of a layer's inputs that is set to 0, drawn anew for each frame.
    state_rate : share of the units whose state the matrix products do not see, in a clip.
    part : of the batch that the values are of, where they are not of all; what is dropped is what
        would be dropped there of the whole.
    """

    def __init__(
        self,
        seed: tf.Tensor,
        rate: float = 0.0,
        state_rate: float = 0.0,
        part: Part | None = None,
    ):
        self._seed, self._rate, self._state_rate, self._drawn = seed, rate, state_rate, 0
        self._part = part or Part(tf.constant(0), 1)

    def inputs(self, values: tf.Tensor, raw: bool = False) -> tf.Tensor:
        return values if raw or not self._rate else self.of(self._rate, values)

    def of(self, rate: float, values: tf.Tensor) -> tf.Tensor:
        """``values``, this share of them 0, the others larger by as much."""
        return values * self._mask(values.shape, rate)

    def states(self, batch: int, units: int) -> tf.Tensor | None:
        return self._mask((batch, units), self._state_rate) if self._state_rate else None

    def _mask(self, shape: tuple[int, ...], rate: float) -> tf.Tensor:
        self._drawn += 1
        whole = (shape[0] * self._part.count, *shape[1:])
        drawn = tf.random.stateless_uniform(whole, self._seed + tf.constant([self._drawn, 0]))
        own = tf.reshape(drawn, (self._part.count, *shape))[self._part.index]
        return tf.cast(own >= rate, tf.float32) / (1 - rate)

"""What stands before and after the recurrent layers: normalisation, pooling, the dense head."""

import tensorflow as tf
import tf_keras as keras

from kws.nn.points import SIGMOID_RANGE, SIGNED_RANGE, Mode, Points, WeightPoint


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
class Attention(keras.layers.Layer):
    """Mean over time by learned weights: ``softmax over t of (w h[t])`` (Lin et al. 2017)."""

    def build(self, shape) -> None:
        size = int(shape[-1])
        self.kernel = self.add_weight("kernel", (size, 1), initializer="glorot_uniform")
        self.points = Points(self, ["scores"], {"scores": 8.0})
        self.kernel_point = WeightPoint(per_channel=False)
        super().build(shape)

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """(batch, frames, size), in -1..1, to (batch, size)."""
        self.points.prepare()
        kernel = self.kernel_point(self.kernel, self.points.mode)
        scores = self.points("scores", values @ kernel)
        weights = self.points.fixed(tf.nn.softmax(scores, axis=1), SIGMOID_RANGE)
        return self.points.fixed(tf.reduce_sum(weights * values, axis=1), SIGNED_RANGE)


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
        self.kernel_point = WeightPoint(self.per_channel)
        super().build(shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(..., size) to (..., classes)."""
        self.points.prepare()
        kernel = self.kernel_point(self.kernel, self.points.mode)
        return self.points("logits", inputs @ kernel + self.bias)

    def get_config(self) -> dict:
        return {**super().get_config(), "classes": self.classes, "per_channel": self.per_channel}

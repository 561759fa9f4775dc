"""Training speed beside Keras's own float GRU, for ``make bench``."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras

from kws.data.stats import FeatureStats
from kws.nn.models import KeywordModel, build_model
from kws.nn.naive import CLASSES, FRAMES, SIZE
from kws.nn.points import Mode
from kws.recipe import ModelConfig

BATCH = 128
STEPS = 40
ROUNDS = 3


def training_speeds(units: int = 64) -> dict[str, float]:
    """Clips a second of one training step: Keras's float GRU, ours float, ours int8.

    The ways take turns, and the best of three rounds counts: machines are noisy.
    """
    ways = {
        "keras.layers.GRU, float": _keras_step(units),
        "Recurrent, float": _our_step(units, "float"),
        "Recurrent, every quantization point on": _our_step(units, "int8"),
    }
    rates = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for name, step in ways.items():
            start = time.perf_counter()
            for _ in range(STEPS):
                step()
            rates[name] = max(rates[name], BATCH * STEPS / (time.perf_counter() - start))
    return rates


def _batch() -> tuple[tf.Tensor, tf.Tensor]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(BATCH, FRAMES, SIZE)).astype(np.float32)
    return tf.constant(features), tf.constant(rng.integers(0, CLASSES, BATCH), tf.int32)


def _step(model: keras.Model, logits: Callable[[tf.Tensor], tf.Tensor], compiled: bool):
    features, labels = _batch()
    optimizer = keras.optimizers.Adam(0.001)
    optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=compiled)
    def step(features: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits(features))
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    step(features, labels)  # compiled before it is timed
    return lambda: step(features, labels).numpy()


def _keras_step(units: int):
    model = keras.Sequential([keras.layers.GRU(units), keras.layers.Dense(CLASSES)])
    model.build((BATCH, FRAMES, SIZE))
    return _step(model, lambda features: model(features, training=True), compiled=False)


def _our_step(units: int, mode: Mode):
    stats = FeatureStats(np.zeros(SIZE), 1.0, -4.0, 4.0)
    model: KeywordModel = build_model(ModelConfig(units=[units]), CLASSES, stats, False, 1)
    if mode == "int8":
        model.set_mode("record")
        model(_batch()[0])
        for points in model.all_points():
            points.set_recorded()
    model.set_mode(mode)
    return _step(model, lambda features: model(features)[0][:, -1], compiled=True)

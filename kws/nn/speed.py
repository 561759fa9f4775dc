"""Training speed beside Keras's own float GRU, and what it waits for, for ``make bench``."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from kws.data.batches import batches_per_epoch, training_batches
from kws.data.shards import Shards, write_shard
from kws.data.stats import FeatureStats
from kws.nn.memory import keep_memory
from kws.nn.models import KeywordModel, build_model
from kws.nn.naive import CLASSES, FRAMES, SIZE
from kws.nn.optimizers import make_optimizer
from kws.nn.parts import in_parts, mean, parts_of
from kws.nn.points import Mode
from kws.nn.steps import train_step
from kws.recipe import Recipe
from kws.recipe_io import parse_recipe
from kws.recipe_model import ModelConfig

BATCH = 128
STEPS = 40
ROUNDS = 3
EXAMPLES = 8192
SHARDS = 16


def training_speeds(units: int = 64) -> dict[str, float]:
    """Clips a second of one training step: Keras's float GRU, ours float, ours int8.

    The ways take turns, and the best of three rounds counts: machines are noisy.
    """
    keep_memory()  # as train.py does; it is for all ways alike
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


def _classify(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def _keras_step(units: int):
    model = keras.Sequential([keras.layers.GRU(units), keras.layers.Dense(CLASSES)])
    model.build((BATCH, FRAMES, SIZE))
    optimizer = keras.optimizers.Adam(0.001)
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def step(features: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = _classify(labels, model(features, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return _timed(step)


def _our_step(units: int, mode: Mode):
    stats = FeatureStats(np.zeros(SIZE), 1.0, -4.0, 4.0)
    model: KeywordModel = build_model(ModelConfig(units=[units]), CLASSES, stats, False, 1)
    if mode == "int8":
        model.set_mode("record")
        model(_batch()[0])
        for points in model.all_points():
            points.set_recorded()
    model.set_mode(mode)
    optimizer, learned = keras.optimizers.Adam(0.001), model.learned()
    optimizer.build(learned)

    @tf.function(autograph=False, jit_compile=True)
    def find(features: tf.Tensor, labels: tf.Tensor, _part: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = _classify(labels, model(features)[0][:, -1])
        return [loss, *tape.gradient(loss, learned)]

    @tf.function(autograph=False, jit_compile=True)
    def change(found: list[tf.Tensor]) -> tf.Tensor:
        optimizer.apply_gradients(zip(found[1:], learned, strict=True))
        return found[0]

    @tf.function(autograph=False)
    def step(features: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return change(mean(in_parts(find, (features, labels), parts_of(BATCH))))

    return _timed(step)


def _timed(step: Callable) -> Callable[[], None]:
    """A step on one batch, compiled before it is timed."""
    features, labels = _batch()

    def run() -> None:
        step(features, labels).numpy()

    run()
    return run


def input_bound_share(folder: Path, units: int = 64) -> float:
    """Share of training time that a step waits for its batch, 0..1.

    Batches come straight from shards, shuffled over all of them, with SpecAugment and mixup on the
    way, as in a real training.

    Parameters
    ----------
    folder : an empty one, for shards of random features.
    """
    values = {"name": "bench", "data": {"keywords": ["yes", "no"]}, "model": {"units": [units]}}
    recipe = parse_recipe({**values, "augment": {"copies": 1, "mixup_alpha": 0.2}}, "bench")
    features, labels = _random_shards(folder, recipe)
    stats = FeatureStats(np.zeros(recipe.features.size), 1.0, -4.0, 4.0)
    model = build_model(recipe.model, len(recipe.data.labels), stats, False, 1)
    step = train_step(model, make_optimizer(recipe, model), recipe)
    waiting, total, seed = 0.0, 0.0, tf.constant([0, 0])
    for epoch in range(2):  # in the first one the step is compiled
        batches = iter(training_batches(recipe, features, labels, epoch))
        waiting, start = 0.0, time.perf_counter()
        for _ in range(batches_per_epoch(recipe, len(labels))):
            before = time.perf_counter()
            batch = next(batches)
            waiting += time.perf_counter() - before
            step(*batch, model.zero_state(recipe.train.batch_size), seed)[0].numpy()
        total = time.perf_counter() - start
    return waiting / total


def _random_shards(folder: Path, recipe: Recipe) -> tuple[Shards, np.ndarray]:
    rng, each = np.random.default_rng(0), EXAMPLES // SHARDS
    row = (recipe.clip_frames, recipe.features.size)
    labels = rng.integers(0, len(recipe.data.labels), EXAMPLES)
    for index in range(SHARDS):
        part = labels[index * each : (index + 1) * each]
        write_shard(folder, index, rng.normal(size=(1, each, *row)), part, [])
    return Shards(folder, [each] * SHARDS, 1, row), labels

"""Cells over frames against one step after the other, and a batch in parts against the whole."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from kws.data.stats import FeatureStats
from kws.nn.cells import CELLS
from kws.nn.dropout import Dropout, Part
from kws.nn.loop import over_frames
from kws.nn.models import build_model
from kws.nn.optimizers import make_optimizer
from kws.nn.parts import in_parts, mean, parts_of
from kws.nn.recurrent import Recurrent
from kws.nn.steps import train_step
from kws.recipe_io import parse_recipe

FRAMES, BATCH, SIZE, UNITS = 7, 5, 6, 4


def layer_of(cell, mode, backward, rng):
    def values(*shape):
        return tf.constant(rng.normal(size=shape), tf.float32)

    keras.utils.set_random_seed(2)  # the kernels
    layer = Recurrent(cell, UNITS, backward)
    states = tuple(values(BATCH, UNITS) for _ in layer.cell.states)
    inputs = values(BATCH, FRAMES, SIZE)
    layer.build(inputs.shape)
    layer.bias.assign(values(*layer.bias.shape))
    layer.points.mode = "record"
    layer(inputs, states)
    layer.points.set_recorded()
    layer.points.mode = mode
    return layer, inputs, states


def gradients(layer, inputs, states, mask):
    """Of all that a layer is given or learns, for a sum that sees all it gives."""
    weights = np.random.default_rng(3).normal(size=(BATCH, FRAMES, UNITS)).astype("float32")
    given = [inputs, *states]
    with tf.GradientTape() as tape:
        tape.watch(given)
        outputs, last = layer(inputs, states, mask)
        parts = [tf.reduce_sum(tf.sin(part) * (3 + at)) for at, part in enumerate(last)]
        total = tf.reduce_sum(outputs * weights) + tf.add_n(parts)
    learned = layer.trainable_weights
    return [outputs, *last, *tape.gradient(total, [*given, *learned], unconnected_gradients="zero")]


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("mode", ["float", "int8"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_written_derivative_is_that_of_one_step_after_the_other(cell, mode, compiled, backward):
    rng, mask = np.random.default_rng(2), None
    layer, inputs, states = layer_of(cell, mode, backward, rng)
    if backward:  # one half of the tests is with recurrent dropout
        mask = tf.constant(rng.integers(0, 2, (BATCH, UNITS)) * 2.0, tf.float32)
    expected = gradients(layer, inputs, states, mask)  # eager: a step after the other
    looped = tf.function(gradients, autograph=False, jit_compile=compiled)(
        layer, inputs, states, mask
    )
    # XLA adds in another order: where a value lies between two int8 steps, it may take the other.
    share = 0.8 if compiled and mode == "int8" else 1.0
    for ours, theirs in zip(looped, expected, strict=True):
        assert np.mean(np.isclose(ours, theirs, rtol=0.0, atol=2e-5)) >= share
        assert np.linalg.norm(ours - theirs) < 0.05 * np.linalg.norm(theirs) + 1e-4
    assert all(np.abs(part).max() > 1e-3 for part in expected[:-3])


def test_the_derivative_by_hand():
    """h' = 2 h k + x: of the last state, dx[t] = (2k)^(T-1-t)."""

    @tf.function(autograph=False)
    def run(x, first, kernel, bias):
        with tf.GradientTape() as tape:
            tape.watch([x, first, kernel, bias])
            outputs, (last,) = over_frames(
                lambda here, heard, _: (2.0 * heard + here,), x, (first,), kernel, bias
            )
        return outputs, last, tape.gradient(last, [x, first, kernel, bias])

    x, first = tf.constant([[[1.0]], [[2.0]], [[4.0]]]), tf.constant([[3.0]])
    outputs, last, found = run(x, first, tf.constant([[0.25]]), tf.constant([0.5]))
    np.testing.assert_allclose(tf.reshape(outputs, [-1]), [3.5, 4.75, 7.375])
    np.testing.assert_allclose(last, [[7.375]])
    np.testing.assert_allclose(tf.reshape(found[0], [-1]), [0.25, 0.5, 1.0])
    np.testing.assert_allclose(found[1], [[0.125]])
    np.testing.assert_allclose(found[2], [[2 * (0.25 * 3.0 + 0.5 * 3.5 + 4.75)]])
    np.testing.assert_allclose(found[3], [2 * (0.25 + 0.5 + 1.0)])


def test_into_how_many_parts_a_batch_goes(monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 4)
    assert [parts_of(clips) for clips in (1, 63, 64, 100, 127, 128, 1024)] == [1, 1, 2, 2, 1, 4, 4]
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    assert parts_of(128) == 2
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda _: ["GPU:0"])
    assert parts_of(128) == 1


def test_parts_of_a_batch_and_their_mean():
    found = in_parts(lambda a, b, at: [a + b, tf.cast(at, tf.float32)], [tf.range(4.0)] * 2, 2)
    np.testing.assert_array_equal(found[1][0], [4.0, 6.0])
    np.testing.assert_array_equal(mean(found)[0], [2.0, 4.0])
    assert mean(found)[1].numpy() == 0.5


def test_dropout_of_a_part_is_that_of_the_whole():
    seed, ones = tf.constant([3, 4]), tf.ones((6, 5, 8))
    whole = Dropout(seed, 0.3).inputs(ones)
    for at in range(3):
        part = Dropout(seed, 0.3, 0.0, Part(tf.constant(at), 3)).inputs(ones[:2])
        np.testing.assert_array_equal(part, whole[2 * at : 2 * at + 2])


STEM = [{"channels": 4, "kernel": [3, 3], "stride": [1, 2]}]


@pytest.mark.parametrize("stem", [[], STEM], ids=["plain", "stem"])
@pytest.mark.parametrize("mode", ["float", "int8"])
def test_a_step_in_parts_is_a_step_of_the_whole(monkeypatch, mode, stem):
    """With a stem in float it is one: each part would be normalized by its own statistics."""
    train = {"batch_size": 64, "dropout": 0.2, "recurrent_dropout": 0.2}
    document = {"name": "parts", "data": {"keywords": ["yes", "no"]}, "train": train}
    recipe = parse_recipe({**document, "model": {"units": [UNITS], "stem": stem}}, "parts")
    rng = np.random.default_rng(0)
    features = tf.constant(rng.normal(size=(64, 20, recipe.features.size)), tf.float32)
    targets = tf.one_hot(rng.integers(0, 4, 64), 4)
    carried = tf.constant(rng.integers(0, 2, (64, 1)), tf.float32)
    learned, ends = [], []
    for processors in (1, 2):
        monkeypatch.setattr("joblib.cpu_count", lambda most=processors: most)
        stats = FeatureStats(np.zeros(recipe.features.size), 1.0, -4.0, 4.0)
        model = build_model(recipe.model, 4, stats, False, 1)
        if mode == "int8":
            model.fold()
            model.set_mode("record")
            model(features)
            for points in model.all_points():
                points.set_recorded()
        model.set_mode(mode)
        step, state = train_step(model, make_optimizer(recipe, model), recipe), model.zero_state(64)
        for at in range(3):
            seed = tf.constant([1, at])
            loss, state = step(features, targets, targets, carried, state, seed)
        kept = [v for conv in model.stem.convs for v in (conv.mean, conv.variance)] if stem else []
        learned.append([variable.numpy() for variable in [*model.learned(), *kept]])
        ends.append([loss.numpy(), *(part.numpy() for part in state)])
    for whole, parted in zip(learned[0] + ends[0], learned[1] + ends[1], strict=True):
        np.testing.assert_allclose(parted, whole, atol=1e-4)

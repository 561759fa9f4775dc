"""Layers against Keras's own, and quantization points against the arithmetic of int8."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from kws.data.stats import FeatureStats
from kws.nn.layers import Bidirectional, Recurrent
from kws.nn.models import build_model, load_model, trainable_weights
from kws.nn.training import predictor, save_model
from kws.recipe import ModelConfig
from kws.tflite.convert import read_weights

RNG = np.random.default_rng(0)
STATS = FeatureStats(RNG.normal(-35, 5, 40), 15.0, -70.0, 25.0)


def features(clips: int = 8, frames: int = 20) -> np.ndarray:
    rng = np.random.default_rng((clips, frames))
    values = STATS.mean + STATS.deviation * rng.normal(size=(clips, frames, 40))
    return np.clip(values, STATS.low, STATS.high).astype(np.float32)


def model(units=(12,), bidirectional=False, per_channel=False, seed=1):
    config = ModelConfig(units=list(units), bidirectional=bidirectional)
    return build_model(config, 4, STATS, per_channel, seed)


def calibrated(**options):
    built = model(**options)
    built.set_mode("record")
    built(tf.constant(features(32)))
    for points in built.all_points():
        points.set_recorded()
    built.set_mode("int8")
    return built


def random_gru(units: int, size: int, backwards: bool = False) -> keras.layers.GRU:
    layer = keras.layers.GRU(
        units, return_sequences=True, return_state=True, go_backwards=backwards
    )
    layer.build((None, None, size))
    layer.set_weights([RNG.normal(0, 0.5, weight.shape) for weight in layer.get_weights()])
    return layer


@pytest.mark.parametrize("compiled", [False, True])
def test_float_form_equals_keras_gru(compiled):
    theirs, ours = random_gru(24, 10), Recurrent(24)
    inputs = RNG.normal(size=(5, 31, 10)).astype(np.float32)
    start = np.clip(RNG.normal(size=(5, 24)), -1, 1).astype(np.float32)
    ours(inputs, tf.constant(start))
    ours.set_weights(theirs.get_weights() + ours.get_weights()[3:])
    outputs, state = tf.function(ours, jit_compile=compiled)(
        tf.constant(inputs), tf.constant(start)
    )
    expected, last = theirs(inputs, initial_state=tf.constant(start))
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    np.testing.assert_allclose(state, last, atol=1e-5)


def test_float_form_equals_keras_bidirectional_gru():
    ahead, behind, ours = random_gru(9, 10), random_gru(9, 10, backwards=True), Bidirectional(9)
    inputs = RNG.normal(size=(3, 17, 10)).astype(np.float32)
    ours(inputs, tf.zeros((3, 18)))
    for layer, theirs in ((ours.forward, ahead), (ours.backward, behind)):
        layer.set_weights(theirs.get_weights() + layer.get_weights()[3:])
    wrapper = keras.layers.Bidirectional(
        keras.layers.GRU(9, return_sequences=True), merge_mode="concat"
    )
    wrapper(inputs)
    wrapper.set_weights(ahead.get_weights() + behind.get_weights())
    outputs, _ = ours(tf.constant(inputs), tf.zeros((3, 18)))
    np.testing.assert_allclose(outputs, wrapper(inputs), atol=1e-5)


def test_state_goes_on_where_it_was():
    layer, inputs = Recurrent(8), tf.constant(RNG.normal(size=(2, 30, 5)), tf.float32)
    whole, last = layer(inputs, tf.zeros((2, 8)))
    _, middle = layer(inputs[:, :13], tf.zeros((2, 8)))
    rest, end = layer(inputs[:, 13:], middle)
    np.testing.assert_allclose(rest, whole[:, 13:], atol=1e-6)
    np.testing.assert_allclose(end, last, atol=1e-6)


def test_int8_states_lie_on_the_grid_of_the_device():
    built = calibrated(units=(12, 8))
    outputs, states = built(tf.constant(features()))
    for state in states:
        steps = state.numpy() * 128
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
        assert steps.min() >= -128
        assert steps.max() <= 127
    low, high = built.head.points.ranges()["logits"]
    steps = outputs.numpy() / ((high - low) / 255)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-2)
    assert len(np.unique(np.round(steps))) > 10


def test_int8_follows_float_closely_and_not_exactly():
    built, clips = calibrated(units=(16,)), features(64)
    rounded = predictor(built)(clips)
    built.set_mode("float")
    exact = predictor(built)(clips)
    difference = np.abs(rounded - exact)
    assert 0 < difference.max() < 0.1
    assert difference.mean() < 0.01


def test_calibrated_ranges_hold_what_was_seen_within_limits():
    ranges = calibrated(units=(16,)).recurrent[0].points.ranges()
    assert all(low <= 0 < high for low, high in ranges.values())
    assert max(abs(edge) for edge in ranges["zr"]) <= 6.0
    assert max(abs(edge) for edge in ranges["n"]) <= 4.0
    low, high = ranges["x.n"]
    assert -8 < low < -0.1
    assert 0.1 < high < 8


@pytest.mark.parametrize("mode", ["float", "int8"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_gradients_reach_every_weight(mode, bidirectional):
    built = calibrated(units=(8, 6), bidirectional=bidirectional)
    built.set_mode(mode)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(built(tf.constant(features()))[0][:, -1, 0])
    gradients = tape.gradient(loss, built.trainable_variables)
    assert all(float(tf.reduce_max(tf.abs(gradient))) > 0 for gradient in gradients)


def test_same_seed_same_weights_other_seed_others():
    first, same, other = model(), model(), model(seed=2)
    np.testing.assert_array_equal(first.get_weights()[0], same.get_weights()[0])
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_weights_are_counted():
    assert trainable_weights(model(units=(64,))) == 3 * 64 * (40 + 64 + 2) + 64 * 4 + 4
    expected = 2 * 3 * 8 * (40 + 8 + 2) + 2 * 3 * 6 * (16 + 6 + 2) + 12 * 4 + 4
    built = model(units=(8, 6), bidirectional=True)
    assert trainable_weights(built) == expected
    assert read_weights(built).count() == expected


@pytest.mark.parametrize("bidirectional", [False, True])
def test_model_file_keeps_weights_ranges_and_mode(tmp_path, bidirectional):
    built, clips = (
        calibrated(units=(8, 6), bidirectional=bidirectional, per_channel=True),
        features(),
    )
    save_model(built, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(clips)[0], built(clips)[0])
    assert [p.ranges() for p in loaded.all_points()] == [p.ranges() for p in built.all_points()]


def test_normalisation_uses_the_statistics():
    built = model()
    normal = built.normalize(tf.constant(features(64))).numpy()
    assert abs(normal.mean()) < 0.05
    assert abs(normal.std() - 1) < 0.05

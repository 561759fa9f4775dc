"""Layers against Keras's own, and quantization points against the arithmetic of int8."""

import inspect

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from kws.data.stats import FeatureStats
from kws.nn.answers import predictor
from kws.nn.cells import CELLS, STATE
from kws.nn.dropout import Dropout
from kws.nn.models import build_model, load_model, trainable_weights
from kws.nn.recurrent import Bidirectional, Recurrent
from kws.nn.training import save_model
from kws.recipe_model import ModelConfig
from kws.tflite.convert import read_weights

RNG = np.random.default_rng(0)
STATS = FeatureStats(RNG.normal(-35, 5, 40), 15.0, -70.0, 25.0)


def features(clips: int = 8, frames: int = 20) -> np.ndarray:
    rng = np.random.default_rng((clips, frames))
    values = STATS.mean + STATS.deviation * rng.normal(size=(clips, frames, 40))
    return np.clip(values, STATS.low, STATS.high).astype(np.float32)


def model(units=(12,), per_channel=False, seed=1, **options):
    config = ModelConfig.model_validate({"units": list(units), **options}, strict=False)
    return build_model(config, 4, STATS, per_channel, seed)


def calibrated(**options):
    built = model(**options)
    if built.stem:
        for conv in built.stem.convs:  # as if trained: statistics that are not 0 and 1
            rng = np.random.default_rng(conv.channels)
            conv.mean.assign(rng.normal(0, 0.2, conv.channels))
            conv.variance.assign(rng.uniform(0.5, 2.0, conv.channels))
            conv.gamma.assign(rng.uniform(0.5, 1.5, conv.channels))
    built.fold()
    built.set_mode("record")
    built(tf.constant(features(32)))
    for points in built.all_points():
        points.set_recorded()
    built.set_mode("int8")
    return built


KERAS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}
STEM = [
    {"channels": 6, "kernel": [5, 4], "stride": [2, 2]},
    {"channels": 8, "kernel": [3, 3], "stride": [1, 2]},
]


def random_keras(cell: str, units: int, size: int, backwards: bool = False):
    layer = KERAS[cell](units, return_sequences=True, return_state=True, go_backwards=backwards)
    layer.build((None, None, size))
    layer.set_weights([RNG.normal(0, 0.3, weight.shape) for weight in layer.get_weights()])
    return layer


def start_states(layer, batch: int) -> tuple[tf.Tensor, ...]:
    draws = (np.clip(RNG.normal(size=(batch, *shape)), -1, 1) for shape in layer.state_shapes)
    return tuple(tf.constant(draw, tf.float32) for draw in draws)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("cell", KERAS)
def test_float_form_equals_keras(cell, compiled):
    theirs, ours = random_keras(cell, 24, 10), Recurrent(cell, 24)
    inputs = RNG.normal(size=(5, 31, 10)).astype(np.float32)
    start = start_states(ours, 5)
    ours(inputs, start)
    names = [[w.name.split("/")[-1] for w in layer.trainable_weights] for layer in (ours, theirs)]
    assert names[0] == names[1]
    ours.set_weights(theirs.get_weights() + ours.get_weights()[3:])
    outputs, states = tf.function(ours, autograph=False, jit_compile=compiled)(
        tf.constant(inputs), start
    )
    expected, *last = theirs(inputs, initial_state=list(start))
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    for state, theirs_last in zip(states, last, strict=True):
        np.testing.assert_allclose(state, theirs_last, atol=1e-5)


@pytest.mark.parametrize("cell", KERAS)
def test_float_form_equals_keras_bidirectional(cell):
    ahead, behind = random_keras(cell, 9, 10), random_keras(cell, 9, 10, backwards=True)
    ours, inputs = Bidirectional(cell, 9), RNG.normal(size=(3, 17, 10)).astype(np.float32)
    zeros = tuple(tf.zeros((3, *shape)) for shape in ours.state_shapes)
    ours(inputs, zeros)
    for layer, theirs in ((ours.forward, ahead), (ours.backward, behind)):
        layer.set_weights(theirs.get_weights() + layer.get_weights()[3:])
    wrapper = keras.layers.Bidirectional(KERAS[cell](9, return_sequences=True), merge_mode="concat")
    wrapper(inputs)
    wrapper.set_weights(ahead.get_weights() + behind.get_weights())
    outputs, _ = ours(tf.constant(inputs), zeros)
    np.testing.assert_allclose(outputs, wrapper(inputs), atol=1e-5)


@pytest.mark.parametrize("backward", [False, True])
def test_mingru_is_the_paper_s_recurrence_and_the_same_at_once_as_step_by_step(backward):
    layer, inputs = Recurrent("mingru", 7, backward), RNG.normal(size=(3, 13, 5)).astype("float32")
    (start,) = start_states(layer, 3)
    outputs, (last,) = layer(tf.constant(inputs), (start,))
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    state, expected = start.numpy(), np.zeros((3, 13, 7))
    for t in range(13)[:: -1 if backward else 1]:
        products = inputs[:, t] @ kernel + bias
        z, n = 1 / (1 + np.exp(-products[:, :7])), np.tanh(products[:, 7:])
        state = (1 - z) * state + z * n
        expected[:, t] = state
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    np.testing.assert_allclose(last, state, atol=1e-5)
    layer.points.mode = "record"  # steps through time, rounding nothing
    stepped, (end,) = layer(tf.constant(inputs), (start,))
    np.testing.assert_allclose(stepped, outputs, atol=1e-5)
    np.testing.assert_allclose(end, last, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_state_goes_on_where_it_was(cell):
    layer, inputs = Recurrent(cell, 8), tf.constant(RNG.normal(size=(2, 30, 5)), tf.float32)
    zeros = tuple(tf.zeros((2, *shape)) for shape in layer.state_shapes)
    whole, last = layer(inputs, zeros)
    _, middle = layer(inputs[:, :13], zeros)
    rest, end = layer(inputs[:, 13:], middle)
    np.testing.assert_allclose(rest, whole[:, 13:], atol=1e-6)
    for one, other in zip(end, last, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_is_short_and_says_all_a_layer_needs(cell):
    """The promise to whoever adds one: one class of some thirty lines, and nothing else."""
    lines = inspect.getsource(CELLS[cell]).splitlines()
    assert len(lines) <= 36
    blocks = sorted(block for group in CELLS[cell].gates.values() for block in group)
    assert blocks == list(range(len(blocks)))
    assert CELLS[cell].states[0] == STATE  # outputs are on one scale, whatever the cell


@pytest.mark.parametrize("mode", ["float", "int8"])
def test_a_stem_s_stream_gives_the_frames_of_the_whole_clip(mode):
    built, clips = calibrated(units=(8,), stem=STEM), tf.constant(features(3, 48))
    built.set_mode(mode)
    whole, last = built(clips)
    parts, state = [], built.zero_state(3)
    for start, end in ((0, 2), (2, 4), (4, 20), (20, 22), (22, 48)):
        logits, state = built(clips[:, start:end], state)
        parts.append(logits)
    tolerance = {"float": 1e-5, "int8": 0}[mode]
    np.testing.assert_allclose(tf.concat(parts, axis=1), whole, atol=tolerance)
    for one, other in zip(state, last, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance)


def test_a_stem_equals_keras_convolutions():
    built, clips = model(units=(8,), stem=STEM), features(2, 48)
    normal = built.normalize(tf.constant(clips))
    ours, _ = built.stem(normal, built.zero_state(2)[:2])
    full, deep, wide = built.stem.convs
    for conv in (full, deep, wide):
        conv.bias.assign(RNG.normal(0, 0.3, conv.channels))
        conv.mean.assign(RNG.normal(0, 0.3, conv.channels))
        conv.variance.assign(RNG.uniform(0.5, 2, conv.channels))
    ours, _ = built.stem(normal, built.zero_state(2)[:2])

    def norm(values, conv):
        return tf.nn.relu(
            tf.nn.batch_normalization(values, conv.mean, conv.variance, conv.bias, conv.gamma, 1e-3)
        )

    x = tf.pad(normal[..., None], [[0, 0], [3, 0], [0, 0], [0, 0]])
    x = norm(tf.nn.conv2d(x, tf.reshape(full.kernel, (5, 4, 1, 6)), 2, "VALID"), full)
    x = tf.pad(x, [[0, 0], [2, 0], [0, 0], [0, 0]])
    x = tf.stack([x[..., c] for c in range(6)], axis=0)[..., None]  # no depthwise on CPUs with
    parts = [  # strides that differ
        tf.nn.conv2d(x[c], tf.reshape(deep.kernel[:, c], (3, 3, 1, 1)), [1, 1, 2, 1], "VALID")
        for c in range(6)
    ]
    x = norm(tf.concat(parts, axis=-1), deep)
    x = norm(tf.nn.conv2d(x, tf.reshape(wide.kernel, (1, 1, 6, 8)), 1, "VALID"), wide)
    np.testing.assert_allclose(ours, tf.reshape(x, ours.shape), atol=1e-4)
    before = built(tf.constant(clips))[0]
    built.fold()
    np.testing.assert_allclose(built(tf.constant(clips))[0], before, atol=1e-4)
    built.fold()
    np.testing.assert_allclose(built(tf.constant(clips))[0], before, atol=1e-4)


def test_batch_normalisation_learns_the_statistics_of_its_inputs():
    built, clips = model(units=(8,), stem=STEM[:1]), tf.constant(features(16, 48))
    (conv,) = built.stem.convs
    dropout = Dropout(tf.constant([1, 2]))
    for _ in range(600):
        built.stem(built.normalize(clips), built.zero_state(16)[:1], Dropout(tf.constant([1, 1])))
        built.remember(built.batch_statistics())
    normal = built.normalize(clips)
    padded = tf.pad(normal[..., None], [[0, 0], [3, 0], [0, 0], [0, 0]])
    values = tf.nn.conv2d(padded, tf.reshape(conv.kernel, (5, 4, 1, 6)), 2, "VALID").numpy()
    np.testing.assert_allclose(conv.mean, values.mean(axis=(0, 1, 2)), atol=0.02)
    np.testing.assert_allclose(conv.variance, values.var(axis=(0, 1, 2)), rtol=0.02)
    in_training, _ = built(clips, dropout=dropout)
    np.testing.assert_allclose(built(clips)[0], in_training, atol=0.02)


def test_dropout_keeps_the_mean_and_follows_its_seed():
    values = tf.ones((50, 40, 10))
    one, same, other = (
        Dropout(tf.constant([7, seed]), 0.3, 0.4).inputs(values).numpy() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.3
    assert (one == 0).mean() == pytest.approx(0.3, abs=0.02)
    assert one.mean() == pytest.approx(1.0, abs=0.03)
    mask = Dropout(tf.constant([7, 1]), 0.3, 0.4).states(500, 20).numpy()
    assert (mask == 0).mean() == pytest.approx(0.4, abs=0.02)
    again = Dropout(tf.constant([7, 1]), 0.3)
    assert (again.inputs(values).numpy() != again.inputs(values).numpy()).any()
    assert again.states(500, 20) is None
    np.testing.assert_array_equal(again.inputs(values, raw=True), values)


def test_recurrent_dropout_hides_a_unit_from_the_products_of_all_frames():
    layer, inputs = Recurrent("gru", 4), tf.constant(RNG.normal(size=(1, 9, 3)), tf.float32)
    outputs, _ = layer(inputs, (tf.zeros((1, 4)),), tf.constant([[1.0, 0.0, 1.0, 1.0]]))
    layer.recurrent_kernel.assign(layer.recurrent_kernel * [[1.0], [0.0], [1.0], [1.0]])
    expected, _ = layer(inputs, (tf.zeros((1, 4)),))
    np.testing.assert_allclose(outputs, expected, atol=1e-6)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_pooling_is_what_its_name_says(bidirectional):
    clips = tf.constant(features(3))
    for pooling in ("mean", "max", "attention"):
        built = model(units=(6,), pooling=pooling, bidirectional=bidirectional)
        values = built.normalize(clips)
        values, _ = built.recurrent[0](values, built.zero_state(3))
        if pooling == "attention":
            scores = values @ built.attention.kernel
            pooled = tf.reduce_sum(tf.nn.softmax(scores, axis=1) * values, axis=1)
        else:
            pooled = getattr(tf, f"reduce_{pooling}")(values, axis=1)
        logits, _ = built(clips)
        assert logits.shape == (3, 1, 4)
        np.testing.assert_allclose(logits[:, 0], built.head(pooled), atol=1e-5)


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
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_reach_every_weight(mode, bidirectional, cell):
    pooling = "attention" if bidirectional else "last"
    built = model(units=(8, 6), bidirectional=bidirectional, cell=cell, stem=STEM, pooling=pooling)
    with tf.GradientTape() as tape:  # before folding, which leaves gamma without a use
        loss = tf.reduce_sum(built(tf.constant(features()))[0][:, -1, 0])
    gradients = tape.gradient(loss, built.trainable_variables)
    assert all(float(tf.reduce_max(tf.abs(gradient))) > 0 for gradient in gradients)
    built = calibrated(units=(8, 6), bidirectional=bidirectional, cell=cell, pooling=pooling)
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
    stemmed = calibrated(units=(8,), stem=STEM)
    assert read_weights(stemmed).count() == trainable_weights(stemmed)
    assert trainable_weights(model(units=(8,), stem=STEM)) == trainable_weights(stemmed) + 6 + 6 + 8


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("stem", [[], STEM])
def test_model_file_keeps_weights_ranges_and_mode(tmp_path, bidirectional, stem):
    options = {"bidirectional": bidirectional, "stem": stem, "per_channel": True}
    built, clips = calibrated(units=(8, 6), **options), features()
    save_model(built, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(clips)[0], built(clips)[0])
    assert [p.ranges() for p in loaded.all_points()] == [p.ranges() for p in built.all_points()]


def test_normalisation_uses_the_statistics():
    built = model()
    normal = built.normalize(tf.constant(features(64))).numpy()
    assert abs(normal.mean()) < 0.05
    assert abs(normal.std() - 1) < 0.05

"""The convolutional model to compare with: Keras's own layers, int8 files, a whole training."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from kws.data.stats import FeatureStats
from kws.errors import ModelError, RecipeError
from kws.nn.dropout import Dropout
from kws.nn.models import build_model, load_model, trainable_weights
from kws.nn.optimizers import make_optimizer
from kws.nn.steps import train_step
from kws.nn.train_recipe import train_recipe
from kws.nn.training import save_model
from kws.recipe_io import parse_recipe, recipe_text
from kws.recipe_model import ModelConfig
from kws.run import RunFolder, read_json
from kws.tflite.convert import convert, read_weights
from kws.tflite.convert_run import convert_run
from kws.tflite.interpreter import Runner, open_model

WORDS = ["yes", "no", "up", "down", "left", "right", "stop", "go"]
FEATURES = {"kind": "mfcc", "coefficients": 10, "window_ms": 30, "low_hz": 20, "high_hz": 4000}
SEED = tf.constant([3, 4])


def values(**sections):
    """A recipe's plain values; sections given are added to what is there."""
    plain = {
        "name": "small_dscnn",
        "data": {"keywords": WORDS},
        "features": FEATURES,
        "model": {"architecture": "dscnn"},
        "train": {"carried_state_share": 0.0},
    }
    for name, keys in sections.items():
        plain[name] = {**plain.get(name, {}), **keys}
    return plain


def stats(size: int = 10) -> FeatureStats:
    return FeatureStats(np.linspace(-200, 10, size), 60.0, -400.0, 100.0)


def clips(count: int = 6, frames: int = 49, size: int = 10) -> np.ndarray:
    rng = np.random.default_rng((count, frames, size))
    wide = stats(size).mean + 40 * rng.normal(size=(count, frames, size))
    return np.clip(wide, -400, 100).astype(np.float32)


def built(size: int = 10, seed: int = 1):
    """A model whose every weight is drawn, as if it was trained."""
    model = build_model(ModelConfig(architecture="dscnn"), 10, stats(size), False, seed)
    rng = np.random.default_rng(seed)
    for conv in model.stem.convs:
        conv.mean.assign(rng.normal(0, 0.3, 64))
        conv.variance.assign(rng.uniform(0.5, 2.0, 64))
        conv.gamma.assign(rng.uniform(0.5, 1.5, 64))
        conv.bias.assign(rng.normal(0, 0.3, 64))
    return model


def plain_keras(model, frames: int, size: int) -> keras.Model:
    """MLPerf Tiny's layers, but for dropout, with the same weights; gives logits."""
    layers = keras.layers
    inputs = values = layers.Input((frames, size, 1))
    for conv in model.stem.convs:
        if conv.kind == "depthwise":
            apply, shape = layers.DepthwiseConv2D(3, padding="same"), (3, 3, 64, 1)
        else:
            taps, stride = ((10, 4), (2, 2)) if conv.kind == "full" else ((1, 1), (1, 1))
            apply = layers.Conv2D(64, taps, stride, padding="same")
            shape = (*taps, -1, 64)
        norm = layers.BatchNormalization()
        values = layers.ReLU()(norm(apply(values)))
        apply.set_weights([conv.kernel.numpy().reshape(shape), np.zeros(64)])
        norm.set_weights([v.numpy() for v in (conv.gamma, conv.bias, conv.mean, conv.variance)])
    values = layers.AveragePooling2D((frames // 2, size // 2))(values)
    dense = layers.Dense(model.classes)
    outputs = dense(layers.Flatten()(values))
    dense.set_weights([model.head.kernel.numpy(), model.head.bias.numpy()])
    return keras.Model(inputs, outputs)


def normal(model, features: np.ndarray) -> np.ndarray:
    return model.normalize(tf.constant(features)).numpy()[..., None]


def test_weights_by_hand():
    model = built()
    convolutions = 10 * 4 * 64 + 4 * (3 * 3 * 64 + 64 * 64)
    assert convolutions == 21_248
    assert trainable_weights(model) == convolutions + 9 * (64 + 64) + 64 * 10 + 10
    # With MLPerf's 12 classes, its biases before batch normalisation, and the kept statistics:
    keras_counts = plain_keras(model, 49, 10).count_params()
    assert keras_counts == 24_908 - 2 * 65
    model.fold()
    assert trainable_weights(model) == convolutions + 9 * 64 + 64 * 10 + 10
    assert read_weights(model).count() == trainable_weights(model)


@pytest.mark.parametrize(("frames", "size"), [(49, 10), (49, 13), (98, 40)])
def test_answers_are_those_of_keras_s_layers(frames, size):
    model, features = built(size), clips(4, frames, size)
    logits, states = model(tf.constant(features))
    expected = plain_keras(model, frames, size)(normal(model, features), training=False)
    assert states == model.zero_state(4) == ()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(logits[:, 0], expected, atol=1e-4)
    model.fold()
    np.testing.assert_allclose(model(tf.constant(features))[0][:, 0], expected, atol=1e-4)


def test_training_is_that_of_keras_s_layers(monkeypatch):
    """The batch's own statistics, what is remembered of them, and the gradients."""
    model, features = built(), clips(16)
    theirs, inputs = plain_keras(model, 49, 10), normal(model, features)
    monkeypatch.setattr(Dropout, "of", lambda _self, _rate, values: values)
    with tf.GradientTape() as tape:
        logits, _ = model(tf.constant(features), (), Dropout(SEED))
        loss = tf.reduce_sum(logits**2)
    gradient = tape.gradient(loss, [conv.kernel for conv in model.stem.convs])
    with tf.GradientTape() as tape:
        expected = theirs(inputs, training=True)
        loss = tf.reduce_sum(expected**2)
    kernels = [w for w in theirs.trainable_weights if "kernel" in w.name]
    theirs_gradient = tape.gradient(loss, kernels[:9])
    np.testing.assert_allclose(logits[:, 0], expected, atol=1e-4)
    for ours, other in zip(gradient, theirs_gradient, strict=True):
        flat = tf.reshape(other, ours.shape)
        np.testing.assert_allclose(ours, flat, atol=0.01 * np.abs(flat).max())  # ReLU has kinks
    model.remember(model.batch_statistics())
    norms = [layer for layer in theirs.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for conv, norm in zip(model.stem.convs, norms, strict=True):
        np.testing.assert_allclose(conv.mean, norm.moving_mean, atol=1e-4)
        np.testing.assert_allclose(conv.variance, norm.moving_variance, atol=1e-4)


def test_dropout_takes_a_share_that_the_seed_decides():
    values = tf.ones((40, 5, 64))
    kept = Dropout(SEED).of(0.2, values).numpy()
    assert set(np.unique(kept)) == {0.0, np.float32(1.25)}
    assert np.mean(kept == 0) == pytest.approx(0.2, abs=0.02)
    np.testing.assert_array_equal(Dropout(SEED).of(0.2, values), kept)
    model, features = built(), tf.constant(clips())
    first, again, other = (
        model(features, (), Dropout(seed))[0].numpy() for seed in (SEED, SEED, SEED + 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_a_step_reaches_every_weight_and_is_repeatable():
    recipe = parse_recipe(values(train={"batch_size": 6}), "test")
    after = []
    for _ in range(2):
        model = built()
        before = [weight.numpy() for weight in model.learned()]
        step = train_step(model, make_optimizer(recipe, model), recipe)
        targets = tf.one_hot(np.arange(6), 10)
        _, state = step(tf.constant(clips()), targets, targets, tf.zeros((6, 1)), (), SEED)
        assert state == ()
        after.append([weight.numpy() for weight in model.learned()])
        for old, new in zip(before, after[-1], strict=True):
            assert np.mean(old != new) > 0.5
    for one, other in zip(*after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def int8():
    """A folded model with its ranges measured, in the int8 mode."""
    model = built()
    model.fold()
    model.set_mode("record")
    model(tf.constant(clips(64)))
    for points in model.all_points():
        points.set_recorded()
    model.set_mode("int8")
    return model


def test_saved_and_loaded_it_answers_alike(tmp_path, int8):
    for model in (built(), int8):
        save_model(model, tmp_path / "model.keras")
        again = load_model(tmp_path / "model.keras")
        features = tf.constant(clips())
        assert (again.mode, again.folded) == (model.mode, model.folded)
        np.testing.assert_allclose(again(features)[0], model(features)[0], atol=1e-6)


@pytest.mark.parametrize("engine", ["litert", "tflm"])
def test_files_do_what_keras_does(int8, engine):
    recipe, features = parse_recipe(values(), "test"), clips(24)
    made = convert(read_weights(int8), recipe, "window")
    for mode, data in (("float", made.float_data), ("int8", made.data)):
        int8.set_mode(mode)
        answers = tf.nn.softmax(int8(tf.constant(features))[0][:, -1]).numpy()
        runner = Runner(data, engine, "test")
        given = np.stack([runner.classify(clip) for clip in features])
        difference = np.abs(given - answers) * 256
        assert difference.mean() < (0.01 if mode == "float" else 1.0)
        assert difference.max() < (0.1 if mode == "float" else 8.0)
    assert made.weights.stored_bytes() + 10_000 > len(made.data)


def test_learns_chirps_and_becomes_a_verified_file(tone_data, tmp_path):
    recipe = parse_recipe(
        values(
            data={"keywords": ["low", "high"], "silence_share": 0.2},
            augment={"copies": 1, "noise_probability": 0.3, "time_masks": 0, "band_masks": 0},
            train={"epochs": 4, "batch_size": 8, "learning_rate": 0.01},
            quantize={"epochs": 1, "calibration_clips": 64},
        ),
        "test",
    )
    run = RunFolder(tmp_path / "run")
    model, history, _ = train_recipe(recipe, tone_data, run.path, resume=False)
    assert not model.compiled
    assert [line.phase for line in history] == [*4 * ["float"], "qat"]
    facts, verification, _ = convert_run(run, recipe, tone_data, "window", "explicit", run.tflite)
    by_name = {row.name: row for row in verification.rows}
    assert by_name["float Keras"].accuracy >= 0.9
    assert by_name["float TFLite"].largest_difference_steps < 0.1
    assert by_name["int8 TFLM"].agreement_with_float >= 0.9
    assert by_name["int8 TFLM"].agreement_with_litert == 1.0
    assert (facts.form, facts.state, facts.frames_per_step) == ("window", "none", 49)
    # 25 x 5 positions of 64 channels, and the head of four classes
    assert facts.macs_per_second == 125 * (10 * 4 * 64 + 4 * (9 * 64 + 64 * 64)) + 64 * 4
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D"} <= set(verification.operators)
    assert set(verification.tensor_types) == {"INT8", "INT32"}
    assert open_model(run.tflite, "tflm").inputs[0].shape == (1, 49, 10)
    assert read_json(run.metrics)["verification"]["model.tflite"]["weights"] == 22_084


def test_it_is_no_stream(int8):
    with pytest.raises(ModelError, match=r"the mean over a whole window.*--form window"):
        convert(read_weights(int8), parse_recipe(values(), "test"), "stream")


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"model": {"units": [8]}}, r"model: units is for recurrent models.*leave units out"),
        ({"model": {"pooling": "mean"}}, r"pooling is for recurrent models"),
        ({"model": {"bidirectional": True}}, r"bidirectional is for recurrent models"),
        ({"model": {"stem": [{"channels": 4, "kernel": [3, 3]}]}}, r"stem is for recurrent models"),
        ({"model": {"architecture": "cnn"}}, r"model.architecture: found 'cnn'"),
        ({"model": {"architecture": "recurrent"}}, r"units is missing.*as units: \[48\]"),
        ({"train": {"carried_state_share": 0.1}}, r"train.carried_state_share 0.1 is for recurr"),
        ({"train": {"dropout": 0.1}}, r"train.dropout 0.1 is for recurrent models"),
        ({"train": {"recurrent_dropout": 0.1}}, r"train.recurrent_dropout 0.1 is for recurrent"),
    ],
)
def test_refuses_what_has_no_meaning(sections, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe(values(**sections), "test")


def test_resolved_recipe_reads_back_equal():
    import yaml

    recipe = parse_recipe(values(), "test")
    assert recipe.clip_frames == 49
    assert parse_recipe(yaml.safe_load(recipe_text(recipe)), "again") == recipe
    assert json.loads(recipe.model.model_dump_json())["units"] == []

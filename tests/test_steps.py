"""One training step: its losses by hand, its learning rates, and what quantization adds."""

import numpy as np
import pytest
import tensorflow as tf

from kws.data.stats import FeatureStats
from kws.nn.models import build_model
from kws.nn.steps import (
    _divergence,
    _loss,
    learning_rates,
    make_optimizer,
    reset,
    train_step,
)
from kws.recipe_io import parse_recipe
from kws.recipe_train import DistillConfig, TrainConfig

SIZE, FRAMES, BATCH = 40, 49, 4


def recipe(**train):
    values = {"name": "steps", "data": {"keywords": ["a", "b"]}, "model": {"units": [6]}}
    return parse_recipe({**values, "train": {"batch_size": BATCH, **train}}, "test")


def test_learning_rates_rise_and_fall_to_nothing():
    rates = list(learning_rates(0.4, 40, 0))
    assert rates[:3] == pytest.approx([0.2, 0.4, 0.4])
    assert rates[21] == pytest.approx(0.2)  # half-way from step 2 to step 40
    assert rates[-1] < 0.001
    assert list(learning_rates(0.4, 40, 17)) == rates[17:]


def test_losses_by_hand():
    logits = tf.math.log([[[0.25, 0.75]], [[0.5, 0.5]]])
    targets = tf.constant([[1.0, 0.0], [0.25, 0.75]])
    plain = (-np.log(0.25) - np.log(0.5)) / 2
    assert float(_loss(logits, targets, targets, TrainConfig())) == pytest.approx(plain, abs=1e-6)
    smooth = (-0.9 * np.log(0.25) - 0.1 * np.log(0.75) - np.log(0.5)) / 2
    found = _loss(logits, targets, targets, TrainConfig(label_smoothing=0.2))
    assert float(found) == pytest.approx(smooth, abs=1e-6)
    taught = tf.constant([[0.5, 0.5], [0.1, 0.9]])
    distill = DistillConfig(teachers=["t.yaml"], share=0.75, temperature=2.0)
    found = _loss(logits, targets, taught, TrainConfig(distill=distill))
    warm = np.sqrt([0.25, 0.75]) / np.sqrt([0.25, 0.75]).sum()  # softmax(logits / 2)
    teaching = (-0.5 * np.log(warm).sum() - np.log(0.5)) / 2
    assert float(found) == pytest.approx(0.25 * plain + 0.75 * 4 * teaching, abs=1e-6)
    wanted = tf.math.log([[[0.5, 0.5]], [[0.5, 0.5]]])
    apart = (0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)) / 2
    assert float(_divergence(wanted, logits)) == pytest.approx(apart, abs=1e-6)
    assert float(_divergence(logits, logits)) == pytest.approx(0, abs=1e-6)


def test_quantized_steps_bring_int8_and_float_together():
    """What int8 answers on the clips of training comes nearer to what float answers."""
    plain, rng = recipe(learning_rate=0.01, carried_state_share=0.0), np.random.default_rng(0)
    model = build_model(plain.model, 4, FeatureStats(np.zeros(SIZE), 1.0, -4.0, 4.0), False, 1)
    features = tf.constant(rng.normal(size=(BATCH, FRAMES, SIZE)), tf.float32)
    targets = tf.one_hot(np.arange(BATCH), 4)
    model.set_mode("record")
    model(features)
    for points in model.all_points():
        points.set_recorded()
        for name, pair in points._ranges.items():  # coarse, so that rounding matters
            pair["min_var"].assign(-6.0 if name != "logits" else -12.0)
            pair["max_var"].assign(6.0 if name != "logits" else 12.0)

    def apart():
        found = []
        for mode in ("float", "int8"):
            model.set_mode(mode)
            found.append(tf.nn.softmax(model(features)[0][:, -5:]))
        return float(tf.reduce_mean(tf.abs(found[0] - found[1])))

    before = apart()
    model.set_mode("int8")
    optimizer = make_optimizer(plain, model)
    step, state = train_step(model, optimizer, plain), model.zero_state(BATCH)
    losses = [
        float(step(features, targets, targets, tf.zeros((BATCH, 1)), state, tf.constant([0, i]))[0])
        for i in range(150)
    ]
    assert losses[-1] < 0.3 * losses[0]
    assert model.mode == "int8"
    assert apart() < before
    reset(optimizer)
    assert all(not value.numpy().any() for value in optimizer.variables)

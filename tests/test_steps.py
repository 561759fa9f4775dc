"""One training step: its losses by hand, its learning rates, and what quantization adds."""

import numpy as np
import pytest
import tensorflow as tf

from kws.data.stats import FeatureStats
from kws.errors import RecipeError
from kws.nn.losses import at_peaks, divergence, loss_of, peak_answer, suppression
from kws.nn.models import build_model
from kws.nn.optimizers import learning_rates, make_optimizer, reset
from kws.nn.precision import adapt_scale, check_precision, is_compiled, precision
from kws.nn.steps import train_step
from kws.recipe_io import parse_recipe
from kws.recipe_train import TrainConfig

SIZE, FRAMES, BATCH = 40, 49, 4


def recipe(model=None, **train):
    values = {"name": "steps", "data": {"keywords": ["a", "b"]}, "model": model or {"units": [6]}}
    return parse_recipe({**values, "train": {"batch_size": BATCH, **train}}, "test")


def built(one):
    """A recipe's model, fresh."""
    return build_model(one.model, 4, FeatureStats(np.zeros(SIZE), 1.0, -4.0, 4.0), False, 1)


def rates(highest, total, first=0, **train):
    return list(learning_rates(highest, total, first, TrainConfig(**train)))


def test_learning_rates_rise_and_fall_to_nothing():
    found = rates(0.4, 40)
    assert found[:3] == pytest.approx([0.2, 0.4, 0.4])
    assert found[21] == pytest.approx(0.2)  # half-way from step 2 to step 40
    assert found[-1] < 0.001
    assert rates(0.4, 40, 17) == found[17:]


def test_learning_rates_of_the_recipe():
    assert rates(0.4, 8, warm_up=0.5)[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    assert rates(0.4, 8, warm_up=0.25, schedule="constant") == pytest.approx([0.2] + [0.4] * 7)
    assert rates(0.4, 8, warm_up=0.0, schedule="constant") == [0.4] * 8
    assert rates(0.4, 8, 5, warm_up=1.0) == pytest.approx([0.3, 0.35, 0.4])


def test_losses_by_hand():
    classes = {"name": "two", "data": {"keywords": ["a"], "silence_share": 0.0}}

    def found(targets, taught=None, **train):
        one = parse_recipe({**classes, "model": {"units": [6]}, "train": train}, "test")
        return float(loss_of(logits, tf.constant(targets), tf.constant(taught or targets), one))

    logits = tf.math.log([[[0.25, 0.75]], [[0.5, 0.5]]])
    targets = [[1.0, 0.0], [0.25, 0.75]]
    plain = (-np.log(0.25) - np.log(0.5)) / 2
    assert found(targets) == pytest.approx(plain, abs=1e-6)
    smooth = (-0.9 * np.log(0.25) - 0.1 * np.log(0.75) - np.log(0.5)) / 2
    assert found(targets, label_smoothing=0.2) == pytest.approx(smooth, abs=1e-6)
    distill = {"teachers": ["t.yaml"], "share": 0.75, "temperature": 2.0}
    warm = np.sqrt([0.25, 0.75]) / np.sqrt([0.25, 0.75]).sum()  # softmax(logits / 2)
    teaching = (-0.5 * np.log(warm).sum() - np.log(0.5)) / 2
    both = 0.25 * plain + 0.75 * 4 * teaching
    taught = [[0.5, 0.5], [0.1, 0.9]]
    assert found(targets, taught, distill=distill) == pytest.approx(both, abs=1e-6)
    # The first clip is of class a; the second of a by a quarter, of unknown by three.
    weighted = (-3 * np.log(0.25) - (0.25 * 3 + 0.75) * np.log(0.5)) / 2
    assert found(targets, class_weights={"a": 3.0}) == pytest.approx(weighted, abs=1e-6)


def test_how_far_answers_are_apart_by_hand():
    logits = tf.math.log([[[0.25, 0.75]], [[0.5, 0.5]]])
    wanted = tf.math.log([[[0.5, 0.5]], [[0.5, 0.5]]])
    apart = (0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)) / 2
    assert float(divergence(wanted, logits)) == pytest.approx(apart, abs=1e-6)
    assert float(divergence(logits, logits)) == pytest.approx(0, abs=1e-6)


POSTERIORS = [
    # a     b     unknown silence, at four steps
    [[0.1, 0.2, 0.3, 0.4], [0.6, 0.2, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.2, 0.2, 0.5, 0.1]],
    [[0.1, 0.1, 0.4, 0.4], [0.3, 0.1, 0.3, 0.3], [0.1, 0.25, 0.4, 0.25], [0.1, 0.1, 0.7, 0.1]],
]


ALL = tf.ones((2, 4))
"""All steps may be asked."""


def test_suppression_by_hand():
    """The first clip is of a: b is wrong. The second is unknown: both are."""
    logits, targets = tf.math.log(tf.constant(POSTERIORS)), [[1.0, 0, 0, 0], [0, 0, 1.0, 0]]
    first = -np.log([0.8, 0.8, 0.3, 0.8]).mean()
    second = -np.log([0.8, 0.6, 0.65, 0.8]).mean()
    found = suppression(logits, tf.constant(targets), 2, ALL)
    assert float(found) == pytest.approx((first + second) / 2, abs=1e-6)
    mixed = suppression(logits[:1], tf.constant([[0.5, 0.5, 0, 0]]), 2, ALL[:1])
    assert float(mixed) == pytest.approx(0, abs=1e-6)
    last = suppression(logits, tf.constant(targets), 2, tf.constant([[0.0, 0, 0, 1]] * 2))
    assert float(last) == pytest.approx(-np.log([0.8, 0.8]).sum() / 8, abs=1e-6)


def test_suppression_adds_to_the_loss_but_at_the_first_steps_of_clips_that_go_on():
    logits = tf.math.log(tf.constant(POSTERIORS))
    targets = tf.constant([[1.0, 0, 0, 0], [0, 0, 1.0, 0]])
    plain = loss_of(logits, targets, targets, recipe(loss_frames=2))
    for carried, settled in (
        (None, ALL),
        ([[0.0], [0.0]], ALL),
        ([[0.0], [1.0]], tf.constant([[1.0, 1, 1, 1], [0, 0, 1, 1]])),
    ):
        given = None if carried is None else tf.constant(carried)
        both = loss_of(logits, targets, targets, recipe(loss_frames=2, suppress=0.5), given)
        wanted = 0.5 * suppression(logits, targets, 2, settled)
        assert float(both - plain) == pytest.approx(float(wanted), abs=1e-6)
        assert float(wanted) > 0.1


def test_max_pooling_learns_at_the_highest_posteriors():
    logits = tf.math.log(tf.constant(POSTERIORS))
    targets = tf.constant([[1.0, 0, 0, 0], [0, 0, 1.0, 0]])  # of a, and unknown
    chosen = tf.nn.softmax(at_peaks(logits, targets, 2, ALL, 1)).numpy()
    first, second = np.array(POSTERIORS)
    np.testing.assert_allclose(chosen[0], first[[2, 1]], atol=1e-6)  # b's, the highest, and a's
    np.testing.assert_allclose(chosen[1], second[[1, 3]], atol=1e-6)  # any keyword's, and the last
    by_hand = (-np.log(0.1) - np.log(0.6) - np.log(0.3) - np.log(0.7)) / 4
    found = loss_of(logits, targets, targets, recipe(loss="max_pooling", loss_frames=1))
    assert float(found) == pytest.approx(by_hand, abs=1e-6)


def test_max_pooling_learns_at_the_highest_means():
    """Over two steps. The first clip goes on from another's state: only its last two are asked."""
    logits = tf.math.log(tf.constant(POSTERIORS))
    targets = tf.constant([[1.0, 0, 0, 0], [0, 0, 1.0, 0]])
    first, second = 2 * [0.1, 0.2], [0.4, 0.3, 0.4, 0.7]
    by_hand = -np.log(first + second).mean()
    one = recipe(loss="max_pooling", loss_frames=2)
    found = loss_of(logits, targets, targets, one, tf.constant([[1.0], [0.0]]))
    assert float(found) == pytest.approx(by_hand, abs=1e-6)
    whole = loss_of(logits, targets, targets, recipe(loss="max_pooling", loss_frames=9))
    plain = loss_of(logits, targets, targets, recipe(loss_frames=4))
    assert float(whole) == pytest.approx(float(plain), abs=1e-6)


def test_gradients_of_max_pooling_reach_the_chosen_steps_alone():
    logits = tf.Variable(np.log(POSTERIORS).astype(np.float32))
    targets = tf.constant([[1.0, 0, 0, 0], [0, 0, 1.0, 0]])
    with tf.GradientTape() as tape:
        loss = loss_of(logits, targets, targets, recipe(loss="max_pooling", loss_frames=1))
    reached = np.abs(tape.gradient(loss, logits).numpy()).sum(axis=2) > 0
    assert reached.tolist() == [[False, True, True, False], [False, True, False, True]]


def test_the_answer_of_a_clip_that_may_fire_at_any_moment():
    found = peak_answer(tf.constant(POSTERIORS), 2).numpy()
    np.testing.assert_array_equal(found, np.float32([POSTERIORS[0][2], POSTERIORS[1][1]]))
    level = tf.constant([[[0.5, 0.3, 0.2], [0.5, 0.1, 0.4]]])
    np.testing.assert_array_equal(peak_answer(level, 1)[0], np.float32([0.5, 0.3, 0.2]))


def test_where_no_keyword_is_the_likeliest_the_last_step_answers():
    """As int8 gives them: of a keyword that was never heard there is nothing left at any step."""
    never = [[0.0, 0.25, 0.75], [0.0, 0.5, 0.5], [0.0, 1.0, 0.0]]
    less = [[0.4, 0.6, 0.0], [0.3, 0.2, 0.5], [0.0, 0.0, 1.0]]
    won = [[0.4, 0.6, 0.0], [0.375, 0.3, 0.325], [0.0, 0.0, 1.0]]
    found = peak_answer(tf.constant([never, less, won]), 1).numpy()
    np.testing.assert_array_equal(found, np.float32([never[2], less[2], won[1]]))


def test_nesterov_step_by_hand():
    plain = recipe(optimizer="sgd", clip_norm=1000.0)
    model = built(plain)
    optimizer, bias = make_optimizer(plain, model), model.head.bias
    optimizer.learning_rate.assign(0.1)
    for wanted in (-0.1 * 1.9, -0.1 * (1.9 + 1 + 0.9 * 1.9)):  # v = 0.9 v + g; w -= 0.1 (0.9 v + g)
        optimizer.apply_gradients([(tf.ones_like(bias), bias)])
        np.testing.assert_allclose(bias.numpy(), np.full(4, wanted), rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_weight_decay_by_hand(optimizer):
    """Where nothing is to be learned a weight loses rate * decay of itself a step."""
    for decay, kept in ((0.5, 0.95), (0.0, 1.0)):
        one = recipe(optimizer=optimizer, weight_decay=decay)
        model = built(one)
        made, bias = make_optimizer(one, model), model.head.bias
        made.learning_rate.assign(0.1)
        bias.assign(tf.ones_like(bias))
        for power in (1, 2):
            made.apply_gradients([(tf.zeros_like(bias), bias)])
            np.testing.assert_allclose(bias.numpy(), np.full(4, kept**power), rtol=1e-6)


@pytest.mark.parametrize("times", [1, 10])
def test_clip_norm_by_hand(times):
    """Of 3 and 4 the norm is 5: ten times a norm of 0.5, so that 0.3 and 0.4 remain."""
    one = recipe(optimizer="sgd", clip_norm=0.5)
    model = built(one)
    bias, kernel = model.head.bias, model.head.kernel
    optimizer, before = make_optimizer(one, model), kernel.numpy()
    optimizer.learning_rate.assign(0.1)
    by_bias, by_kernel = np.zeros(bias.shape, "f"), np.zeros(kernel.shape, "f")
    by_bias[2], by_kernel[1, 3] = 0.3, 0.4
    pairs = ((by_bias, bias), (by_kernel, kernel))
    optimizer.apply_gradients([(tf.constant(times * slope), weight) for slope, weight in pairs])
    np.testing.assert_allclose(bias.numpy(), -0.1 * 1.9 * by_bias, rtol=1e-5)  # 1.9: Nesterov
    np.testing.assert_allclose(kernel.numpy(), before - 0.1 * 1.9 * by_kernel, rtol=1e-5)


def test_mixed_precision_learns_the_same_where_nothing_is_rounded():
    """Without a GPU TensorFlow leaves all in float32: what is left is the loss's scale."""
    rng = np.random.default_rng(0)
    features = tf.constant(rng.normal(size=(BATCH, FRAMES, SIZE)), tf.float32)
    targets = tf.one_hot(np.arange(BATCH), 4)
    learned = []
    for mixed in (False, True):
        one = recipe(mixed_precision=mixed)
        model = built(one)
        assert is_compiled(model, one) != mixed
        step, state = train_step(model, make_optimizer(one, model), one), model.zero_state(BATCH)
        with precision(model, one):
            asked = tf.config.optimizer.get_experimental_options().get("auto_mixed_precision")
            assert bool(asked) == mixed
            for at in range(3):
                step(features, targets, targets, tf.zeros((BATCH, 1)), state, tf.constant([0, at]))
        learned.append([variable.numpy() for variable in model.learned()])
        model.set_mode("int8")
        assert is_compiled(model, one)  # never in training with quantization
    for exact, scaled in zip(*learned, strict=True):
        np.testing.assert_allclose(scaled, exact, atol=2e-5)


STEM = [{"channels": 2, "kernel": [3, 4], "stride": [2, 2]}]


def test_a_step_that_overflows_changes_nothing_but_the_scale():
    """Gradients of 0 would not do: momentum and weight decay move the weights all the same."""
    one = recipe({"units": [6], "stem": STEM}, mixed_precision=True, weight_decay=0.1)
    model, rng = built(one), np.random.default_rng(0)
    optimizer = make_optimizer(one, model)
    step, state = train_step(model, optimizer, one), model.zero_state(BATCH)
    features = tf.constant(rng.normal(size=(BATCH, FRAMES, SIZE)), tf.float32)
    targets, carried, seed = tf.one_hot(np.arange(BATCH), 4), tf.zeros((BATCH, 1)), [0, 0]

    def take(targets):
        step(features, targets, targets, carried, state, tf.constant(seed))
        return [variable.numpy() for variable in (*model.variables, *optimizer.variables)]

    first = take(targets)
    *kept, scale, good_steps = take(tf.fill(targets.shape, np.inf))
    for before, after in zip(first, kept, strict=False):
        np.testing.assert_array_equal(after, before)
    assert (float(scale), float(good_steps)) == (512.0, 0.0)
    *moved, scale, good_steps = take(targets)
    assert all(np.isfinite(value).all() for value in moved)
    assert not np.array_equal(moved[0], kept[0])
    assert (float(scale), float(good_steps)) == (512.0, 1.0)


def test_the_scale_grows_after_long_without_an_overflow(monkeypatch):
    monkeypatch.setattr("kws.nn.precision.GROWTH_STEPS", 3)
    one = recipe(mixed_precision=True)
    optimizer, scales = make_optimizer(one, built(one)), []
    for whole in (True, True, True, True, False, True, True, True):
        adapt_scale(optimizer, tf.constant(whole))
        scales.append(float(optimizer.scale))
    assert scales == [1024, 1024, 2048, 2048, 1024, 1024, 1024, 2048]
    for whole, end in ((True, 2.0**15), (False, 1.0)):
        for _ in range(60):
            adapt_scale(optimizer, tf.constant(whole))
        assert float(optimizer.scale) == end


def test_mixed_precision_is_refused_without_a_gpu():
    check_precision(recipe())
    with pytest.raises(RecipeError, match=r"mixed_precision is for GPUs, and TensorFlow finds no"):
        check_precision(recipe(mixed_precision=True))


def test_quantized_steps_bring_int8_and_float_together():
    """What int8 answers on the clips of training comes nearer to what float answers."""
    plain, rng = recipe(learning_rate=0.01, carried_state_share=0.0), np.random.default_rng(0)
    model = built(plain)
    features = tf.constant(rng.normal(size=(BATCH, FRAMES, SIZE)), tf.float32)
    targets = tf.one_hot(np.arange(BATCH), 4)
    model.set_mode("record")
    model(features)
    for points in model.all_points():
        points.set_recorded()
        for name, (low, high) in points._ranges.items():  # coarse, so that rounding matters
            low.assign(-6.0 if name != "logits" else -12.0)
            high.assign(6.0 if name != "logits" else 12.0)

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

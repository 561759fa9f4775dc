"""One training step, its optimizer and its learning rate."""

import math
from collections.abc import Callable, Iterator

import tensorflow as tf
import tf_keras as keras

from kws.nn.dropout import Dropout
from kws.nn.models import KeywordModel, States
from kws.recipe import Recipe
from kws.recipe_train import TrainConfig

WARM_UP = 0.05
"""Share of a phase over which the learning rate rises."""
FLOAT_WEIGHT = 1.0
AGREEMENT_WEIGHT = 4.0
"""With quantization: weights of the float model's own loss, and of how far int8 is from it.

Without them the weights fit the rounding, and float and int8 part ways on the clips between two
classes. Distillation from the float model (Hinton et al. 2015), which here is the same weights.
"""


def train_step(
    model: KeywordModel, optimizer: keras.optimizers.Optimizer, recipe: Recipe
) -> Callable:
    """A compiled step for the mode that the model is in.

    Returns
    -------
    a function of features (batch, frames, size), targets and taught (batch, classes), carried
    (batch, 1), 1 where a clip starts from ``state``, state, as the model takes it, and seed (2,)
    int32, which decides dropout; it gives the loss and the state after the clips.
    """
    quantized = model.mode == "int8"
    train, learned = recipe.train, model.learned()

    @tf.function(jit_compile=True)
    def step(features, targets, taught, carried, state, seed):
        state = tuple(_carry(carried, last) for last in state)
        dropout = None if quantized else Dropout(seed, train.dropout, train.recurrent_dropout)
        with tf.GradientTape() as tape:
            logits, after = _last_logits(model, features, state, recipe, dropout)
            loss = total = _loss(logits, targets, taught, train)
            if quantized:
                model.set_mode("float")
                exact, _ = _last_logits(model, features, state, recipe)
                model.set_mode("int8")
                total += FLOAT_WEIGHT * _loss(exact, targets, taught, train)
                total += AGREEMENT_WEIGHT * _divergence(tf.stop_gradient(exact), logits)
        gradients = tape.gradient(total, learned)
        optimizer.apply_gradients(zip(gradients, learned, strict=True))
        return loss, after

    return step


def _carry(carried: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    """A state where ``carried`` (batch, 1) is 1, zero elsewhere."""
    return tf.reshape(carried, [-1] + [1] * (len(state.shape) - 1)) * tf.stop_gradient(state)


def _last_logits(
    model: KeywordModel,
    features: tf.Tensor,
    state: States,
    recipe: Recipe,
    dropout: Dropout | None = None,
) -> tuple[tf.Tensor, States]:
    logits, after = model(features, state, dropout)
    return logits[:, -recipe.train.loss_frames :], after


def _loss(
    logits: tf.Tensor, targets: tf.Tensor, taught: tf.Tensor, train: TrainConfig
) -> tf.Tensor:
    """What asks for the labels, and for the teachers' answers where there are teachers."""
    smoothing = train.label_smoothing
    loss = _cross_entropy(logits, targets * (1 - smoothing) + smoothing / logits.shape[-1])
    if train.distill is None:
        return loss
    share, warmth = train.distill.share, train.distill.temperature
    # The square keeps this part's gradients as large as the other's, whatever the temperature.
    return (1 - share) * loss + share * warmth**2 * _cross_entropy(logits / warmth, taught)


def _cross_entropy(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Mean over clips and frames, of (batch, frames, classes) and (batch, classes)."""
    spread = tf.repeat(targets[:, None], logits.shape[1], axis=1)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(spread, logits))


def _divergence(wanted: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean Kullback-Leibler divergence of the posteriors from the wanted ones."""
    difference = tf.nn.log_softmax(wanted) - tf.nn.log_softmax(logits)
    return tf.reduce_mean(tf.reduce_sum(tf.nn.softmax(wanted) * difference, axis=-1))


def learning_rates(highest: float, total: int, first: int) -> Iterator[float]:
    """From step ``first`` of ``total``: a linear rise, then a cosine to zero.

    Loshchilov & Hutter (2017).
    """
    warm = max(1, round(WARM_UP * total))
    for step in range(first, total):
        if step < warm:
            yield highest * (step + 1) / warm
        else:
            share = (step - warm) / max(1, total - warm)
            yield highest * 0.5 * (1 + math.cos(math.pi * share))


def make_optimizer(recipe: Recipe, model: KeywordModel) -> keras.optimizers.Optimizer:
    """Adam with the recipe's weight decay and gradient clipping."""
    optimizer = keras.optimizers.Adam(
        recipe.train.learning_rate,
        global_clipnorm=recipe.train.clip_norm,
        weight_decay=recipe.train.weight_decay or None,
        jit_compile=False,
    )
    optimizer.build(model.trainable_variables)
    return optimizer


def reset(optimizer: keras.optimizers.Optimizer) -> None:
    """Forget the moments of the phase before."""
    for variable in optimizer.variables:
        variable.assign(tf.zeros_like(variable))

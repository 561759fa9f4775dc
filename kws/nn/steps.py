"""One training step: what a batch says of the weights, and what is made of it."""

from collections.abc import Callable

import tensorflow as tf
import tf_keras as keras

from kws.nn.dropout import Dropout
from kws.nn.losses import asked, divergence, loss_of
from kws.nn.models import KeywordModel
from kws.nn.precision import SCALE, is_compiled, is_mixed, unscaled
from kws.recipe import Recipe

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
    gradients_of, learned = gradient_function(model, recipe), model.learned()

    @tf.function(jit_compile=is_compiled(model, recipe))
    def step(features, targets, taught, carried, state, seed):
        dropout = Dropout(seed, recipe.train.dropout, recipe.train.recurrent_dropout)
        loss, after, gradients = gradients_of(features, targets, taught, carried, state, dropout)
        optimizer.apply_gradients(zip(gradients, learned, strict=True))
        return loss, after

    return step


def gradient_function(model: KeywordModel, recipe: Recipe) -> Callable:
    """What a step does before it changes the learned weights, to be compiled.

    Returns
    -------
    a function as :func:`train_step` gives it, but with a :class:`Dropout` in place of its seed; it
    gives the loss, the state after the clips, and the gradients of ``model.learned()``.
    """
    quantized, learned = model.mode == "int8", model.learned()
    mixed = is_mixed(model, recipe)

    def gradients_of(features, targets, taught, carried, state, dropout):
        state = tuple(_carry(carried, last) for last in state)
        with tf.GradientTape() as tape:
            logits, after = model(features, state, None if quantized else dropout)
            loss = total = loss_of(logits, targets, taught, recipe)
            if quantized:
                model.set_mode("float")
                exact = model(features, state)[0]
                model.set_mode("int8")
                total += FLOAT_WEIGHT * loss_of(exact, targets, taught, recipe)
                total += AGREEMENT_WEIGHT * divergence(
                    tf.stop_gradient(asked(exact, recipe)), asked(logits, recipe)
                )
            if mixed:
                total *= SCALE
        gradients = tape.gradient(total, learned)
        return loss, after, unscaled(gradients) if mixed else gradients

    return gradients_of


def _carry(carried: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    """A state where ``carried`` (batch, 1) is 1, zero elsewhere."""
    return tf.reshape(carried, [-1] + [1] * (len(state.shape) - 1)) * tf.stop_gradient(state)

"""One training step: what a batch says of the weights, and what is made of it.

Here and in the other compiled functions of this package Python runs as it stands: AutoGraph, which
would translate it first, took half of the time before the first step and changed nothing.
"""

from collections.abc import Callable

import tensorflow as tf
import tf_keras as keras

from kws.nn.dropout import Dropout, Part
from kws.nn.losses import asked, divergence, loss_of
from kws.nn.models import KeywordModel
from kws.nn.parts import in_parts, mean, parts_of
from kws.nn.precision import adapt_scale, all_finite, is_compiled, is_mixed
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

    The batch is computed in the parts of :func:`parts_for`: what is learned is that of the whole.

    Returns
    -------
    a function of features (batch, frames, size), targets and taught (batch, classes), carried
    (batch, 1), 1 where a clip starts from ``state``, state, as the model takes it, and seed (2,)
    int32, which decides dropout; it gives the loss and the state after the clips.
    """
    count = parts_for(model, recipe)
    find = part_function(model, optimizer, recipe, count)
    change = change_function(model, optimizer, recipe)

    @tf.function(autograph=False)
    def step(features, targets, taught, carried, state, seed):
        def one(features, targets, taught, carried, *rest):
            return find(features, targets, taught, carried, rest[:-1], seed, rest[-1])

        found = in_parts(one, (features, targets, taught, carried, *state), count)
        states = zip(*(after for after, _ in found), strict=True)
        after = tuple(tf.concat(parts, axis=0) for parts in states)
        return change(mean([parts for _, parts in found])), after

    return step


def parts_for(model: KeywordModel, recipe: Recipe) -> int:
    """Into how many parts a batch goes in the mode that the model is in.

    Batch normalisation sees it whole, or what a recipe gives would depend on how many processors
    there are; with quantization it is folded. The DS-CNN's convolutions use all processors at once.
    """
    normalized = recipe.model.stem and model.mode == "float"
    if normalized or recipe.model.architecture == "dscnn":
        return 1
    return parts_of(recipe.train.batch_size)


def part_function(
    model: KeywordModel, optimizer: keras.optimizers.Optimizer, recipe: Recipe, count: int
) -> Callable:
    """What a step finds in one of ``count`` parts of a batch, compiled; no variable is changed.

    Returns
    -------
    a function as :func:`train_step` gives it, of a part, with its index (int32) after the seed; it
    gives the state after the clips, and what :func:`change_function` takes the mean of.
    """
    quantized, learned = model.mode == "int8", model.learned()
    mixed = is_mixed(model, recipe)

    @tf.function(autograph=False, jit_compile=is_compiled(model, recipe))
    def find(features, targets, taught, carried, state, seed, index):
        state = tuple(_carry(carried, last) for last in state)
        rates = recipe.train.dropout, recipe.train.recurrent_dropout
        dropout = None if quantized else Dropout(seed, *rates, Part(index, count))
        with tf.GradientTape() as tape:
            logits, after = model(features, state, dropout)
            loss = total = loss_of(logits, targets, taught, recipe, carried)
            if quantized:
                model.set_mode("float")
                exact = model(features, state)[0]
                model.set_mode("int8")
                total += FLOAT_WEIGHT * loss_of(exact, targets, taught, recipe, carried)
                total += AGREEMENT_WEIGHT * divergence(
                    tf.stop_gradient(asked(exact, recipe)), asked(logits, recipe)
                )
            if mixed:
                total *= optimizer.scale
        gradients = tape.gradient(total, learned)
        if mixed:
            gradients = [part / optimizer.scale for part in gradients]
            after = tuple(tf.where(tf.math.is_finite(last), last, 0.0) for last in after)
        statistics = [] if quantized else model.batch_statistics()
        return after, [loss, *gradients, *statistics]

    return find


def change_function(
    model: KeywordModel, optimizer: keras.optimizers.Optimizer, recipe: Recipe
) -> Callable:
    """What a step makes of the loss, the gradients and the batch's statistics; gives the loss.

    In mixed precision a step in which something has overflown changes nothing but the loss's scale.
    """
    learned, mixed = model.learned(), is_mixed(model, recipe)

    @tf.function(autograph=False, jit_compile=is_compiled(model, recipe))
    def change(found):
        loss, gradients, statistics = (
            found[0],
            found[1 : 1 + len(learned)],
            found[1 + len(learned) :],
        )

        def apply():
            optimizer.apply_gradients(zip(gradients, learned, strict=True))
            model.remember(statistics)

        if mixed:
            whole = all_finite(found[1:])
            tf.cond(whole, apply, lambda: None)
            adapt_scale(optimizer, whole)
        else:
            apply()
        return loss

    return change


def _carry(carried: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    """A state where ``carried`` (batch, 1) is 1, zero elsewhere."""
    return tf.reshape(carried, [-1] + [1] * (len(state.shape) - 1)) * tf.stop_gradient(state)

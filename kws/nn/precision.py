"""Float training in float16 on a GPU, where TensorFlow finds it safe.

The loss is scaled, so that gradients which float16 would take for nothing are not lost; a step in
which one overflows is passed over, and the scale adapts (Micikevicius et al. 2018).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import tensorflow as tf
import tf_keras as keras

from kws.errors import RecipeError
from kws.nn.models import KeywordModel
from kws.recipe import Recipe

FIRST_SCALE, LARGEST_SCALE = 2.0**10, 2.0**15
"""Of the loss; powers of two, which round nothing."""
GROWTH_STEPS = 2000
"""Without an overflow, after which the scale is doubled; at an overflow it is halved."""


def check_precision(recipe: Recipe) -> None:
    """Refuse mixed precision on a machine without a GPU: float16 is slow there, and no gain."""
    if recipe.train.mixed_precision and not tf.config.list_physical_devices("GPU"):
        raise RecipeError(
            "train.mixed_precision is for GPUs, and TensorFlow finds none on this machine; "
            "set it to false, as by --set train.mixed_precision=false"
        )


def is_mixed(model: KeywordModel, recipe: Recipe) -> bool:
    """Whether the model's steps are to be in mixed precision: not with quantization."""
    return recipe.train.mixed_precision and model.mode == "float"


def is_compiled(model: KeywordModel, recipe: Recipe) -> bool:
    """Whether XLA compiles the model's steps; what it compiles is never in mixed precision."""
    return model.compiled and not is_mixed(model, recipe)


@contextmanager
def precision(model: KeywordModel, recipe: Recipe) -> Iterator[None]:
    """Let TensorFlow put what gains by it into float16; weights stay float32."""
    if not is_mixed(model, recipe):
        yield
        return
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision": False})


def add_scale(optimizer: keras.optimizers.Optimizer) -> None:
    """Give an optimizer the loss's scale, among its variables: checkpoints and copies have it."""
    first = keras.initializers.Constant(FIRST_SCALE)
    optimizer.scale = optimizer.add_variable((), initializer=first, name="scale")
    optimizer.good_steps = optimizer.add_variable((), name="good_steps")


def all_finite(values: Iterable[tf.Tensor]) -> tf.Tensor:
    """Whether nothing in any of the tensors has overflown: a scalar bool."""
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(part)) for part in values])


def adapt_scale(optimizer: keras.optimizers.Optimizer, whole: tf.Tensor) -> None:
    """Halve the scale after an overflow, double it after long without one."""
    good, scale = optimizer.good_steps + 1.0, optimizer.scale
    grown = good >= GROWTH_STEPS
    larger = tf.where(grown, tf.minimum(2.0 * scale, LARGEST_SCALE), scale)
    scale.assign(tf.where(whole, larger, tf.maximum(scale / 2.0, 1.0)))
    optimizer.good_steps.assign(tf.where(whole & ~grown, good, 0.0))

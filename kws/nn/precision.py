"""Float training in float16 on a GPU, where TensorFlow finds it safe."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from kws.errors import RecipeError
from kws.nn.models import KeywordModel
from kws.recipe import Recipe

SCALE = 1024.0
"""Of the loss: gradients that float16 would take for nothing are not lost (Micikevicius 2018)."""


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


def unscaled(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """The gradients of a loss that was scaled; all zero where one has overflown."""
    whole = tf.reduce_all([tf.reduce_all(tf.math.is_finite(part)) for part in gradients])
    return [tf.where(whole, part / SCALE, tf.zeros_like(part)) for part in gradients]

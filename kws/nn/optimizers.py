"""Optimizers and their learning rates."""

import math
from collections.abc import Iterator

import tensorflow as tf
import tf_keras as keras

from kws.nn.models import KeywordModel
from kws.nn.precision import add_scale
from kws.recipe import Recipe
from kws.recipe_train import TrainConfig

_MOMENTUM = 0.9


def learning_rates(highest: float, total: int, first: int, train: TrainConfig) -> Iterator[float]:
    """From step ``first`` of ``total``: a linear rise, then a cosine to zero, or a constant.

    Loshchilov & Hutter (2017).
    """
    warm = max(1, round(train.warm_up * total))
    for step in range(first, total):
        if step < warm:
            yield highest * (step + 1) / warm
        elif train.schedule == "constant":
            yield highest
        else:
            share = (step - warm) / max(1, total - warm)
            yield highest * 0.5 * (1 + math.cos(math.pi * share))


def make_optimizer(recipe: Recipe, model: KeywordModel) -> keras.optimizers.Optimizer:
    """The recipe's optimizer, with its weight decay, gradient clipping and the loss's scale."""
    train = recipe.train
    shared = {
        "learning_rate": train.learning_rate,
        "global_clipnorm": train.clip_norm,
        "weight_decay": train.weight_decay or None,
        "jit_compile": False,
    }
    if train.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(momentum=_MOMENTUM, nesterov=True, **shared)
    else:
        optimizer = keras.optimizers.Adam(**shared)
    optimizer.build(model.trainable_variables)
    if train.mixed_precision:
        add_scale(optimizer)
    return optimizer


def reset(optimizer: keras.optimizers.Optimizer) -> None:
    """Forget the moments of the phase before."""
    for variable in optimizer.variables:
        variable.assign(tf.zeros_like(variable))

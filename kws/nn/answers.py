"""What a model answers to whole clips, and how often it is right."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from kws.data.shards import Shards
from kws.nn.losses import peak_answer, pools
from kws.nn.models import KeywordModel
from kws.recipe import Recipe

EVALUATION_BATCH = 256


def predictor(
    model: KeywordModel, keywords: int | None = None
) -> Callable[[Shards | np.ndarray], np.ndarray]:
    """A function from features (examples, frames, size) to posteriors (examples, classes).

    The posteriors are those of a clip's last step, in the mode the model is in at the first call;
    with ``keywords``, those of the step where one of the first ``keywords`` classes has its highest
    posterior.
    """

    @tf.function(autograph=False, jit_compile=model.compiled)
    def answer(batch: tf.Tensor) -> tf.Tensor:
        logits = model(batch)[0]
        if keywords is None:
            return tf.nn.softmax(logits[:, -1])
        return peak_answer(tf.nn.softmax(logits), keywords)

    return lambda features: np.concatenate(list(by_batches(answer, features)))


def by_batches(
    answer: Callable[[tf.Tensor], tf.Tensor], features: Shards | np.ndarray
) -> Iterator[np.ndarray]:
    """What a compiled function gives of (examples, frames, size) features, a batch at a time."""
    for start in range(0, len(features), EVALUATION_BATCH):
        batch = features[start : start + EVALUATION_BATCH].astype(np.float32)
        missing = EVALUATION_BATCH - len(batch)  # one shape: one compilation
        padded = np.pad(batch, ((0, missing), (0, 0), (0, 0)))
        yield answer(tf.constant(padded)).numpy()[: len(batch)]


def recipe_predictor(
    model: KeywordModel, recipe: Recipe
) -> Callable[[Shards | np.ndarray], np.ndarray]:
    """:func:`predictor`, of the step that the recipe's loss makes a clip's answer."""
    return predictor(model, len(recipe.data.keywords) if pools(recipe) else None)


def accuracy(posteriors: np.ndarray, labels: np.ndarray) -> float:
    """Share of clips whose largest posterior is the label's."""
    return float((posteriors.argmax(axis=1) == labels).mean())

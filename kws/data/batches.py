"""Training batches: shuffled, augmented on the way, the same for the same seed and epoch."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from kws.audio.spec_augment import mixup, spec_augment
from kws.data.shards import Shards
from kws.recipe import Recipe


def training_batches(
    recipe: Recipe,
    features: Shards | np.ndarray,
    labels: np.ndarray,
    epoch: int,
    taught: np.ndarray | None = None,
) -> tf.data.Dataset:
    """One epoch: each clip once, in one of its augmented copies.

    Every epoch takes another copy of a clip until all were used. Clips that do not fill the last
    batch are left for other epochs (the order changes). The batches depend on the recipe's seed and
    ``epoch`` alone, so that a resumed run sees what the unbroken one sees.

    Parameters
    ----------
    features : (copies * clips, frames, size), copy-major, raw.
    labels : (copies * clips,) int.
    taught : (copies * clips, classes), what teachers answer; one-hot labels where not given.

    Returns
    -------
    dataset of (features float32 (batch, frames, size), targets float32 (batch, classes), one-hot
    but where clips are mixed, taught float32 (batch, classes), carried float32 (batch, 1)); where
    ``carried`` is 1 the clip starts from the state another clip left behind.
    """
    batch, (_, frames, size) = recipe.train.batch_size, features.shape
    classes = len(recipe.data.labels)
    signature = (
        tf.TensorSpec((batch, frames, size), tf.float32),
        tf.TensorSpec((batch, classes), tf.float32),
        tf.TensorSpec((batch, classes), tf.float32),
        tf.TensorSpec((batch, 1), tf.float32),
    )
    make = _Epoch(recipe, features, labels, epoch, taught)
    batches = tf.data.Dataset.from_generator(make, output_signature=signature).prefetch(4)
    return batches.with_options(_untuned())


def batches_per_epoch(recipe: Recipe, examples: int) -> int:
    """Whole batches in one epoch of ``examples`` = copies * clips."""
    return examples // recipe.augment.copies // recipe.train.batch_size


def carried_share(recipe: Recipe, epoch: int) -> float:
    """Share of clips that start from a carried state: rises over float training, then stays."""
    return recipe.train.carried_state_share * min(1.0, epoch / max(1, recipe.train.epochs - 1))


def _untuned() -> tf.data.Options:
    """Without autotuning: nothing here is to tune, and an epoch's end waits seconds for its thread.

    That thread sleeps up to ten seconds between looks, and a dataset is not gone before it wakes.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


class _Epoch:
    def __init__(
        self,
        recipe: Recipe,
        features: Shards | np.ndarray,
        labels: np.ndarray,
        epoch: int,
        taught: np.ndarray | None,
    ):
        self.recipe, self.features, self.labels, self.epoch = recipe, features, labels, epoch
        self.taught = taught
        self.targets = np.eye(len(recipe.data.labels), dtype=np.float32)

    def __call__(self) -> Iterator[tuple[np.ndarray, ...]]:
        recipe, size = self.recipe, self.recipe.train.batch_size
        rng = np.random.default_rng((recipe.seed, 1, self.epoch))
        mixing = np.random.default_rng((recipe.seed, 4, self.epoch))
        share = carried_share(recipe, self.epoch)
        copies, clips = recipe.augment.copies, len(self.labels) // recipe.augment.copies
        first_copy = np.random.default_rng((recipe.seed, 2)).integers(0, copies, clips)
        order = rng.permutation(clips)
        for start in range(0, clips - size + 1, size):
            chosen = order[start : start + size]
            rows = (first_copy[chosen] + self.epoch) % copies * clips + chosen
            targets = self.targets[self.labels[rows]]
            taught = targets if self.taught is None else self.taught[rows].astype(np.float32)
            both = np.concatenate([targets, taught], axis=1)  # mixed alike
            batch = self.features[rows].astype(np.float32)
            batch, both = mixup(batch, both, recipe.augment.mixup_alpha, mixing)
            batch = spec_augment(batch, recipe.augment, rng)
            carried = rng.random((size, 1)) < share
            yield batch, *np.split(both, 2, axis=1), carried.astype(np.float32)

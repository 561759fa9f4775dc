"""Training on several devices or machines: each takes a share of a batch, all make one step.

Every replica has a model of its own, and all models stay equal: they start from the chief's
weights, and change by the mean of all replicas' gradients. XLA compiles what a replica computes;
the mean is taken outside, for collectives do not work within. So batch normalisation takes mean
and variance of a replica's share alone, as Keras's does under a strategy; what it keeps of them is
their mean over replicas. All else is what one device would do with the whole batch.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras

from kws.errors import DataError
from kws.nn.models import KeywordModel
from kws.nn.optimizers import make_optimizer
from kws.nn.steps import change_function, part_function
from kws.recipe import Recipe


class Distribution:
    """The replicas of a training, and what they tell each other.

    Parameters
    ----------
    strategy : of tf.distribute, made before TensorFlow did anything.
    chief : whether this process is the one that writes.
    """

    def __init__(self, strategy: tf.distribute.Strategy, chief: bool):
        self._strategy = strategy
        self._devices = strategy.extended.worker_devices
        self.here = len(self._devices)
        self.replicas = strategy.num_replicas_in_sync
        self.chief = chief
        self.alone = self.replicas == len(self._devices)

    def share(self, data: bytes) -> bytes:
        """Give all workers what the chief has; theirs is not looked at."""
        if self.alone:
            return data
        length = int(self._sum(np.array([len(data) if self.chief else 0], np.int64))[0])
        padded = np.zeros(-(-length // 4), np.int32)
        if self.chief:
            padded.view(np.uint8)[:length] = np.frombuffer(data, np.uint8)
        return self._sum(padded).tobytes()[:length]

    def check_clips(self, clips: str, *labels: np.ndarray) -> None:
        """Refuse a worker whose clips are not the chief's.

        Parameters
        ----------
        clips : :func:`kws.nn.fingerprint.clips_fingerprint`, of the data's own clips.
        labels : of all examples, with those that the recipe adds.
        """
        parts = [clips.encode(), *(part.tobytes() for part in labels)]
        own = hashlib.sha256(b"".join(parts)).digest()
        if self.share(own) != own:
            raise DataError(
                "this worker's clips are not those of the chief; every machine needs the same "
                "data folder"
            )

    def train_step(
        self, model: KeywordModel, optimizer: keras.optimizers.Optimizer, recipe: Recipe
    ) -> tuple[Callable, Callable]:
        """As :func:`kws.nn.steps.train_step`, on a whole batch, of which each replica takes a part.

        Returns
        -------
        the step, whose state is known to it alone, and a function that gives the state to start
        from.
        """
        share = recipe.train.batch_size // self.replicas
        copies = [_Copy(model, optimizer, recipe, self.replicas)]
        copies += [_Copy.of(model, optimizer, recipe, self.replicas, d) for d in self._devices[1:]]

        @tf.function(autograph=False)
        def zero_state():
            return self._strategy.run(lambda: model.zero_state(share))

        @tf.function(autograph=False)
        def means(batch, state, seed):
            def one(state):
                context = tf.distribute.get_replica_context()
                index = self._index(context)
                part = [values[index * share : (index + 1) * share] for values in batch]
                copy = copies[index % len(copies)]
                flat, after = copy.found(*part, state, seed, tf.constant(index))
                return context.all_reduce(tf.distribute.ReduceOp.MEAN, flat), after

            return self._strategy.run(one, args=(state,))

        def step(features, targets, taught, carried, state, seed):
            flat, after = means((features, targets, taught, carried), state, seed)
            mean = self._strategy.experimental_local_results(flat)
            losses = []
            for device, copy, values in zip(self._devices, copies, mean, strict=True):
                with tf.device(device):
                    if copy.optimizer is not optimizer:
                        copy.optimizer.learning_rate.assign(optimizer.learning_rate)
                    losses.append(copy.apply(values))
            return losses[0], after

        return step, zero_state

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over workers."""

        @tf.function(autograph=False)
        def total(value):
            def one():
                context = tf.distribute.get_replica_context()
                speaks = self._index(context) % len(self._devices) == 0  # one of each worker
                own = tf.identity(value) if speaks else tf.zeros_like(value)
                return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

            return self._strategy.run(one)

        found = self._strategy.experimental_local_results(total(tf.constant(values)))
        return found[0].numpy()

    @staticmethod
    def _index(context: tf.distribute.ReplicaContext) -> int:
        """Of a replica, among those of all workers."""
        return int(tf.get_static_value(context.replica_id_in_sync_group))


class _Copy:
    """One replica's model and optimizer."""

    def __init__(self, model, optimizer, recipe: Recipe, replicas: int):
        self.optimizer = optimizer
        find = part_function(model, optimizer, recipe, replicas)
        change = change_function(model, optimizer, recipe)
        shapes: list[tf.TensorShape] = []

        @tf.function(autograph=False)
        def found(features, targets, taught, carried, state, seed, index):
            after, parts = find(features, targets, taught, carried, state, seed, index)
            shapes[:] = [part.shape for part in parts]
            # One collective a step, whatever the number of variables.
            return tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0), after

        @tf.function(autograph=False)
        def apply(flat):
            parts = tf.split(flat, [shape.num_elements() for shape in shapes])
            pairs = zip(parts, shapes, strict=True)
            return change([tf.reshape(part, shape) for part, shape in pairs])

        self.found, self.apply = found, apply

    @classmethod
    def of(cls, model, optimizer, recipe: Recipe, replicas: int, device: str) -> "_Copy":
        """A copy of a model and its optimizer on another device."""
        with tf.device(device):
            twin = KeywordModel.from_config(model.get_config())
            twin.build_for(len(model.normalize.mean))
            twin.compiled = model.compiled
            own = make_optimizer(recipe, twin)
            kept = (*model.variables, *optimizer.variables)
            pairs = zip((*twin.variables, *own.variables), kept, strict=True)
            for mine, theirs in pairs:
                mine.assign(theirs)
            return cls(twin, own, recipe, replicas)

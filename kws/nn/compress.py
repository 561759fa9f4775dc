"""Pruning and clustering of the recurrent kernels while a model trains.

Schedule, masks, first centroids and the straight-through gradient are those of
tensorflow-model-optimization. Its wrappers take Keras's own layers, and train them by Keras's own
``fit``; here its parts work on each operator's kernel, between the compiled steps. They are
imported where a recipe asks for them: that takes seconds, and loads a second Keras.
"""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras as keras

from kws.nn.models import KeywordModel
from kws.nn.points import WeightPoint
from kws.nn.recurrent import Recurrent
from kws.recipe_compress import CompressConfig

if TYPE_CHECKING:
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_impl import Pruning

_BEGIN, _LENGTH = 0.2, 0.5
"""Shares of float training: before the first weight is pruned, and until the last one is."""
_UPDATES = 100
"""How often the masks are drawn anew in between."""
_FIRST_ROUNDS = 50
"""Of k-means, before the first step with clusters."""


class Compression:
    """What holds a model's recurrent kernels pruned and clustered while it trains.

    Its variables are the model's from the start to :meth:`finish`, so that a checkpoint of the
    model has them. Where the recipe asks for nothing, nothing is done.

    Parameters
    ----------
    config : the recipe's section.
    model : with fresh weights.
    steps : of float training, in all epochs.
    """

    def __init__(self, config: CompressConfig, model: KeywordModel, steps: int):
        self._model, self._strategy = model, tf.distribute.get_strategy()
        self._variables = keras.layers.Layer(name="compression")
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._pruning = self._begin_pruning(config, steps) if config.prune else None
        self._clusters: list[Clusters] = []
        if config.cluster:
            count, zero = config.cluster.clusters, config.prune is not None
            for layer in model.directions():
                for kernel in kernels_of(layer):
                    self._clusters.append(Clusters(self._variables, kernel, count, zero))
        if self._variables.weights:
            model.compression = self._variables
        self._clustered = False

    def start(self, phase: str, fresh: bool) -> None:
        """Begin a phase, before its functions are traced; ``fresh`` when it is not resumed."""
        if phase != "qat":
            return
        for clusters in self._clusters:
            if fresh:
                clusters.set_first()
            clusters.point.clusters = clusters
            self._clustered = True

    def after_step(self, step: int) -> None:
        """Hold the kernels to what they are to be; steps are counted from the first of training."""
        if not self._pruning and not self._clustered:
            return
        with self._strategy.scope():  # where a model is on several devices, all get the same
            if self._pruning:
                self._step.assign(step)
                self._prune()
            if self._clustered:
                self._follow()

    def finish(self) -> None:
        """Leave the model with the kernels it was trained to, and without traces of training."""
        for clusters in self._clusters:
            clusters.point.clusters = None
            if self._clustered:
                clusters.write()
        if self._variables.weights:
            del self._model.compression

    def _begin_pruning(self, config: CompressConfig, steps: int) -> "Pruning":
        from tensorflow_model_optimization.python.core.sparsity.keras.pruning_impl import Pruning
        from tensorflow_model_optimization.python.core.sparsity.keras.pruning_schedule import (
            PolynomialDecay,
        )

        assert config.prune is not None
        every = max(1, int(_LENGTH * steps) // _UPDATES)
        length = max(1, int(_LENGTH * steps) // every) * every
        begin = int(_BEGIN * steps)
        schedule = PolynomialDecay(0.0, config.prune.sparsity, begin, begin + length, 3, every)
        pruned = []
        for layer in self._model.directions():
            for weight in _kernel_variables(layer):
                mask = self._kept("mask", weight.shape, 1.0)
                pruned.append((weight, mask, self._kept("threshold", (), 0.0)))
        return Pruning(lambda: self._step, pruned, schedule, (1, 1), "AVG")

    def _kept(self, name: str, shape: tuple[int, ...], value: float) -> tf.Variable:
        start = keras.initializers.Constant(value)
        return self._variables.add_weight(name, shape, initializer=start, trainable=False)

    @tf.function
    def _prune(self) -> None:
        assert self._pruning is not None
        self._pruning.conditional_mask_update()
        self._pruning.weight_mask_op()

    @tf.function
    def _follow(self) -> None:
        for clusters in self._clusters:
            clusters.follow()


class Kernel:
    """What one operator multiplies by: some columns of a layer's kernel."""

    def __init__(self, point: WeightPoint, variable: tf.Variable, columns: np.ndarray):
        self.point, self._variable, self._columns = point, variable, columns

    def read(self) -> tf.Tensor:
        return tf.gather(self._variable, self._columns, axis=1)

    def write(self, kernel: tf.Tensor) -> None:
        values = self._variable.numpy()
        values[:, self._columns] = kernel.numpy()
        self._variable.assign(values)


class Clusters:
    """The few values of one operator's kernel.

    The layer's own weights go on being trained, by the gradient of the value that stands for each
    (straight-through); a value is the mean of the weights nearest to it, after every step.

    Parameters
    ----------
    layer : keeps the values.
    kernel : whose.
    count : how many values.
    zero : whether one of them is zero, for good.
    """

    def __init__(self, layer: keras.layers.Layer, kernel: Kernel, count: int, zero: bool):
        from tensorflow_model_optimization.python.core.clustering.keras import clustering_algorithm

        self.point, self._kernel, self._count, self._zero = kernel.point, kernel, count, zero
        self.centroids = layer.add_weight("centroids", (count,), trainable=False)
        self._algorithm = clustering_algorithm.ClusteringAlgorithm(self.centroids)

    def __call__(self, kernel: tf.Tensor) -> tf.Tensor:
        """A kernel with each weight's value in its place."""
        nearest = self._algorithm.get_pulling_indices(kernel)
        return self._algorithm.get_clustered_weight(nearest, kernel)

    def set_first(self) -> None:
        """Find values for the kernel as it is."""
        from tensorflow_model_optimization.python.core.clustering.keras import clustering_centroids

        kernel = self._kernel.read()
        own = np.unique(kernel)
        if len(own) <= self._count:  # a tiny kernel, or a bare one
            self.centroids.assign(np.pad(own, (0, self._count - len(own)), "edge"))
            return
        first = clustering_centroids.KmeansPlusPlusCentroidsInitialisation(
            kernel, self._count, preserve_sparsity=self._zero
        )
        self.centroids.assign(first.get_cluster_centroids())
        for _ in range(_FIRST_ROUNDS):
            self.follow()

    def follow(self) -> None:
        """Move each value to the mean of its weights, one round of k-means."""
        kernel = self._kernel.read()
        nearest = tf.reshape(self._algorithm.get_pulling_indices(kernel), [-1])
        weights = tf.reshape(kernel, [-1])
        total = tf.math.unsorted_segment_sum(weights, nearest, self._count)
        members = tf.math.unsorted_segment_sum(tf.ones_like(weights), nearest, self._count)
        means = tf.where(members > 0, total / tf.maximum(members, 1.0), self.centroids)
        if self._zero:
            means = tf.where(self.centroids == 0.0, 0.0, means)
        self.centroids.assign(means)

    def write(self) -> None:
        """Set the layer's weights to their values."""
        self._kernel.write(self(self._kernel.read()))


def _kernel_variables(layer: Recurrent) -> list[tf.Variable]:
    return [layer.kernel, layer.recurrent_kernel] if layer.cell.recurrent else [layer.kernel]


def kernels_of(layer: Recurrent) -> list[Kernel]:
    """The kernels of a layer's operators."""
    points = [layer.kernel_points, layer.recurrent_points if layer.cell.recurrent else []]
    units, found = np.arange(layer.units), []
    for variable, own in zip(_kernel_variables(layer), points, strict=False):
        for point, blocks in zip(own, layer.cell.gates.values(), strict=True):
            columns = np.concatenate([block * layer.units + units for block in blocks])
            found.append(Kernel(point, variable, columns))
    return found

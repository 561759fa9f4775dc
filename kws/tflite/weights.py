"""A trained model as plain arrays: what conversion needs, and no TensorFlow."""

from dataclasses import dataclass

import numpy as np

from kws.tflite.builder import Quant


@dataclass(frozen=True)
class Direction:
    """One recurrent layer in one direction, weights as in ``keras.layers.GRU``."""

    kernel: np.ndarray
    """(size, 3 units)"""
    recurrent_kernel: np.ndarray
    """(units, 3 units)"""
    bias: np.ndarray
    """(2, 3 units): the input's, then the state's"""
    ranges: dict[str, tuple[float, float]]
    """By quantization point, lowest and highest value."""

    @property
    def units(self) -> int:
        return len(self.recurrent_kernel)


@dataclass(frozen=True)
class ModelWeights:
    """All weights, ranges and the normalisation of a trained model."""

    layers: tuple[tuple[Direction, ...], ...]
    """Bottom up; of each layer the forward direction and, where there is one, the backward."""
    head_kernel: np.ndarray
    """(size, classes)"""
    head_bias: np.ndarray
    logits_range: tuple[float, float]
    mean: np.ndarray
    """(size,) of the raw features"""
    deviation: float
    feature_range: tuple[float, float]
    per_channel: bool

    @property
    def bidirectional(self) -> bool:
        return len(self.layers[0]) == 2

    @property
    def size(self) -> int:
        return len(self.mean)

    @property
    def classes(self) -> int:
        return len(self.head_bias)

    def macs_per_frame(self) -> int:
        """Multiply-accumulates of the recurrent layers, for a frame."""
        return sum(
            part.kernel.size + part.recurrent_kernel.size for layer in self.layers for part in layer
        )

    def count(self) -> int:
        """Number of weights and biases."""
        biases = self.head_bias.size + sum(p.bias.size for layer in self.layers for p in layer)
        return self.macs_per_frame() + self.head_kernel.size + biases

    def stored_bytes(self) -> int:
        """Bytes of the int8 weights and int32 biases: what no file can go below."""
        kernels = self.macs_per_frame() + self.head_kernel.size
        return kernels + 4 * (self.count() - kernels)


def weight_quant(kernel: np.ndarray, per_channel: bool) -> Quant:
    """Symmetric int8 scale of a (size, columns) kernel: largest magnitude to 127.

    The scale's axis is 0, as FULLY_CONNECTED stores a kernel transposed.
    """
    if not per_channel:
        return Quant(float(np.abs(kernel).max() / 127.0) or 1e-8)
    largest = np.maximum(np.abs(kernel).max(axis=0), 1e-6)
    return Quant(tuple(float(value) / 127.0 for value in largest), axis=0)


def to_steps(kernel: np.ndarray, quant: Quant) -> np.ndarray:
    """A kernel in int8 steps of its scale, same shape."""
    return np.clip(np.round(kernel / np.asarray(quant.scale)), -127, 127).astype(np.int8)


def fold_normalization(
    kernel: np.ndarray, bias: np.ndarray, used: np.ndarray, mean: np.ndarray, deviation: float
) -> tuple[np.ndarray, np.ndarray]:
    """Let a kernel take raw features instead of ``(x - mean) / deviation``.

    ``used`` is the kernel as it will be used, after its rounding to int8: the mean's part moves
    into the bias exactly, so that folding adds no error.

    Returns
    -------
    the kernel and the bias for raw features.
    """
    return kernel / deviation, bias - (mean / deviation) @ used

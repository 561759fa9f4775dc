"""A trained model as plain arrays: what conversion needs, and no TensorFlow."""

import math
from dataclasses import dataclass

import numpy as np

from kws.nn.cells import CELLS
from kws.tflite.builder import Quant

Ranges = dict[str, tuple[float, float]]
"""By quantization point, lowest and highest value."""


@dataclass(frozen=True)
class Convolution:
    """One convolution, its batch normalisation in it; ReLU follows."""

    kind: str
    """``full``, ``depthwise`` or ``pointwise``"""
    kernel: np.ndarray
    """(taps * input channels, channels), taps by frame, then band; depthwise (taps, channels)"""
    bias: np.ndarray
    taps: tuple[int, int]
    """Frames and bands"""
    stride: tuple[int, int]
    ranges: Ranges
    same: bool = False
    """Zeros around the input, so that each stride has its output: a convolutional model's"""

    @property
    def per_channel(self) -> bool:
        """Whether each column of the kernel has an int8 scale, as training saw it."""
        return self.same or self.kind == "depthwise"

    def out(self, size: int, axis: int) -> int:
        """Frames (axis 0) or bands (axis 1) that come of ``size``."""
        if self.same:
            return -(-size // self.stride[axis])
        return (size - self.taps[axis]) // self.stride[axis] + 1


@dataclass(frozen=True)
class Direction:
    """One recurrent layer in one direction, weights as :class:`kws.nn.recurrent.Recurrent` has."""

    cell: str
    kernel: np.ndarray
    """(size, blocks * units)"""
    recurrent_kernel: np.ndarray | None
    """(units, blocks * units)"""
    bias: np.ndarray
    """(rows, blocks * units): the input's, then, where there are two, the state's"""
    units: int
    ranges: Ranges

    def columns(self, gate: str) -> np.ndarray:
        """Indices of a gate's columns in the kernels."""
        blocks = CELLS[self.cell].gates[gate]
        return np.concatenate([np.arange(b * self.units, (b + 1) * self.units) for b in blocks])

    def weights(self) -> int:
        """Number of weights, which is also that of multiply-accumulates in a step."""
        return self.kernel.size + (
            0 if self.recurrent_kernel is None else self.recurrent_kernel.size
        )


@dataclass(frozen=True)
class Attend:
    """The weights of attention pooling."""

    kernel: np.ndarray
    """(size, 1)"""
    ranges: Ranges


@dataclass(frozen=True)
class ModelWeights:
    """All weights, ranges and the normalisation of a trained model."""

    stem: tuple[tuple[Convolution, ...], ...]
    """By block, its one or two convolutions"""
    layers: tuple[tuple[Direction, ...], ...]
    """Bottom up; of each layer the forward direction and, where there is one, the backward.

    None where the model is convolutional: then the stem is all of it but for the head.
    """
    pooling: str
    attend: Attend | None
    head_kernel: np.ndarray
    """(size, classes)"""
    head_bias: np.ndarray
    logits_range: tuple[float, float]
    mean: np.ndarray
    """(size,) of the raw features; with a stem one value, a whole number of int8 steps"""
    deviation: float
    feature_range: tuple[float, float]
    per_channel: bool

    @property
    def bidirectional(self) -> bool:
        return bool(self.layers) and len(self.layers[0]) == 2

    @property
    def size(self) -> int:
        return len(self.mean)

    @property
    def classes(self) -> int:
        return len(self.head_bias)

    @property
    def stride(self) -> int:
        """Feature frames that a step takes."""
        return math.prod(block[0].stride[0] for block in self.stem)

    def convolutions(self) -> list[Convolution]:
        return [conv for block in self.stem for conv in block]

    def macs_per_step(self) -> int:
        """Multiply-accumulates for ``stride`` frames, without those after pooling."""
        macs, frames, bands = 0, self.stride, self.size
        for block in self.stem:
            frames //= block[0].stride[0]
            for conv in block:
                bands = conv.out(bands, 1)
                macs += frames * bands * conv.kernel.size
        return macs + sum(part.weights() for layer in self.layers for part in layer)

    def kernels(self) -> int:
        """Number of weights, without biases."""
        stem = sum(conv.kernel.size for conv in self.convolutions())
        attend = self.attend.kernel.size if self.attend else 0
        layers = sum(part.weights() for layer in self.layers for part in layer)
        return stem + layers + attend + self.head_kernel.size

    def count(self) -> int:
        """Number of weights and biases."""
        biases = self.head_bias.size + sum(p.bias.size for layer in self.layers for p in layer)
        biases += sum(conv.bias.size for conv in self.convolutions())
        return self.kernels() + biases

    def stored_bytes(self) -> int:
        """Bytes of the int8 weights and int32 biases: what no file can go below."""
        return self.kernels() + 4 * (self.count() - self.kernels())


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

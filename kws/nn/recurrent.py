"""Recurrent layers with quantization points, in the shape that XLA compiles well."""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from kws.nn.cells import CELLS
from kws.nn.loop import over_frames
from kws.nn.points import KerasOps, Points, WeightPoint
from kws.nn.scan import scan

States = tuple[tf.Tensor, ...]


@keras.saving.register_keras_serializable("kws")
class Recurrent(keras.layers.Layer):
    """A recurrent layer over (batch, frames, size), one direction.

    Where Keras has the cell, the weights are named, shaped and ordered as in its layer
    (``keras.layers.GRU(units)``): kernel (size, blocks * units), recurrent_kernel
    (units, blocks * units), bias (blocks * units,), or (2, blocks * units) for the GRU. The
    products of all frames with the kernel are one matrix product before the loop.

    Parameters
    ----------
    cell : a name in :data:`kws.nn.cells.CELLS`.
    units : size of the state.
    backward : read the frames from last to first; outputs stay at their frame.
    per_channel : give each column of the kernels its own int8 scale.
    """

    def __init__(
        self, cell: str, units: int, backward: bool = False, per_channel: bool = False, **kwargs
    ):
        super().__init__(**kwargs)
        self.cell_name, self.cell, self.units = cell, CELLS[cell], units
        self.backward, self.per_channel = backward, per_channel
        self.width = units * sum(len(blocks) for blocks in self.cell.gates.values())

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        return [(self.units,)] * len(self.cell.states)

    @property
    def outputs(self) -> int:
        """Values a frame."""
        return self.units

    def build(self, shape) -> None:
        size, cell, add = int(shape[-1]), self.cell, self.add_weight
        self.kernel = add("kernel", (size, self.width), initializer="glorot_uniform")
        if cell.recurrent:
            self.recurrent_kernel = add(
                "recurrent_kernel", (self.units, self.width), initializer="orthogonal"
            )
        bias = (2, self.width) if cell.biases == 2 else (self.width,)
        self.bias = add("bias", bias, initializer=self._first_bias)
        prefixes = ("x", "h") if cell.recurrent else ("x",)
        products = [f"{prefix}.{gate}" for prefix in prefixes for gate in cell.gates]
        self.points = Points(self, [*products, *cell.points], cell.limits)
        self.kernel_points = self._weight_points()
        if cell.recurrent:
            self.recurrent_points = self._weight_points()
        super().build(shape)

    def call(
        self, inputs: tf.Tensor, states: States, mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, States]:
        """Run over the frames.

        Parameters
        ----------
        inputs : (batch, frames, size).
        states : each (batch, units).
        mask : (batch, units), what the state is multiplied by before its matrix product:
            recurrent dropout, the same at all frames (Gal & Ghahramani 2016).

        Returns
        -------
        outputs (batch, frames, units), the first state at each frame; and the states after the
        last frame read.
        """
        self.points.prepare()
        kernels = [
            point(block, self.points.mode)
            for point, block in zip(self.kernel_points, self._blocks(self.kernel), strict=True)
        ]
        # Frames first: a loop over them reads whole rows.
        frames = self._in_order(tf.transpose(inputs, [1, 0, 2]))
        products = frames @ tf.concat(kernels, axis=-1) + self._bias(0)
        if self.points.mode == "float" and self.cell.linear is not None:
            outputs, states = self._at_once(products, states)
        else:
            outputs, states = self._step_by_step(products, states, mask)
        return tf.transpose(self._in_order(outputs), [1, 0, 2]), states

    def _in_order(self, frames: tf.Tensor) -> tf.Tensor:
        return frames[::-1] if self.backward else frames

    def _at_once(self, products: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        keep, drive = self.cell.linear(KerasOps(self.points), self._parts(products))
        outputs = scan(keep, drive, states[0])
        return outputs, (outputs[-1],)

    def _step_by_step(
        self, products: tf.Tensor, states: States, mask: tf.Tensor | None
    ) -> tuple[tf.Tensor, States]:
        ops, recording = KerasOps(self.points), self.points.mode == "record"
        if recording:  # of the input's products, the ranges over all frames at once
            self._gates("x", products)

        def step(here: tf.Tensor, heard: tf.Tensor | None, states: States) -> States:
            x = self._parts(here) if recording else self._gates("x", here)
            h = {} if heard is None else self._gates("h", heard)
            return self.cell.step(ops, x, h, states)

        bias = self._bias(1) if self.cell.biases == 2 else None
        return over_frames(step, products, tuple(states), self._recurrent_kernel(), bias, mask)

    def _recurrent_kernel(self) -> tf.Tensor | None:
        if not self.cell.recurrent:
            return None
        blocks = self._blocks(self.recurrent_kernel)
        points = zip(self.recurrent_points, blocks, strict=True)
        return tf.concat([point(block, self.points.mode) for point, block in points], axis=-1)

    def _weight_points(self) -> list[WeightPoint]:
        """A quantization point for each gate's columns of a kernel: each is an operator's."""
        return [WeightPoint(self.per_channel) for _ in self.cell.gates]

    def _blocks(self, columns: tf.Tensor) -> list[tf.Tensor]:
        """A kernel's or bias's columns by gate."""
        parts = tf.split(columns, self.width // self.units, axis=-1)
        return [
            tf.concat([parts[block] for block in blocks], axis=-1)
            for blocks in self.cell.gates.values()
        ]

    def _bias(self, row: int) -> tf.Tensor:
        """A row of the bias, its columns by gate."""
        bias = self.bias[row] if self.cell.biases == 2 else tf.convert_to_tensor(self.bias)
        order = [block for blocks in self.cell.gates.values() for block in blocks]
        return bias if order == sorted(order) else tf.concat(self._blocks(bias), axis=-1)

    def _gates(self, prefix: str, products: tf.Tensor) -> dict[str, tf.Tensor]:
        """The parts of products by gate, each through its quantization point."""
        parts = self._parts(products)
        return {gate: self.points(f"{prefix}.{gate}", part) for gate, part in parts.items()}

    def _parts(self, products: tf.Tensor) -> dict[str, tf.Tensor]:
        sizes = [len(blocks) * self.units for blocks in self.cell.gates.values()]
        return dict(zip(self.cell.gates, tf.split(products, sizes, axis=-1), strict=True))

    def _first_bias(self, shape: tuple[int, ...], dtype=None) -> tf.Tensor:
        bias = np.zeros(shape)
        for block, value in self.cell.remember.items():
            columns = slice(block * self.units, (block + 1) * self.units)
            bias[(0, columns) if bias.ndim == 2 else columns] = value
        return tf.constant(bias, dtype)

    def get_config(self) -> dict:
        own = {"cell": self.cell_name, "units": self.units}
        own |= {"backward": self.backward, "per_channel": self.per_channel}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("kws")
class Bidirectional(keras.layers.Layer):
    """A forward and a backward recurrent layer over (batch, frames, size), side by side.

    Schuster & Paliwal (1997). Outputs are (batch, frames, 2 units), forward half first; the states
    are the forward layer's, then the backward one's.
    """

    def __init__(self, cell: str, units: int, per_channel: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.cell_name, self.units, self.per_channel = cell, units, per_channel
        self.forward = Recurrent(cell, units, False, per_channel, name="forward")
        self.backward = Recurrent(cell, units, True, per_channel, name="backward")

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        return self.forward.state_shapes * 2

    @property
    def outputs(self) -> int:
        """Values a frame."""
        return 2 * self.units

    def call(
        self, inputs: tf.Tensor, states: States, mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, States]:
        """Run over the frames; shapes as the class says, ``mask`` (batch, 2 units)."""
        half = len(states) // 2
        masks = (None, None) if mask is None else tf.split(mask, 2, axis=-1)
        forward_outputs, ahead = self.forward(inputs, states[:half], masks[0])
        backward_outputs, behind = self.backward(inputs, states[half:], masks[1])
        return tf.concat([forward_outputs, backward_outputs], axis=-1), (*ahead, *behind)

    def get_config(self) -> dict:
        own = {"cell": self.cell_name, "units": self.units, "per_channel": self.per_channel}
        return {**super().get_config(), **own}

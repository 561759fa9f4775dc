"""One step of a recurrent cell, written once for training, conversion and calibration.

A cell says what it computes in terms of ``ops``, whose methods are the few operators that a
microcontroller runs in int8. Trained with :class:`kws.nn.points.KerasOps` each operator's result
gets a quantization point; converted with :class:`kws.tflite.ops.TfliteOps` the same calls write
the operators and the same points give their scales. So what is trained is what is deployed.
"""

from typing import Any, Protocol

Value = Any
"""A tensor in training, the index of one in conversion."""


class Ops(Protocol):
    """Int8 operators; ``point`` names the quantization point of a result of no fixed range."""

    def add(self, point: str, a: Value, b: Value) -> Value: ...

    def mul(self, point: str, a: Value, b: Value) -> Value: ...

    def share(self, a: Value, b: Value) -> Value:
        """Their product, on the scale of a state: -1..1 in steps of 1/128."""

    def state(self, a: Value, b: Value) -> Value:
        """Their sum, on the scale of a state."""

    def sigmoid(self, a: Value) -> Value:
        """Range 0..1, fixed."""

    def tanh(self, a: Value) -> Value:
        """Range -1..1, fixed."""

    def one_minus(self, a: Value) -> Value:
        """Of a value in 0..1."""

    def halves(self, a: Value) -> tuple[Value, Value]:
        """Split in two along the last axis."""


class GRUCell:
    """Gated recurrent unit (Cho et al. 2014) in the reset-after form of Keras.

    ``z, r = sigmoid(x_zr + h_zr)``; ``n = tanh(x_n + r h_n)``; ``h' = z h + (1 - z) n``, where
    ``x`` and ``h`` are the input and the state after their matrix products.
    """

    gates = (("zr", 2), ("n", 1))
    """Blocks of the kernels' columns, in Keras's order, with their widths in units."""
    points = ("zr", "reset", "n")
    """Quantization points inside the step whose range is measured."""

    @staticmethod
    def step(ops: Ops, x: dict[str, Value], h: dict[str, Value], state: Value) -> Value:
        """One step.

        Parameters
        ----------
        x, h : by gate, the input's and the state's matrix products with their biases.
        state : (batch, units), in -1..1.

        Returns
        -------
        The next state.
        """
        z, r = ops.halves(ops.sigmoid(ops.add("zr", x["zr"], h["zr"])))
        n = ops.tanh(ops.add("n", x["n"], ops.mul("reset", r, h["n"])))
        # Both parts on the state's own steps: their sum is exact, and no rounding pulls a state
        # that is kept for long to one side.
        return ops.state(ops.share(z, state), ops.share(ops.one_minus(z), n))

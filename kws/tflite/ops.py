"""The operators of :class:`kws.nn.cells.Ops`, written into a subgraph, int8 or float32."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.nn.cells import STATE
from kws.tflite.builder import Quant, Subgraph
from kws.tflite.weights import to_steps

SIGMOID = Quant(1 / 256, -128)
"""What int8 LOGISTIC and SOFTMAX give."""
SIGNED = Quant(1 / 128, 0)
"""What int8 TANH gives, and the scale of every state."""
_VERSIONS = {
    "FULLY_CONNECTED": (1, 4),
    "RESHAPE": (1, 1),
    "DYNAMIC_UPDATE_SLICE": (1, 1),
    "FILL": (1, 2),
    "CONV_2D": (1, 3),
    "DEPTHWISE_CONV_2D": (1, 3),
}
"""Of an operator for float32 and int8; (1, 2) where not given."""


class TfliteOps:
    """Writes operators; values are tensor indices.

    Parameters
    ----------
    graph : where to.
    int8 : int8 with scales, or float32 throughout.
    ranges : by quantization point, lowest and highest value (int8 alone).
    """

    def __init__(
        self, graph: Subgraph, int8: bool, ranges: dict[str, tuple[float, float]] | None = None
    ):
        self.graph, self.int8, self.ranges = graph, int8, ranges or {}
        self.dtype = np.int8 if int8 else np.float32

    def with_ranges(self, ranges: dict[str, tuple[float, float]]) -> "TfliteOps":
        return TfliteOps(self.graph, self.int8, ranges)

    def quant(self, point: str) -> Quant | None:
        """The scale of a quantization point."""
        if not self.int8:
            return None
        return SIGNED if point == STATE else Quant.of_range(*self.ranges[point])

    def value(self, shape: tuple[int, ...], quant: Quant | None, name: str = "") -> int:
        """Add a tensor of the graph's type; ``quant`` counts in int8 alone."""
        return self.graph.tensor(shape, self.dtype, quant if self.int8 else None, name)

    def shape(self, value: int) -> tuple[int, ...]:
        return tuple(self.graph.table.tensors[value].shape)

    def emit(self, operator: str, inputs: list[int], output: int, options=None) -> int:
        version = _VERSIONS.get(operator, (1, 2))[self.int8]
        self.graph.op(operator, inputs, [output], options, version)
        return output

    def quant_of(self, value: int) -> Quant | None:
        """The scale that a tensor was given."""
        found = self.graph.table.tensors[value].quantization
        if found is None:
            return None
        scales = tuple(float(scale) for scale in found.scale)
        return Quant(scales if len(scales) > 1 else scales[0], int(found.zeroPoint[0]))

    def like(self, value: int, shape: tuple[int, ...]) -> int:
        """A tensor on the scale of another."""
        return self.value(shape, self.quant_of(value))

    def dense(
        self,
        value: int,
        kernel: np.ndarray,
        kernel_quant: Quant,
        bias: np.ndarray | None,
        output_quant: Quant | None,
    ) -> int:
        """``value @ kernel + bias`` for a (size, columns) kernel of the given scale."""
        weights = self.weights(kernel.T, kernel_quant)
        biases = -1 if bias is None else self.biases(value, bias, kernel_quant)
        output = self.value((self.shape(value)[0], kernel.shape[1]), output_quant)
        options = schema.FullyConnectedOptionsT()
        return self.emit("FULLY_CONNECTED", [value, weights, biases], output, options)

    def weights(self, kernel: np.ndarray, quant: Quant, steps: np.ndarray | None = None) -> int:
        """A constant kernel in its operator's layout; ``steps`` where rounded before."""
        if not self.int8:
            return self.graph.constant(np.ascontiguousarray(kernel, np.float32))
        if steps is None:
            steps = to_steps(kernel.T, quant).T
        return self.graph.constant(np.ascontiguousarray(steps), quant)

    def biases(self, value: int, bias: np.ndarray, kernel_quant: Quant) -> int:
        """A constant bias, int32 in steps of the input's scale times the kernel's."""
        if not self.int8:
            return self.graph.constant(bias.astype(np.float32))
        value_quant = self.quant_of(value)
        assert value_quant is not None
        scales = np.asarray(kernel_quant.scale, np.float64) * value_quant.scale
        steps = np.clip(np.round(bias / scales), -(2**31), 2**31 - 1).astype(np.int32)
        bias_scale = tuple(float(s) for s in scales) if scales.ndim else float(scales)
        return self.graph.constant(steps, Quant(bias_scale))

    def add(self, point: str, a: int, b: int) -> int:
        output = self.value(self.shape(a), self.quant(point))
        return self.emit("ADD", [a, b], output, schema.AddOptionsT())

    def mul(self, point: str, a: int, b: int) -> int:
        output = self.value(self.shape(a), self.quant(point))
        return self.emit("MUL", [a, b], output, schema.MulOptionsT())

    def sigmoid(self, a: int) -> int:
        return self.emit("LOGISTIC", [a], self.value(self.shape(a), SIGMOID))

    def tanh(self, a: int) -> int:
        return self.emit("TANH", [a], self.value(self.shape(a), SIGNED))

    def one_minus(self, a: int) -> int:
        one = self.graph.constant(np.ones(1, self.dtype), Quant(1.0) if self.int8 else None)
        return self.emit("SUB", [one, a], self.value(self.shape(a), SIGMOID), schema.SubOptionsT())

    def split(self, a: int, parts: int) -> tuple[int, ...]:
        rows, columns = self.shape(a)
        found = tuple(self.like(a, (rows, columns // parts)) for _ in range(parts))
        axis = self.graph.constant(np.array(1, np.int32))
        options = schema.SplitOptionsT()
        options.numSplits = parts
        version = 2 if self.int8 else 1
        self.graph.op("SPLIT", [axis, a], list(found), options, version=version)
        return found

    def softmax(self, a: int, name: str = "") -> int:
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        return self.emit("SOFTMAX", [a], self.value(self.shape(a), SIGMOID, name), options)

    def join(self, values: list[int], axis: int) -> int:
        """Tensors of one scale, one behind the other along an axis."""
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        shape = list(self.shape(values[0]))
        shape[axis] = sum(self.shape(value)[axis] for value in values)
        return self.emit("CONCATENATION", values, self.like(values[0], tuple(shape)), options)

    def reshape(self, a: int, shape: tuple[int, ...], quant: Quant | None = None) -> int:
        """The same values in another shape; with ``quant``, read on another scale."""
        output = self.value(shape, quant or self.quant_of(a))
        target = self.graph.constant(np.array(shape, np.int32))
        return self.emit("RESHAPE", [a, target], output, schema.ReshapeOptionsT())

"""The operators of :class:`kws.nn.cells.Ops`, written into a subgraph, int8 or float32."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

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
        return Quant.of_range(*self.ranges[point]) if self.int8 else None

    def value(self, shape: tuple[int, ...], quant: Quant | None, name: str = "") -> int:
        """Add a tensor of the graph's type; ``quant`` counts in int8 alone."""
        return self.graph.tensor(shape, self.dtype, quant if self.int8 else None, name)

    def shape(self, value: int) -> tuple[int, ...]:
        return tuple(self.graph.table.tensors[value].shape)

    def emit(self, operator: str, inputs: list[int], output: int, options=None) -> int:
        version = _VERSIONS.get(operator, (1, 2))[self.int8]
        self.graph.op(operator, inputs, [output], options, version)
        return output

    def dense(
        self,
        value: int,
        value_quant: Quant | None,
        kernel: np.ndarray,
        kernel_quant: Quant,
        bias: np.ndarray,
        output_quant: Quant | None,
    ) -> int:
        """``value @ kernel + bias`` for a (size, columns) kernel of the given scale."""
        output = self.value((1, kernel.shape[1]), output_quant)
        if self.int8:
            assert value_quant is not None
            weights = self.graph.constant(to_steps(kernel, kernel_quant).T.copy(), kernel_quant)
            scales = np.asarray(kernel_quant.scale, np.float64) * value_quant.scale
            steps = np.clip(np.round(bias / scales), -(2**31), 2**31 - 1).astype(np.int32)
            bias_scale = tuple(float(s) for s in scales) if scales.ndim else float(scales)
            biases = self.graph.constant(steps, Quant(bias_scale))
        else:
            weights = self.graph.constant(kernel.T.astype(np.float32).copy())
            biases = self.graph.constant(bias.astype(np.float32))
        return self.emit(
            "FULLY_CONNECTED", [value, weights, biases], output, schema.FullyConnectedOptionsT()
        )

    def add(self, point: str, a: int, b: int) -> int:
        return self._sum(a, b, self.quant(point))

    def state(self, a: int, b: int) -> int:
        return self._sum(a, b, SIGNED)

    def _sum(self, a: int, b: int, quant: Quant | None) -> int:
        return self.emit("ADD", [a, b], self.value(self.shape(a), quant), schema.AddOptionsT())

    def mul(self, point: str, a: int, b: int) -> int:
        return self._product(a, b, self.quant(point))

    def share(self, a: int, b: int) -> int:
        return self._product(a, b, SIGNED)

    def _product(self, a: int, b: int, quant: Quant | None) -> int:
        return self.emit("MUL", [a, b], self.value(self.shape(a), quant), schema.MulOptionsT())

    def sigmoid(self, a: int) -> int:
        return self.emit("LOGISTIC", [a], self.value(self.shape(a), SIGMOID))

    def tanh(self, a: int) -> int:
        return self.emit("TANH", [a], self.value(self.shape(a), SIGNED))

    def one_minus(self, a: int) -> int:
        one = self.graph.constant(np.ones(1, self.dtype), Quant(1.0) if self.int8 else None)
        return self.emit("SUB", [one, a], self.value(self.shape(a), SIGMOID), schema.SubOptionsT())

    def halves(self, a: int) -> tuple[int, int]:
        quantization = self.graph.table.tensors[a].quantization
        rows, columns = self.shape(a)
        parts = []
        for _ in range(2):
            parts.append(self.value((rows, columns // 2), None))
            self.graph.table.tensors[parts[-1]].quantization = quantization
        axis = self.graph.constant(np.array(1, np.int32))
        options = schema.SplitOptionsT()
        options.numSplits = 2
        self.graph.op("SPLIT", [axis, a], parts, options, version=2 if self.int8 else 1)
        return parts[0], parts[1]

    def softmax(self, a: int, name: str) -> int:
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        return self.emit("SOFTMAX", [a], self.value(self.shape(a), SIGMOID, name), options)

    def join(self, a: int, b: int) -> int:
        """Two states side by side."""
        options = schema.ConcatenationOptionsT()
        options.axis = 1
        rows, columns = self.shape(a)
        output = self.value((rows, columns + self.shape(b)[1]), SIGNED)
        return self.emit("CONCATENATION", [a, b], output, options)

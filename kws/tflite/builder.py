"""Writes ``.tflite`` files: tensors, operators and subgraphs as plain calls.

The converter of TensorFlow cannot quantize a recurrent loop (it crashes, or unrolls it), and wraps
each loop-carried int8 value in a float one. Written directly, every tensor has the type and the
scale that the model was trained with.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.tflite.pack import pack

_VERSION = 3
TYPES = {
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.bool_): schema.TensorType.BOOL,
}


@dataclass(frozen=True)
class Quant:
    """Affine quantization: real = ``scale * (stored - zero_point)``.

    ``scale`` is one number, or one for each index of ``axis``.
    """

    scale: float | tuple[float, ...]
    zero_point: int = 0
    axis: int = 0

    @classmethod
    def of_range(cls, low: float, high: float) -> "Quant":
        """The int8 scale and zero point of a fake-quantized range, nudged so that 0 is exact.

        The arithmetic is that of ``fake_quant_with_min_max_vars`` (Jacob et al. 2018).
        """
        lowest, highest = np.float32(min(low, 0.0)), np.float32(max(high, 0.0))
        scale = (highest - lowest) / np.float32(255.0)  # in float32, as a tie may fall either way
        zero_point = int(np.clip(np.floor(-lowest / scale + np.float32(0.5)), 0, 255)) - 128
        return cls(float(scale), zero_point)


class Subgraph:
    """One graph of a model: tensors are made with their operators, and named by their index."""

    def __init__(self, model: "ModelBuilder", name: str):
        self.model = model
        self.table = schema.SubGraphT()
        self.table.name = name
        self.table.tensors, self.table.operators = [], []
        self.table.inputs, self.table.outputs = [], []

    def tensor(
        self,
        shape: tuple[int, ...],
        dtype: type,
        quant: Quant | None = None,
        name: str = "",
        data: np.ndarray | None = None,
    ) -> int:
        """Add a tensor; with ``data`` it is a constant. Gives its index."""
        tensor = schema.TensorT()
        tensor.shape, tensor.name = list(shape), name
        tensor.type = TYPES[np.dtype(dtype)]
        tensor.buffer = 0 if data is None else self.model.buffer(data.astype(dtype).tobytes())
        if quant is not None:
            scales = quant.scale if isinstance(quant.scale, tuple) else (quant.scale,)
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.asarray(scales, np.float32)
            tensor.quantization.zeroPoint = np.full(len(scales), quant.zero_point, np.int64)
            tensor.quantization.quantizedDimension = quant.axis
        self.table.tensors.append(tensor)
        return len(self.table.tensors) - 1

    def resource(self, name: str) -> int:
        """Add a tensor that holds the handle of a variable."""
        index = self.tensor((), np.int32, name=name)
        self.table.tensors[index].type = schema.TensorType.RESOURCE
        return index

    def constant(self, data: np.ndarray, quant: Quant | None = None, name: str = "") -> int:
        return self.tensor(data.shape, data.dtype.type, quant, name, data)

    def op(
        self,
        operator: str,
        inputs: list[int],
        outputs: list[int],
        options: Any = None,
        version: int = 1,
    ) -> list[int]:
        """Add an operator, such as ``"FULLY_CONNECTED"``, with its options; gives ``outputs``."""
        entry = schema.OperatorT()
        entry.opcodeIndex = self.model.operator_code(operator, version)
        entry.inputs, entry.outputs = inputs, outputs
        if options is not None:
            entry.builtinOptions = options
            kind = type(options).__name__.removesuffix("T")
            entry.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        self.table.operators.append(entry)
        return outputs


class ModelBuilder:
    """A model file in the making; buffers of equal content are stored once."""

    def __init__(self, description: str):
        self.table = schema.ModelT()
        self.table.version, self.table.description = _VERSION, description
        self.table.subgraphs, self.table.operatorCodes = [], []
        self.table.metadata, self.table.signatureDefs = [], []
        self.table.buffers = [schema.BufferT()]  # buffer 0: "no data"
        self._stored: dict[bytes, int] = {}
        self._codes: dict[tuple[str, int], int] = {}

    def subgraph(self, name: str) -> tuple[int, Subgraph]:
        """Add a subgraph; the first one is the model itself. Gives its index and it."""
        graph = Subgraph(self, name)
        self.table.subgraphs.append(graph.table)
        return len(self.table.subgraphs) - 1, graph

    def buffer(self, data: bytes) -> int:
        if data not in self._stored:
            entry = schema.BufferT()
            entry.data = np.frombuffer(data, np.uint8)
            self.table.buffers.append(entry)
            self._stored[data] = len(self.table.buffers) - 1
        return self._stored[data]

    def operator_code(self, operator: str, version: int) -> int:
        key = (operator, version)
        if key not in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode = getattr(schema.BuiltinOperator, operator)
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)
            code.version = version
            self.table.operatorCodes.append(code)
            self._codes[key] = len(self.table.operatorCodes) - 1
        return self._codes[key]

    def add_metadata(self, name: str, data: bytes) -> None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, self.buffer(data)
        self.table.metadata.append(entry)

    def signature(self, graph: Subgraph) -> None:
        """Name the first subgraph's inputs and outputs by their tensors, as ``serving_default``."""
        entry = schema.SignatureDefT()
        entry.signatureKey, entry.subgraphIndex = "serving_default", 0
        entry.inputs = [_named(graph, index) for index in graph.table.inputs]
        entry.outputs = [_named(graph, index) for index in graph.table.outputs]
        self.table.signatureDefs.append(entry)

    def finish(self) -> bytes:
        """The file's bytes; the same calls give the same bytes."""
        return pack(self.table)


def _named(graph: Subgraph, index: int) -> schema.TensorMapT:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = graph.table.tensors[index].name, index
    return entry

"""A model file with its kernels encoded, for TFLM alone: less flash, for more memory and time.

Before an operator whose kernel is encoded stands a DECODE, which writes the kernel into the arena
at every call. The answers are those of the file that it was made of, byte for byte.
"""

import copy
import zlib
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.tflite.encodings import Encoded, encode
from kws.tflite.metadata import parse
from kws.tflite.operators import builtin
from kws.tflite.pack import pack

DECODE = "TFLM_DECODE"
"""The custom operator's name."""
_READERS = (
    schema.BuiltinOperator.FULLY_CONNECTED,
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
)
"""Operators whose second input is a kernel."""
_DECODE_BYTES = 256
"""What a DECODE with its tensors adds to a file, about: a kernel that saves less stays plain."""


@dataclass(frozen=True)
class Kernel:
    """One kernel as it is stored."""

    shape: tuple[int, ...]
    values: int
    """How many different ones"""
    zeros: float
    """Share of them"""
    form: str
    """``plain``, ``look-up`` or ``mask``"""
    stored_bytes: int


def deflated_bytes(data: bytes) -> int:
    """Size of a file as zlib packs it: what travels in an archive or over the air."""
    return len(zlib.compress(data, 9))


def compress(data: bytes) -> tuple[bytes, list[Kernel]]:
    """Encode each int8 kernel that gets smaller by it.

    Returns
    -------
    the file, the very same where no kernel does, and its kernels in the order of the operators.
    """
    model = parse(data, "the model")
    graphs = [_Graph(model, graph) for graph in model.subgraphs]
    for graph in graphs:
        graph.rewrite()
    found = [kernel for graph in graphs for kernel in graph.kernels]
    if all(kernel.form == "plain" for kernel in found):
        return data, found
    _empty_unused(model)
    return pack(model), found


class _Graph:
    """One subgraph in the rewriting."""

    def __init__(self, model: schema.ModelT, graph: schema.SubGraphT):
        self._model, self._graph = model, graph
        self._decoded: dict[int, tuple[schema.TensorT, int]] = {}
        """By an encoded tensor, what it was, and the tensor that says how to decode it."""
        self._seen: set[int] = set()
        self.kernels: list[Kernel] = []

    def rewrite(self) -> None:
        operators = []
        for operator in self._graph.operators or []:
            index = self._kernel_of(operator)
            if index is not None and index not in self._seen:
                self._seen.add(index)
                self._consider(index)
            if index in self._decoded:
                operators.append(self._decode(index))
                inputs = np.array(operator.inputs)
                inputs[1] = operators[-1].outputs[0]
                operator.inputs = inputs
            operators.append(operator)
        self._graph.operators = operators

    def _kernel_of(self, operator: schema.OperatorT) -> int | None:
        """Index of the constant int8 kernel that an operator reads, if it does."""
        if builtin(self._model.operatorCodes[operator.opcodeIndex]) not in _READERS:
            return None
        index = int(operator.inputs[1])
        if index in self._decoded:
            return index
        tensor = self._graph.tensors[index]
        constant = self._model.buffers[tensor.buffer].data is not None
        return index if constant and tensor.type == schema.TensorType.INT8 else None

    def _consider(self, index: int) -> None:
        tensor = self._graph.tensors[index]
        stored = np.asarray(self._model.buffers[tensor.buffer].data, np.uint8).view(np.int8)
        kernel = stored.reshape(tensor.shape)
        encoded = encode(kernel, _axis(tensor))
        if encoded is not None and kernel.size - encoded.size <= _DECODE_BYTES:
            encoded = None
        self.kernels.append(
            Kernel(
                shape=kernel.shape,
                values=len(np.unique(kernel)),
                zeros=float((kernel == 0).mean()),
                form=encoded.form if encoded else "plain",
                stored_bytes=encoded.size if encoded else kernel.size,
            )
        )
        if encoded is not None:
            self._store(index, encoded)

    def _store(self, index: int, encoded: Encoded) -> None:
        beside = _bytes_tensor(self._model, encoded.beside)
        self._graph.tensors.append(beside)
        self._decoded[index] = (self._graph.tensors[index], len(self._graph.tensors) - 1)
        self._graph.tensors[index] = _bytes_tensor(self._model, encoded.data)

    def _decode(self, index: int) -> schema.OperatorT:
        """The operator that makes a kernel of a tensor's bytes, for the very next operator."""
        was, beside = self._decoded[index]
        output = copy.copy(was)
        output.buffer = 0
        self._graph.tensors.append(output)
        operator = schema.OperatorT()
        operator.opcodeIndex = _decode_code(self._model)
        operator.inputs, operator.outputs = [index, beside], [len(self._graph.tensors) - 1]
        return operator


def _axis(tensor: schema.TensorT) -> int | None:
    """Along which a kernel has several scales."""
    quantization = tensor.quantization
    return None if len(quantization.scale) == 1 else int(quantization.quantizedDimension)


def _bytes_tensor(model: schema.ModelT, data: bytes) -> schema.TensorT:
    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    tensor.shape, tensor.type, tensor.name = [len(data)], schema.TensorType.UINT8, ""
    tensor.buffer = len(model.buffers) - 1
    return tensor


def _decode_code(model: schema.ModelT) -> int:
    custom = schema.BuiltinOperator.CUSTOM
    for index, code in enumerate(model.operatorCodes):
        if builtin(code) == custom:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = custom
    code.customCode, code.version = DECODE, 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _empty_unused(model: schema.ModelT) -> None:
    """Drop the bytes of kernels that are stored otherwise now; numbers of buffers stay."""
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in model.metadata or []}
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None

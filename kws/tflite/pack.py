"""Model tables to the bytes of a ``.tflite`` file, equal parts stored once.

A small model has a hundred tensors and operators. Their shapes, scales, zero points and options
repeat; in a flatbuffer several tables may point to the same one, and flash is short.
"""

import copy
import hashlib
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.recipe import DecoderConfig
from kws.tflite.metadata import NAME, Metadata, metadata_json, parse, read_metadata

_ALIGNMENT = 16


class _Builder(flatbuffers.Builder):
    """Writes equal vectors, strings and tables once."""

    def __init__(self) -> None:
        super().__init__(1024)
        self.stored: dict[Any, int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        key = (x.dtype.str, x.tobytes())
        if key not in self.stored:
            self.stored[key] = super().CreateNumpyVector(x)
        return self.stored[key]

    def CreateString(self, s, encoding="utf-8", errors="strict") -> int:
        if s not in self.stored:
            self.stored[s] = super().CreateString(s, encoding, errors)
        return self.stored[s]


class _Table:
    """A table of plain values that is packed once, however many point to it."""

    def __init__(self, table: Any):
        self._table = table
        fields = (_plain(value) for _, value in sorted(vars(table).items()))
        self._key = (type(table).__name__, *fields)

    def Pack(self, builder: _Builder) -> int:
        if self._key not in builder.stored:
            builder.stored[self._key] = self._table.Pack(builder)
        return builder.stored[self._key]


class _AlignedBuffer:
    """A buffer that starts at a multiple of 16, as the schema asks and its writer forgets."""

    def __init__(self, data: Any):
        self._data = np.asarray(data, np.uint8).tobytes()

    def Pack(self, builder: _Builder) -> int:
        builder.StartVector(1, len(self._data), _ALIGNMENT)
        builder.head -= len(self._data)
        builder.Bytes[builder.head : builder.head + len(self._data)] = self._data
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


def pack(model: schema.ModelT) -> bytes:
    """Write a model, built or parsed, as a ``.tflite`` file with aligned buffers."""
    packed = copy.copy(model)
    packed.buffers = [
        buffer if buffer.data is None else _AlignedBuffer(buffer.data) for buffer in model.buffers
    ]
    packed.subgraphs = [_subgraph(graph) for graph in model.subgraphs]
    builder = _Builder()
    builder.Finish(packed.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def with_metadata(data: bytes, metadata: Metadata, where: str) -> bytes:
    """The same model file with other facts of itself.

    Raises
    ------
    ModelError
        When the file is damaged, or has no such facts.
    """
    model = parse(data, where)
    read_metadata(model, where)
    entry = next(one for one in model.metadata if one.name in (NAME, NAME.encode()))
    model.buffers[entry.buffer].data = np.frombuffer(metadata_json(metadata), np.uint8)
    return pack(model)


def sha256_without_thresholds(data: bytes, where: str) -> str:
    """Hex digest of a model file apart from its decoder: the same whatever thresholds are chosen.

    Raises
    ------
    ModelError
        As :func:`with_metadata`.
    """
    metadata = read_metadata(parse(data, where), where)
    bare = with_metadata(data, metadata.with_thresholds(DecoderConfig(), None), where)
    return hashlib.sha256(bare).hexdigest()


def _subgraph(graph: schema.SubGraphT) -> schema.SubGraphT:
    graph = copy.copy(graph)
    graph.tensors = [_tensor(tensor) for tensor in graph.tensors]
    graph.operators = [_operator(operator) for operator in graph.operators]
    graph.inputs, graph.outputs = _integers(graph.inputs), _integers(graph.outputs)
    return graph


def _tensor(tensor: schema.TensorT) -> schema.TensorT:
    tensor = copy.copy(tensor)
    tensor.shape = _integers(tensor.shape)
    if tensor.quantization is not None:
        tensor.quantization = _Table(tensor.quantization)
    return tensor


def _operator(operator: schema.OperatorT) -> schema.OperatorT:
    operator = copy.copy(operator)
    operator.inputs = _integers(operator.inputs)
    operator.outputs = _integers(operator.outputs)
    if operator.builtinOptions is not None:
        operator.builtinOptions = _Table(operator.builtinOptions)
    return operator


def _integers(values: Any) -> np.ndarray | None:
    return None if values is None else np.asarray(values, np.int32)


def _plain(value: Any) -> Any:
    """A field's value as what a dict can be keyed by."""
    if isinstance(value, list | np.ndarray):
        return np.asarray(value).dtype.str, np.asarray(value).tobytes()
    assert value is None or isinstance(value, int | float | str | bytes), value
    return value

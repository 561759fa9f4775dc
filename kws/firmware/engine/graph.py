"""A ``.tflite`` file as plain data: graphs of tensors and the operators between them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.errors import ModelError

_OPERATORS = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
_DTYPES: dict[int, type] = {
    schema.TensorType.INT8: np.int8,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.BOOL: np.bool_,
}


@dataclass(frozen=True)
class Tensor:
    """A value of a graph: real = ``scale * (stored - zero_point)`` where it is int8."""

    index: int
    shape: tuple[int, ...]
    dtype: type
    scales: tuple[float, ...]
    """float32 values; one, or one for each index of an axis"""
    zero_point: int
    data: np.ndarray | None
    """Of a constant"""

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    @property
    def scale(self) -> float:
        """Of a tensor with one scale."""
        assert len(self.scales) == 1, f"tensor {self.index} has {len(self.scales)} scales"
        return self.scales[0]


@dataclass(frozen=True)
class Node:
    """An operator: what it takes and gives, by tensor index; -1 for an input that is left out."""

    operator: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True)
class Graph:
    """Operators in the order in which they run."""

    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_graphs(model: schema.ModelT, where: str) -> list[Graph]:
    """All graphs of a model; the first is the one that is called.

    Raises
    ------
    ModelError
        When a tensor is of a type that the engine has not.
    """
    return [_graph(model, subgraph, where) for subgraph in model.subgraphs]


def _graph(model: schema.ModelT, subgraph: schema.SubGraphT, where: str) -> Graph:
    tensors = [_tensor(model, i, tensor, where) for i, tensor in enumerate(subgraph.tensors)]
    nodes = [
        Node(
            _OPERATORS[model.operatorCodes[op.opcodeIndex].builtinCode],
            _indices(op.inputs),
            _indices(op.outputs),
            op.builtinOptions,
        )
        for op in subgraph.operators
    ]
    return Graph(
        tuple(tensors), tuple(nodes), _indices(subgraph.inputs), _indices(subgraph.outputs)
    )


def _tensor(model: schema.ModelT, index: int, tensor: schema.TensorT, where: str) -> Tensor:
    if tensor.type not in _DTYPES:
        names = {value: name for name, value in vars(schema.TensorType).items()}
        raise ModelError(
            f"{where}: a tensor of type {names.get(tensor.type, tensor.type)}; the C engine takes "
            "int8 models whose state is explicit: convert the run again, without --state internal "
            "and without --compressed, or take --engine tflm"
        )
    dtype = _DTYPES[tensor.type]
    shape = () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
    quant, zero_point = tensor.quantization, 0
    scales: tuple[float, ...] = (1.0,)
    if quant is not None and quant.scale is not None and len(quant.scale):
        scales = tuple(float(scale) for scale in quant.scale)
        zero_point = int(quant.zeroPoint[0])
    data: np.ndarray | None = None
    stored = model.buffers[tensor.buffer].data
    if tensor.buffer and stored is not None and len(stored):
        data = np.frombuffer(bytes(stored), dtype).reshape(shape)
    return Tensor(index, shape, dtype, scales, zero_point, data)


def _indices(values: Any) -> tuple[int, ...]:
    return () if values is None else tuple(int(value) for value in values)

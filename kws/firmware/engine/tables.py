"""Functions of one int8 value as tables of their 256 results, asked of the interpreter itself."""

from functools import lru_cache

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.tflite.builder import ModelBuilder, Quant
from kws.tflite.interpreter import Tflm

_OPTIONS = {"SUB": schema.SubOptionsT}


@lru_cache(maxsize=256)
def table(
    operator: str,
    scale: float,
    zero_point: int,
    out_scale: float,
    out_zero_point: int,
    constant: tuple[int, float, int] | None = None,
) -> tuple[int, ...]:
    """What TFLM's ``operator`` gives for -128, -127 ... 127.

    Parameters
    ----------
    constant : of an operator of two, its first operand: stored value, scale and zero point.
    """
    builder = ModelBuilder("table")
    _, graph = builder.subgraph("main")
    shape = (1, 256)
    value = graph.tensor(shape, np.int8, Quant(scale, zero_point))
    result = graph.tensor(shape, np.int8, Quant(out_scale, out_zero_point))
    inputs = [value]
    if constant is not None:
        stored, constant_scale, constant_zero = constant
        quant = Quant(constant_scale, constant_zero)
        inputs.insert(0, graph.constant(np.array([stored], np.int8), quant))
    options = _OPTIONS[operator]() if operator in _OPTIONS else None
    graph.op(operator, inputs, [result], options, version=2)
    graph.table.inputs, graph.table.outputs = [value], [result]
    (found,) = Tflm(builder.finish(), 1).invoke([np.arange(-128, 128, dtype=np.int8)[None]])
    return tuple(found[0].tolist())

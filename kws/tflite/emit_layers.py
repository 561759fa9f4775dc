"""Recurrent layers, pooling and the dense head as TFLite operators."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.nn.cells import CELLS
from kws.tflite.builder import Quant
from kws.tflite.ops import SIGMOID, SIGNED, TfliteOps
from kws.tflite.weights import Direction, ModelWeights, fold_normalization, to_steps, weight_quant


def recurrent_step(
    ops: TfliteOps,
    weights: ModelWeights,
    layer: Direction,
    depth: int,
    value: int,
    states: tuple[int, ...],
) -> tuple[int, ...]:
    """Write one step of a layer; gives the next states."""
    ops, cell = ops.with_ranges(layer.ranges), CELLS[layer.cell]
    x, h = {}, {}
    for gate in cell.gates:
        columns = layer.columns(gate)
        x[gate] = _input_product(ops, weights, layer, depth, value, gate, columns)
        if layer.recurrent_kernel is not None:
            kernel = layer.recurrent_kernel[:, columns]
            bias = layer.bias[1][columns] if cell.biases == 2 else None
            quant = weight_quant(kernel, weights.per_channel)
            h[gate] = ops.dense(states[0], kernel, quant, bias, ops.quant(f"h.{gate}"))
    return cell.step(ops, x, h, states)


def _input_product(
    ops: TfliteOps,
    weights: ModelWeights,
    layer: Direction,
    depth: int,
    value: int,
    gate: str,
    columns: np.ndarray,
) -> int:
    """A gate's product with the layer's input; at the bottom raw features, normalised."""
    kernel, bias = layer.kernel[:, columns], layer.bias[0][columns]
    quant = weight_quant(kernel, weights.per_channel)
    if depth == 0 and not weights.stem:
        scale = np.asarray(quant.scale)
        used = to_steps(kernel, quant) * scale if ops.int8 else kernel
        kernel, bias = fold_normalization(kernel, bias, used, weights.mean, weights.deviation)
        folded = scale / weights.deviation
        quant = Quant(tuple(map(float, folded)) if folded.ndim else float(folded))
    return ops.dense(value, kernel, quant, bias, ops.quant(f"x.{gate}"))


def layer_states(ops: TfliteOps, layer: Direction) -> list[tuple[int, Quant | None]]:
    """Size and scale of each state of a layer."""
    inside = ops.with_ranges(layer.ranges)
    return [(layer.units, inside.quant(point)) for point in CELLS[layer.cell].states]


def pool(ops: TfliteOps, weights: ModelWeights, values: int) -> int:
    """(1, steps, size) to (1, size)."""
    _, steps, size = ops.shape(values)
    if weights.pooling in ("mean", "max"):
        axis = ops.graph.constant(np.array([1], np.int32))
        operator = {"mean": "MEAN", "max": "REDUCE_MAX"}[weights.pooling]
        output = ops.like(values, (1, size))
        return ops.emit(operator, [values, axis], output, schema.ReducerOptionsT())
    assert weights.attend is not None
    attend = ops.with_ranges(weights.attend.ranges)
    quant = weight_quant(weights.attend.kernel, False)
    rows = ops.reshape(values, (steps, size))
    scores = attend.dense(rows, weights.attend.kernel, quant, None, attend.quant("scores"))
    shares = ops.softmax(ops.reshape(scores, (1, steps)))
    shares = ops.reshape(shares, (1, 1, steps), SIGMOID if ops.int8 else None)
    mixed = ops.value((1, 1, size), SIGNED)
    ops.emit("BATCH_MATMUL", [shares, values], mixed, schema.BatchMatMulOptionsT())
    return ops.reshape(mixed, (1, size))


def head(ops: TfliteOps, weights: ModelWeights, value: int) -> int:
    ops = ops.with_ranges({"logits": weights.logits_range})
    quant = weight_quant(weights.head_kernel, weights.per_channel)
    logits = ops.dense(value, weights.head_kernel, quant, weights.head_bias, ops.quant("logits"))
    return ops.softmax(logits, "posteriors")

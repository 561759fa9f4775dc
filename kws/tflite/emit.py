"""A trained model as TFLite graphs: one step of a stream, or a rolled loop over a window."""

from typing import Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.nn.cells import GRUCell
from kws.tflite.builder import ModelBuilder, Quant, Subgraph
from kws.tflite.loop import Loop
from kws.tflite.ops import SIGNED, TfliteOps
from kws.tflite.weights import Direction, ModelWeights, fold_normalization, to_steps, weight_quant

State = Literal["explicit", "internal"]


def build_stream(weights: ModelWeights, state: State, int8: bool, name: str) -> ModelBuilder:
    """One step: ``frame`` (1, size) and the states in, ``posteriors`` (1, classes) and states out.

    With ``internal`` state the states are variables of the model, zero at first.
    """
    builder = ModelBuilder(name)
    _, graph = builder.subgraph("main")
    ops = TfliteOps(graph, int8)
    frame = ops.value((1, weights.size), Quant.of_range(*weights.feature_range), "frame")
    graph.table.inputs = [frame]
    layers = [layer[0] for layer in weights.layers]
    if state == "explicit":
        before = [
            ops.value((1, layer.units), SIGNED, f"state_{i}") for i, layer in enumerate(layers)
        ]
        graph.table.inputs += before
    else:
        handles, before = _read_variables(builder, ops, layers)
    value, after = frame, []
    for depth, layer in enumerate(layers):
        value = recurrent_step(ops, weights, layer, depth, value, before[depth])
        after.append(value)
    posteriors = _head(ops, weights, value)
    graph.table.outputs = [posteriors]
    if state == "explicit":
        for depth, index in enumerate(after):
            graph.table.tensors[index].name = f"state_{depth}_next"
            assert _steps(graph, index) == _steps(graph, before[depth])
        graph.table.outputs += after
    else:
        for handle, index in zip(handles, after, strict=True):
            graph.op("ASSIGN_VARIABLE", [handle, index], [])
    builder.signature(graph)
    return builder


def _steps(graph: Subgraph, index: int) -> tuple[list[float], list[int]] | None:
    """Scale and zero point of a tensor; a state goes in as it came out."""
    found = graph.table.tensors[index].quantization
    return (found.scale.tolist(), found.zeroPoint.tolist()) if found is not None else None


def build_window(weights: ModelWeights, frames: int, int8: bool, name: str) -> ModelBuilder:
    """A whole window: ``frames`` (1, frames, size) in, ``posteriors`` (1, classes) out.

    One WHILE for a unidirectional stack; one for each layer where bidirectional, both directions
    stepping in the same body. All that a loop carries is of the model's own type.
    """
    builder = ModelBuilder(name)
    _, graph = builder.subgraph("main")
    ops = TfliteOps(graph, int8)
    quant = Quant.of_range(*weights.feature_range)
    window = ops.value((1, frames, weights.size), quant, "frames")
    graph.table.inputs = [window]
    if weights.bidirectional:
        for depth in range(len(weights.layers)):
            last = depth == len(weights.layers) - 1
            states, window = _bidirectional_loop(builder, ops, weights, depth, window, last)
        value = ops.join(*states)
    else:
        value = _forward_loop(builder, ops, weights, window)
    graph.table.outputs = [_head(ops, weights, value)]
    builder.signature(graph)
    return builder


def recurrent_step(
    ops: TfliteOps, weights: ModelWeights, layer: Direction, depth: int, value: int, state: int
) -> int:
    """Write one step of a layer; gives the next state."""
    ops = ops.with_ranges(layer.ranges)
    x, h, start = {}, {}, 0
    for gate, width in GRUCell.gates:
        columns = slice(start, start + width * layer.units)
        x[gate] = _input_product(ops, weights, layer, depth, value, gate, columns)
        kernel = layer.recurrent_kernel[:, columns]
        quant, bias = weight_quant(kernel, weights.per_channel), layer.bias[1][columns]
        h[gate] = ops.dense(state, SIGNED, kernel, quant, bias, ops.quant(f"h.{gate}"))
        start = columns.stop
    return GRUCell.step(ops, x, h, state)


def _input_product(
    ops: TfliteOps,
    weights: ModelWeights,
    layer: Direction,
    depth: int,
    value: int,
    gate: str,
    columns: slice,
) -> int:
    """A gate's product with the layer's input; in the first layer raw features, normalised."""
    kernel, bias = layer.kernel[:, columns], layer.bias[0][columns]
    quant, value_quant = weight_quant(kernel, weights.per_channel), SIGNED
    if depth == 0:
        scale = np.asarray(quant.scale)
        used = to_steps(kernel, quant) * scale if ops.int8 else kernel
        kernel, bias = fold_normalization(kernel, bias, used, weights.mean, weights.deviation)
        folded = scale / weights.deviation
        quant = Quant(tuple(map(float, folded)) if folded.ndim else float(folded))
        value_quant = Quant.of_range(*weights.feature_range)
    return ops.dense(value, value_quant, kernel, quant, bias, ops.quant(f"x.{gate}"))


def _head(ops: TfliteOps, weights: ModelWeights, value: int) -> int:
    ops = ops.with_ranges({"logits": weights.logits_range})
    quant = weight_quant(weights.head_kernel, weights.per_channel)
    logits = ops.dense(
        value, SIGNED, weights.head_kernel, quant, weights.head_bias, ops.quant("logits")
    )
    return ops.softmax(logits, "posteriors")


def _read_variables(
    builder: ModelBuilder, ops: TfliteOps, layers: list[Direction]
) -> tuple[list[int], list[int]]:
    """Variables for the states, set to zero by a subgraph that is called once."""
    index, first = builder.subgraph("initialize")
    options = schema.CallOnceOptionsT()
    options.initSubgraphIndex = index
    ops.graph.op("CALL_ONCE", [], [], options)
    handles, values = [], []
    for depth, layer in enumerate(layers):
        zero = TfliteOps(first, ops.int8)
        start = first.constant(np.zeros((1, layer.units), zero.dtype), SIGNED if ops.int8 else None)
        first.op("ASSIGN_VARIABLE", [_handle(first, depth), start], [])
        handles.append(_handle(ops.graph, depth))
        values.append(ops.value((1, layer.units), SIGNED))
        ops.graph.op("READ_VARIABLE", [handles[-1]], [values[-1]])
    return handles, values


def _handle(graph: Subgraph, depth: int) -> int:
    options = schema.VarHandleOptionsT()
    options.container, options.sharedName = "", f"state_{depth}"
    return graph.op("VAR_HANDLE", [], [graph.resource(f"state_{depth}")], options)[0]


def _forward_loop(builder: ModelBuilder, ops: TfliteOps, weights: ModelWeights, window: int) -> int:
    layers = [layer[0] for layer in weights.layers]
    loop = Loop(builder, ops, window, [layer.units for layer in layers])
    value = loop.frame(loop.count)
    after = []
    for depth, layer in enumerate(layers):
        value = recurrent_step(loop.ops, weights, layer, depth, value, loop.states[depth])
        after.append(value)
    return loop.finish([loop.next_count()], after)[0][-1]


def _bidirectional_loop(
    builder: ModelBuilder,
    ops: TfliteOps,
    weights: ModelWeights,
    depth: int,
    window: int,
    last: bool,
) -> tuple[list[int], int]:
    """Both directions of a layer; gives their last states and, unless ``last``, the outputs."""
    pair = weights.layers[depth]
    units = pair[0].units
    loop = Loop(
        builder, ops, window, [units, units], backward=True, outputs=0 if last else 2 * units
    )
    ahead = recurrent_step(
        loop.ops, weights, pair[0], depth, loop.frame(loop.count), loop.states[0]
    )
    behind = recurrent_step(
        loop.ops, weights, pair[1], depth, loop.frame(loop.count_down), loop.states[1]
    )
    if not last:
        loop.store(loop.count, 0, ahead)
        loop.store(loop.count_down, units, behind)
    return loop.finish([loop.next_count(), loop.next_count_down()], [ahead, behind])

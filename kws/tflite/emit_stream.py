"""A trained model as one step of a stream."""

from typing import Literal

from ai_edge_litert import schema_py_generated as schema

from kws.nn.cells import CELLS
from kws.tflite.builder import ModelBuilder, Quant, Subgraph
from kws.tflite.emit_layers import head, layer_states, recurrent_step
from kws.tflite.emit_stem import normalized, state_quants, state_shapes, stem_step
from kws.tflite.loop import zero_state
from kws.tflite.ops import TfliteOps
from kws.tflite.weights import ModelWeights

State = Literal["explicit", "internal"]


def build_stream(weights: ModelWeights, state: State, int8: bool, name: str) -> ModelBuilder:
    """One step: ``frame`` and the states in, ``posteriors`` (1, classes) and states out.

    The frame is (1, size), or (1, stride, size) with a stem. The states are the stem's, then the
    recurrent layers', bottom up. With ``internal`` state they are variables of the model, zero at
    first.
    """
    builder = ModelBuilder(name)
    _, graph = builder.subgraph("main")
    ops = TfliteOps(graph, int8)
    shape = (1, weights.stride, weights.size) if weights.stem else (1, weights.size)
    frame = ops.value(shape, Quant.of_range(*weights.feature_range), "frame")
    graph.table.inputs = [frame]
    kept = _kept(ops, weights)
    if state == "explicit":
        before = [ops.value(*each, f"state_{i}") for i, each in enumerate(kept)]
        graph.table.inputs += before
    else:
        handles, before = _read_variables(builder, ops, kept)
    value, after = _step(ops, weights, frame, before)
    posteriors = head(ops, weights, value)
    graph.table.outputs = [posteriors]
    if state == "explicit":
        for i, index in enumerate(after):
            graph.table.tensors[index].name = f"state_{i}_next"
            assert ops.quant_of(index) == ops.quant_of(before[i])
        graph.table.outputs += after
    else:
        for handle, index in zip(handles, after, strict=True):
            graph.op("ASSIGN_VARIABLE", [handle, index], [])
    builder.signature(graph)
    return builder


def _step(
    ops: TfliteOps, weights: ModelWeights, frame: int, before: list[int]
) -> tuple[int, list[int]]:
    """All layers over one step's frames; gives the top one's output, and the states."""
    value, after, left = frame, [], list(before)
    if weights.stem:
        kept = [left.pop(0) if shape[1] else None for shape in state_shapes(weights)]
        value, states = stem_step(ops, weights, normalized(ops, weights, frame), kept)
        after = [state for state in states if state is not None]
    for depth, layer in enumerate(weights.layers):
        count = len(CELLS[layer[0].cell].states)
        now = recurrent_step(ops, weights, layer[0], depth, value, tuple(left[:count]))
        value, left, after = now[0], left[count:], [*after, *now]
    return value, after


def _kept(ops: TfliteOps, weights: ModelWeights) -> list[tuple[tuple[int, ...], Quant | None]]:
    """Shape and scale of all that a stream keeps from step to step."""
    found: list[tuple[tuple[int, ...], Quant | None]] = []
    if weights.stem:
        pairs = zip(state_shapes(weights), state_quants(weights), strict=True)
        found = [(shape, quant) for shape, quant in pairs if shape[1]]
    for layer in weights.layers:
        found += [((1, units), quant) for units, quant in layer_states(ops, layer[0])]
    return found


def _read_variables(
    builder: ModelBuilder, ops: TfliteOps, kept: list[tuple[tuple[int, ...], Quant | None]]
) -> tuple[list[int], list[int]]:
    """Variables for the states, set to zero by a subgraph that is called once."""
    index, first = builder.subgraph("initialize")
    options = schema.CallOnceOptionsT()
    options.initSubgraphIndex = index
    ops.graph.op("CALL_ONCE", [], [], options)
    handles, values = [], []
    for i, (shape, quant) in enumerate(kept):
        start = zero_state(TfliteOps(first, ops.int8), shape, quant)
        first.op("ASSIGN_VARIABLE", [_handle(first, i), start], [])
        handles.append(_handle(ops.graph, i))
        values.append(ops.value(shape, quant))
        ops.graph.op("READ_VARIABLE", [handles[-1]], [values[-1]])
    return handles, values


def _handle(graph: Subgraph, index: int) -> int:
    options = schema.VarHandleOptionsT()
    options.container, options.sharedName = "", f"state_{index}"
    return graph.op("VAR_HANDLE", [], [graph.resource(f"state_{index}")], options)[0]

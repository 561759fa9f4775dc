"""A trained model over a window: recurrent layers as rolled loops."""

from kws.nn.cells import CELLS
from kws.tflite.builder import ModelBuilder, Quant
from kws.tflite.emit_dscnn import dscnn_window
from kws.tflite.emit_layers import head, layer_states, pool, recurrent_step
from kws.tflite.emit_stem import normalized, stem_window
from kws.tflite.loop import Loop
from kws.tflite.ops import TfliteOps
from kws.tflite.weights import ModelWeights


def build_window(weights: ModelWeights, frames: int, int8: bool, name: str) -> ModelBuilder:
    """A whole window: ``frames`` (1, frames, size) in, ``posteriors`` (1, classes) out.

    One WHILE for a unidirectional stack; one for each layer where bidirectional, both directions
    stepping in the same body. All that a loop carries is of the model's own type. No loop where the
    model is convolutional.
    """
    builder = ModelBuilder(name)
    _, graph = builder.subgraph("main")
    ops = TfliteOps(graph, int8)
    quant = Quant.of_range(*weights.feature_range)
    window = ops.value((1, frames, weights.size), quant, "frames")
    graph.table.inputs = [window]
    if weights.stem:
        window = normalized(ops, weights, window)
    if weights.stem and weights.layers:
        window = stem_window(ops, weights, window)
    pooled = weights.pooling != "last"
    if not weights.layers:
        value = dscnn_window(ops, weights, window)
    elif weights.bidirectional:
        states: list[int] = []
        for depth in range(len(weights.layers)):
            stored = pooled or depth < len(weights.layers) - 1
            states, window = _bidirectional_loop(builder, ops, weights, depth, window, stored)
        value = pool(ops, weights, window) if pooled else ops.join(states, axis=1)
    else:
        last, outputs = _forward_loop(builder, ops, weights, window, pooled)
        value = pool(ops, weights, outputs) if pooled else last
    graph.table.outputs = [head(ops, weights, value)]
    builder.signature(graph)
    return builder


def _forward_loop(
    builder: ModelBuilder, ops: TfliteOps, weights: ModelWeights, window: int, stored: bool
) -> tuple[int, int]:
    """All layers of a unidirectional stack; gives the top one's last output and, stored, all."""
    layers = [layer[0] for layer in weights.layers]
    kept = [state for layer in layers for state in layer_states(ops, layer)]
    loop = Loop(builder, ops, window, kept, outputs=layers[-1].units if stored else 0)
    value, left = loop.frame(loop.count), list(loop.states)
    after: list[int] = []
    for depth, layer in enumerate(layers):
        count = len(CELLS[layer.cell].states)
        now = recurrent_step(loop.ops, weights, layer, depth, value, tuple(left[:count]))
        value, left, after = now[0], left[count:], [*after, *now]
    if stored:
        loop.store(loop.count, 0, value)
    top = len(after) - len(CELLS[layers[-1].cell].states)
    states, outputs = loop.finish([loop.next_count()], after)
    return states[top], outputs


def _bidirectional_loop(
    builder: ModelBuilder,
    ops: TfliteOps,
    weights: ModelWeights,
    depth: int,
    window: int,
    stored: bool,
) -> tuple[list[int], int]:
    """Both directions of a layer; gives their last outputs and, where ``stored``, all of them."""
    ahead, behind = weights.layers[depth]
    kept = [*layer_states(ops, ahead), *layer_states(ops, behind)]
    wide = ahead.units + behind.units if stored else 0
    loop = Loop(builder, ops, window, kept, backward=True, outputs=wide)
    half, now = len(kept) // 2, []
    for layer, count, states in (
        (ahead, loop.count, loop.states[:half]),
        (behind, loop.count_down, loop.states[half:]),
    ):
        now.append(
            recurrent_step(loop.ops, weights, layer, depth, loop.frame(count), tuple(states))
        )
    if stored:
        loop.store(loop.count, 0, now[0][0])
        loop.store(loop.count_down, ahead.units, now[1][0])
    counts = [loop.next_count(), loop.next_count_down()]
    after, outputs = loop.finish(counts, [*now[0], *now[1]])
    return [after[0], after[half]], outputs

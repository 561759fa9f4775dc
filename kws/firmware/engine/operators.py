"""How each operator of a model is written in C; what it computes is in the package's headers."""

from collections.abc import Callable

import numpy as np

from kws.firmware.engine.graph import Node, Tensor
from kws.firmware.engine.places import Place
from kws.firmware.engine.products import average, convolution, dense, depthwise, limits
from kws.firmware.engine.scaling import (
    Scaling,
    exponentials,
    product_scaling,
    scaling,
)
from kws.firmware.engine.source import Source
from kws.firmware.engine.tables import table

Write = Callable[[Source, Node, list[Tensor | None], list[Tensor], list[Place]], list[Place]]
"""Takes a node, its tensors in and out, and where the inputs lie; gives where the outputs do."""


def addition(source, node, ins, outs, places):
    """ADD of two values of one shape."""
    a, b = ins
    highest = 2 * max(a.scale, b.scale)
    one, two = scaling(a.scale / highest), scaling(b.scale / highest)
    back = scaling(highest / ((1 << 20) * outs[0].scale))
    parts = [a.zero_point, one.multiplier, one.shift, b.zero_point, two.multiplier, two.shift]
    parts += [outs[0].zero_point, back.multiplier, back.shift, *limits(node.options, outs[0])]
    name = source.structure("kws_addition", parts)
    out = source.buffer.take(outs[0].size)
    source.line(f"kws_add({{0}}, {{1}}, {outs[0].size}, &{name}, {{2}});", *places, out)
    return [out]


def product(source, node, ins, outs, places):
    """MUL of two values of one shape."""
    a, b = ins
    back = product_scaling(a.scale, b.scale, outs[0].scale)
    parts = [a.zero_point, b.zero_point, outs[0].zero_point, back.multiplier, back.shift]
    name = source.structure("kws_product", [*parts, *limits(node.options, outs[0])])
    out = source.buffer.take(outs[0].size)
    source.line(f"kws_multiply({{0}}, {{1}}, {outs[0].size}, &{name}, {{2}});", *places, out)
    return [out]


def function(source, node, ins, outs, places):
    """LOGISTIC, TANH, and a constant minus a value: 256 results each."""
    constant = None
    x, place = ins[-1], places[-1]
    if len(ins) == 2:
        (stored,) = ins[0].data.reshape(-1).tolist()
        constant = (stored, ins[0].scale, ins[0].zero_point)
    out_quant = (outs[0].scale, outs[0].zero_point)
    results = table(node.operator, x.scale, x.zero_point, *out_quant, constant)
    name = source.constant(np.array(results, np.int8), "tables")
    out = source.buffer.take(outs[0].size)
    source.line(f"kws_look_up({{0}}, {x.size}, {name}, {{1}});", place, out)
    return [out]


def softmax(source, node, ins, outs, places):
    """SOFTMAX over the last axis of one row."""
    exponents = exponentials(ins[0].scale, node.options.beta)
    name = source.constant(np.array(exponents, np.int32), "tables")
    out = source.buffer.take(outs[0].size)
    text = f"kws_softmax({{0}}, {ins[0].size}, {name}, {len(exponents)}, {{1}});"
    source.line(text, places[0], out)
    return [out]


def reshape(source, node, ins, outs, places):
    """RESHAPE: the same bytes."""
    del source, node, ins, outs
    return [places[0]]


def split(source, node, ins, outs, places):
    """SPLIT of one row: parts of the same bytes."""
    del source, node, ins
    offsets = np.cumsum([0, *(out.size for out in outs[:-1])]).tolist()
    return [places[1].at(offset) for offset in offsets]


def cut(source, node, ins, outs, places):
    """SLICE of whole frames: a part of the same bytes."""
    del source, node
    begin, shape = ins[1].data.tolist(), ins[0].shape
    axis = next((i for i, size in enumerate(outs[0].shape) if size != shape[i]), 0)
    assert int(np.prod(shape[:axis])) == 1, "a slice with gaps"
    assert not any(begin[:axis] + begin[axis + 1 :]), "a slice of more than one axis"
    return [places[0].at(begin[axis] * int(np.prod(shape[axis + 1 :])))]


def join(source, node, ins, outs, places):
    """CONCATENATION along the first axis that is not 1."""
    axis = node.options.axis
    assert int(np.prod(outs[0].shape[:axis])) == 1, "a concatenation with gaps"
    out, at = source.buffer.take(outs[0].size), 0
    for part, place in zip(ins, places, strict=True):
        source.line(f"memcpy({{1}}, {{0}}, {part.size});", place, out.at(at))
        at += part.size
    return [out]


def pad(source, node, ins, outs, places):
    """PAD in front of the first frame."""
    del node
    edges = ins[1].data
    assert edges.sum() == edges[1, 0], "padding elsewhere than in front"
    out = source.buffer.take(outs[0].size)
    front = int(edges[1, 0]) * int(np.prod(outs[0].shape[2:]))
    source.line(f"memset({{0}}, {outs[0].zero_point}, {front});", out)
    source.line(f"memcpy({{1}}, {{0}}, {ins[0].size});", places[0], out.at(front))
    return [out]


def fill(source, node, ins, outs, places):
    """FILL."""
    del node, places
    out = source.buffer.take(outs[0].size)
    source.line(f"memset({{0}}, {int(ins[1].data)}, {outs[0].size});", out)
    return [out]


def largest(source, node, ins, outs, places):
    """REDUCE_MAX over frames."""
    del node
    out, size = source.buffer.take(outs[0].size), outs[0].size
    text = f"kws_largest({{0}}, {ins[0].size // size}, {size}, {{1}});"
    source.line(text, places[0], out)
    return [out]


def mean(source, node, ins, outs, places):
    """MEAN over frames, which keeps the scale."""
    del node
    x, size = ins[0], outs[0].size
    steps = x.size // size
    shift = min(steps.bit_length() - 1, 31)
    one = product_scaling(x.scale, 1.0, outs[0].scale)
    shared = Scaling((one.multiplier << shift) // steps, one.shift - shift)
    parts = [x.zero_point, outs[0].zero_point, shared.multiplier, shared.shift]
    name = source.structure("kws_share", parts)
    out = source.buffer.take(size)
    source.line(f"kws_mean({{0}}, {steps}, {size}, &{name}, {{1}});", places[0], out)
    return [out]


def mix(source, node, ins, outs, places):
    """BATCH_MATMUL of one row with frames: a weighted sum of them."""
    del node
    a, b = ins
    size = outs[0].size
    back = product_scaling(a.scale, b.scale, outs[0].scale)
    parts = [a.zero_point, b.zero_point, outs[0].zero_point, back.multiplier, back.shift]
    name = source.structure("kws_product", [*parts, -128, 127])
    out = source.buffer.take(size)
    text = f"kws_mix({{0}}, {{1}}, {a.size}, {size}, &{name}, {{2}});"
    source.line(text, *places, out)
    source.macs += source.times * b.size
    return [out]


WRITERS: dict[str, Write] = {
    "FULLY_CONNECTED": dense,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "AVERAGE_POOL_2D": average,
    "ADD": addition,
    "MUL": product,
    "SUB": function,
    "LOGISTIC": function,
    "TANH": function,
    "SOFTMAX": softmax,
    "RESHAPE": reshape,
    "SPLIT": split,
    "SLICE": cut,
    "CONCATENATION": join,
    "PAD": pad,
    "FILL": fill,
    "REDUCE_MAX": largest,
    "MEAN": mean,
    "BATCH_MATMUL": mix,
}
"""Of the operators on int8 values; those on counters are in :mod:`kws.firmware.engine.write`."""

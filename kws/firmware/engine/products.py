"""Products of matrices in C: dense layers, convolutions, and the mean over places."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.firmware.engine.graph import Tensor
from kws.firmware.engine.scaling import product_scaling


def dense(source, node, ins, outs, places):
    """FULLY_CONNECTED: rows of weights with each row of the input."""
    x, kernel, bias = ins
    columns, size = kernel.shape
    name = source.constant(tiles(kernel.data), "weights")
    finish = _finish(source, x, kernel, bias, outs[0], kernel.data.sum(axis=1), node.options)
    out = source.buffer.take(outs[0].size)
    rows = x.size // size
    source.wide_values = max(source.wide_values, size)
    for row in range(rows):
        source.line(
            f"kws_rows({{0}}, {size}, {name}, {columns}, &{finish}, kws_wide, {{1}});",
            places[0].at(row * size),
            out.at(row * columns),
        )
    source.macs += source.times * rows * kernel.size
    return [out]


def convolution(source, node, ins, outs, places):
    """CONV_2D."""
    x, kernel, bias = ins
    sums = kernel.data.reshape(kernel.shape[0], -1).sum(axis=1)
    finish = _finish(source, x, kernel, bias, outs[0], sums, node.options)
    shape = _shape(source, x, outs[0], kernel.shape[1:3], node.options)
    name = source.constant(tiles(kernel.data.reshape(kernel.shape[0], -1)), "weights")
    taps = kernel.size // kernel.shape[0]
    source.patch_bytes = max(source.patch_bytes, taps)
    source.wide_values = max(source.wide_values, 2 * -(-taps // 4) * 4)
    out = source.buffer.take(outs[0].size)
    text = f"kws_convolve(&{shape}, {{0}}, {name}, &{finish}, kws_patch_room, kws_wide, {{1}});"
    source.line(text, places[0], out)
    source.macs += source.times * outs[0].size * taps
    return [out]


def depthwise(source, node, ins, outs, places):
    """DEPTHWISE_CONV_2D with one kernel a channel."""
    x, kernel, bias = ins
    taps = kernel.shape[1] * kernel.shape[2]
    sums = kernel.data.reshape(taps, -1).sum(axis=0)
    finish = _finish(source, x, kernel, bias, outs[0], sums, node.options)
    shape = _shape(source, x, outs[0], kernel.shape[1:3], node.options)
    name = source.constant(kernel.data, "weights")
    source.patch_bytes = max(source.patch_bytes, kernel.size)
    out = source.buffer.take(outs[0].size)
    text = f"kws_convolve_depthwise(&{shape}, {{0}}, {name}, &{finish}, kws_patch_room, {{1}});"
    source.line(text, places[0], out)
    source.macs += source.times * outs[0].size * taps
    return [out]


def average(source, node, ins, outs, places):
    """AVERAGE_POOL_2D without padding."""
    window = (node.options.filterHeight, node.options.filterWidth)
    shape = _shape(source, ins[0], outs[0], window, node.options)
    low, high = limits(node.options, outs[0])
    out = source.buffer.take(outs[0].size)
    source.line(f"kws_average(&{shape}, {{0}}, {low}, {high}, {{1}});", places[0], out)
    return [out]


def tiles(kernel: np.ndarray) -> np.ndarray:
    """Weights (rows, columns) in tiles of four by four, as ``kws_rows`` reads them.

    What is missing of the last tiles is zero.
    """
    rows, columns = kernel.shape
    padded = np.pad(kernel, ((0, -rows % 4), (0, -columns % 4)))
    return padded.reshape(len(padded) // 4, 4, -1, 4).transpose(0, 2, 1, 3)


def _finish(source, x, kernel, bias, out, sums, options) -> str:
    """Bias with the input's zero point in it, and the scales of the products."""
    outputs = len(sums)
    own = np.zeros(outputs, np.int64) if bias is None else bias.data.astype(np.int64)
    total = own - x.zero_point * sums.astype(np.int64)
    scales = [product_scaling(x.scale, scale, out.scale) for scale in kernel.scales]
    return source.finish(total, scales, out.zero_point, limits(options, out)[0])


def limits(options, out: Tensor) -> tuple[int, int]:
    """Lowest and highest stored value that a fused activation leaves."""
    kind = options.fusedActivationFunction
    kinds = schema.ActivationFunctionType
    assert kind in (kinds.NONE, kinds.RELU), f"activation {kind}"
    return (max(-128, out.zero_point) if kind == kinds.RELU else -128), 127


def _shape(source, x: Tensor, out: Tensor, window: tuple[int, int], options) -> str:
    """The shape of a convolution; SAME pads as TensorFlow does, the odd one behind."""
    strides, before = (options.strideH, options.strideW), [0, 0]
    if options.padding == schema.Padding.SAME:
        for axis in (0, 1):
            reach = (out.shape[1 + axis] - 1) * strides[axis] + window[axis]
            before[axis] = max(0, reach - x.shape[1 + axis]) // 2
    parts = [*x.shape[1:], *out.shape[1:], *window, *strides, *before, x.zero_point]
    return source.structure("kws_shape", parts)

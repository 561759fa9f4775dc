"""A convolutional stem as TFLite operators: a few frames with what was kept, or a whole window."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kws.tflite.builder import Quant
from kws.tflite.ops import TfliteOps
from kws.tflite.weights import Convolution, ModelWeights, to_steps, weight_quant


def normal_quant(weights: ModelWeights) -> Quant:
    """The scale on which stored raw features are normalised ones.

    ``(x - mean) / deviation`` of stored ``x`` is another scale and, as the mean is a whole number
    of steps, another zero point: no operator is needed, and zero is a frame of the mean level.
    """
    raw = Quant.of_range(*weights.feature_range)
    assert isinstance(raw.scale, float)
    steps = round(float(weights.mean[0]) / raw.scale)
    return Quant(raw.scale / weights.deviation, raw.zero_point + steps)


def state_shapes(weights: ModelWeights) -> list[tuple[int, int, int, int]]:
    """Of each block, what it keeps between calls: (1, frames, bands, channels)."""
    found, bands, channels = [], weights.size, 1
    for block in weights.stem:
        found.append((1, block[0].taps[0] - block[0].stride[0], bands, channels))
        bands, channels = block[0].out(bands, 1), block[-1].kernel.shape[1]
    return found


def state_quants(weights: ModelWeights) -> list[Quant]:
    """Of each block, the scale of what it keeps: that of its input."""
    outputs = [Quant.of_range(*block[-1].ranges["relu"]) for block in weights.stem[:-1]]
    return [normal_quant(weights), *outputs]


def normalized(ops: TfliteOps, weights: ModelWeights, frames: int) -> int:
    """Raw (1, frames, size) features as (1, frames, size, 1) normalised ones."""
    shape = (*ops.shape(frames), 1)
    if ops.int8:
        return ops.reshape(frames, shape, normal_quant(weights))
    value = ops.reshape(frames, shape)
    for operator, by, options in (
        ("SUB", weights.mean[0], schema.SubOptionsT()),
        ("DIV", weights.deviation, schema.DivOptionsT()),
    ):
        constant = ops.graph.constant(np.array([by], np.float32))
        output = ops.value(shape, None)
        ops.graph.op(operator, [value, constant], [output], options)
        value = output
    return value


def stem_step(
    ops: TfliteOps, weights: ModelWeights, value: int, before: list[int | None]
) -> tuple[int, list[int | None]]:
    """Write the blocks over (1, stride, bands, 1) frames and the states before them.

    Returns
    -------
    the outputs (1, bands * channels), and the states after; None where a block keeps nothing.
    """
    after: list[int | None] = []
    for block, state in zip(weights.stem, before, strict=True):
        if state is not None:
            value = ops.join([state, value], axis=1)
            after.append(_last_frames(ops, value, ops.shape(state)[1]))
        else:
            after.append(None)
        for conv in block:
            value = convolution(ops, conv, value)
    _, _, bands, channels = ops.shape(value)
    return ops.reshape(value, (1, bands * channels)), after


def stem_window(ops: TfliteOps, weights: ModelWeights, value: int) -> int:
    """Write the blocks over a whole window; gives (1, steps, bands * channels)."""
    for block, shape in zip(weights.stem, state_shapes(weights), strict=True):
        if shape[1]:
            value = _pad_front(ops, value, shape[1])
        for conv in block:
            value = convolution(ops, conv, value)
    _, steps, bands, channels = ops.shape(value)
    return ops.reshape(value, (1, steps, bands * channels))


def convolution(ops: TfliteOps, conv: Convolution, value: int) -> int:
    """One convolution, and ReLU."""
    quant = weight_quant(conv.kernel, conv.per_channel)
    rows, columns = conv.taps
    channels = conv.kernel.shape[1]
    steps = to_steps(conv.kernel, quant) if ops.int8 else conv.kernel
    if conv.kind == "depthwise":
        operator, options = "DEPTHWISE_CONV_2D", schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
        layout, axis = steps.reshape(1, rows, columns, channels), 3
    else:
        operator, options = "CONV_2D", schema.Conv2DOptionsT()
        layout, axis = steps.T.reshape(channels, rows, columns, -1), 0
    options.padding = schema.Padding.SAME if conv.same else schema.Padding.VALID
    options.strideH, options.strideW = conv.stride
    options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    kernel = ops.weights(layout, Quant(quant.scale, axis=axis), layout)
    bias = ops.biases(value, conv.bias, quant)
    _, frames, bands, _ = ops.shape(value)
    shape = (1, conv.out(frames, 0), conv.out(bands, 1), channels)
    output = ops.value(shape, ops.with_ranges(conv.ranges).quant("relu"))
    return ops.emit(operator, [value, kernel, bias], output, options)


def _last_frames(ops: TfliteOps, value: int, count: int) -> int:
    _, frames, bands, channels = ops.shape(value)
    begin = ops.graph.constant(np.array([0, frames - count, 0, 0], np.int32))
    shape = (1, count, bands, channels)
    size = ops.graph.constant(np.array(shape, np.int32))
    return ops.emit("SLICE", [value, begin, size], ops.like(value, shape), schema.SliceOptionsT())


def _pad_front(ops: TfliteOps, value: int, count: int) -> int:
    """Frames of zero before the first one: what a fresh state holds."""
    _, frames, bands, channels = ops.shape(value)
    edges = ops.graph.constant(np.array([[0, 0], [count, 0], [0, 0], [0, 0]], np.int32))
    output = ops.like(value, (1, frames + count, bands, channels))
    return ops.emit("PAD", [value, edges], output, schema.PadOptionsT())

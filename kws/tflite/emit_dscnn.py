"""The convolutional model to compare with, as TFLite operators over a whole window."""

from ai_edge_litert import schema_py_generated as schema

from kws.tflite.emit_stem import convolution
from kws.tflite.ops import TfliteOps
from kws.tflite.weights import ModelWeights


def dscnn_window(ops: TfliteOps, weights: ModelWeights, value: int) -> int:
    """Write the convolutions and the mean over (1, frames, size, 1); gives (1, channels)."""
    _, frames, size, _ = ops.shape(value)
    for conv in weights.convolutions():
        value = convolution(ops, conv, value)
    channels = ops.shape(value)[-1]
    options = schema.Pool2DOptionsT()
    options.padding = schema.Padding.VALID
    # Half of what came in, rounded down, as kws.nn.dscnn has it.
    options.filterHeight = options.strideH = max(1, frames // 2)
    options.filterWidth = options.strideW = max(1, size // 2)
    mean = ops.like(value, (1, 1, 1, channels))
    ops.emit("AVERAGE_POOL_2D", [value], mean, options)
    return ops.reshape(mean, (1, channels))


def dscnn_macs(weights: ModelWeights, frames: int) -> int:
    """Multiply-accumulates of the convolutions over a window."""
    macs, size = 0, weights.size
    for conv in weights.convolutions():
        frames, size = conv.out(frames, 0), conv.out(size, 1)
        macs += frames * size * conv.kernel.size
    return macs

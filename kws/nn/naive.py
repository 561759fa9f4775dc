"""Keras's own layers through TensorFlow's own converter: what one gets without this toolkit.

For the size table of ``make bench`` alone. Some of these ways end the process (segmentation fault
in the calibrator), so each is run in a process of its own.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from kws.files import write_bytes

FRAMES, SIZE, CLASSES = 49, 40, 10
_SAMPLES = 10
_COEFFICIENTS, _CHANNELS = 10, 64


def keras_gru(units: int, bidirectional: bool, unroll: bool) -> keras.Model:
    """``keras.layers.GRU`` and a dense softmax over (1, 49, 40) features."""
    keras.utils.set_random_seed(1)
    layer = keras.layers.GRU(units, unroll=unroll)
    return keras.Sequential(
        [
            keras.Input((FRAMES, SIZE), batch_size=1),
            keras.layers.Bidirectional(layer) if bidirectional else layer,
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def keras_dscnn() -> keras.Model:
    """The DS-CNN of MLPerf Tiny (Banbury et al. 2021) over (1, 49, 10) MFCC, layer by layer."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((FRAMES, _COEFFICIENTS), batch_size=1),
            layers.Reshape((FRAMES, _COEFFICIENTS, 1)),
        ]
    )
    kinds = [layers.Conv2D(_CHANNELS, (10, 4), strides=2, padding="same")]
    for _ in range(4):
        kinds.append(layers.DepthwiseConv2D((3, 3), padding="same"))
        kinds.append(layers.Conv2D(_CHANNELS, (1, 1)))
    for convolution in kinds:
        for layer in (convolution, layers.BatchNormalization(), layers.ReLU()):
            model.add(layer)
    for layer in (layers.AveragePooling2D((24, 5)), layers.Flatten()):
        model.add(layer)
    model.add(layers.Dense(CLASSES, activation="softmax"))
    return model


def _converter(model: keras.Model) -> tf.lite.TFLiteConverter:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter


def dynamic_range(model: keras.Model) -> bytes:
    """Int8 weights, float activations."""
    return _converter(model).convert()


def full_int8(model: keras.Model) -> bytes:
    """Post-training quantization with representative data, as TensorFlow's guide has it."""

    def representative() -> Iterator[list[np.ndarray]]:
        rng = np.random.default_rng(0)
        for _ in range(_SAMPLES):
            yield [rng.normal(size=model.input_shape).astype(np.float32)]

    converter = _converter(model)
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


WAYS: dict[str, tuple[Callable[[keras.Model], bytes], bool]] = {
    "loop kept, full int8": (full_int8, False),
    "loop kept, dynamic range": (dynamic_range, False),
    "unrolled, full int8": (full_int8, True),
}
"""By name, the conversion and whether the loop is unrolled first."""


def convert_naively(way: str, units: int, bidirectional: bool, path: str) -> None:
    """Convert in one of :data:`WAYS` and write the file; may kill the process."""
    conversion, unroll = WAYS[way]
    write_bytes(Path(path), conversion(keras_gru(units, bidirectional, unroll)))


def convert_dscnn_naively(path: str) -> None:
    """Convert the DS-CNN to full int8 and write the file."""
    write_bytes(Path(path), full_int8(keras_dscnn()))

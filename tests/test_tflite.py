"""Files that are written directly: LiteRT, TFLM and Keras agree, sizes and types are kept."""

import functools
import json
import re

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from test_nn import STATS, calibrated, features
from tiny_models import metadata, model_bytes, untrained

from kws.errors import ModelError
from kws.nn.cells import CELLS
from kws.recipe_io import parse_recipe
from kws.tflite.arena import arena_bytes, smallest_arena
from kws.tflite.builder import ModelBuilder, Quant
from kws.tflite.convert import convert, read_weights
from kws.tflite.interpreter import Runner, open_model
from kws.tflite.metadata import NAME, metadata_json, parse
from kws.tflite.operators import operators, require_tflm, tensor_types
from kws.tflite.pack import pack
from kws.tflite.weights import fold_normalization, to_steps, weight_quant

GRUS = [
    ({"units": [16]}, "stream", "explicit"),
    ({"units": [12, 8]}, "stream", "explicit"),
    ({"units": [12, 8]}, "stream", "internal"),
    ({"units": [16]}, "window", "none"),
    ({"units": [12, 8, 6]}, "window", "none"),
    ({"units": [10], "bidirectional": True}, "window", "none"),
    ({"units": [8, 6], "bidirectional": True}, "window", "none"),
]
CELL_FORMS = [
    (values, form, state)
    for cell in CELLS
    if cell != "gru"
    for values, form, state in (
        ({"units": [16], "cell": cell}, "stream", "explicit"),
        ({"units": [12, 8], "cell": cell}, "stream", "internal"),
        ({"units": [12, 8], "cell": cell}, "window", "none"),
        ({"units": [8, 6], "cell": cell, "bidirectional": True}, "window", "none"),
    )
]
STEM = [
    {"channels": 6, "kernel": [5, 4], "stride": [2, 2]},
    {"channels": 8, "kernel": [3, 3], "stride": [1, 2]},
    {"channels": 8, "kernel": [2, 3], "stride": [2, 1]},
]
STEM_FORMS = [
    ({"units": [12], "stem": STEM}, "stream", "explicit"),
    ({"units": [12], "stem": STEM}, "stream", "internal"),
    ({"units": [12], "stem": STEM, "cell": "lstm"}, "stream", "explicit"),
    ({"units": [12], "stem": STEM[:1]}, "stream", "explicit"),
    ({"units": [12], "stem": STEM}, "window", "none"),
    ({"units": [8], "stem": STEM, "bidirectional": True}, "window", "none"),
]
POOLED = [
    ({"units": [12], "pooling": "mean"}, "window", "none"),
    ({"units": [12], "pooling": "max"}, "window", "none"),
    ({"units": [12], "pooling": "attention"}, "window", "none"),
    ({"units": [8, 6], "pooling": "mean", "bidirectional": True}, "window", "none"),
    ({"units": [8], "pooling": "attention", "bidirectional": True}, "window", "none"),
    ({"units": [8], "pooling": "attention", "cell": "mingru", "stem": STEM}, "window", "none"),
]
ZOO = [*GRUS, *CELL_FORMS, *STEM_FORMS, *POOLED]


def recipe(model, mode="qat"):
    values = {
        "name": "tiny",
        "data": {"keywords": ["yes", "no"]},
        "model": model,
        "train": {"carried_state_share": 0.0},
        "quantize": {"mode": mode},
    }
    return parse_recipe(values, "test")


def trained(values, per_channel, mode):
    """The weights of a calibrated Keras model, and its posteriors of 24 clips in a mode."""
    return _trained(json.dumps(values), per_channel, mode)


@functools.cache
def _trained(text, per_channel, mode):
    built = calibrated(per_channel=per_channel, **json.loads(text))
    built.set_mode(mode)
    answers = tf.nn.softmax(built(tf.constant(features(24, 49)))[0][:, -1]).numpy()
    return read_weights(built), answers


def posteriors(data: bytes, engine: str, clips: np.ndarray) -> np.ndarray:
    runner = Runner(data, engine, "test")
    return np.stack([runner.classify(clip) for clip in clips])


@pytest.mark.parametrize(("model", "form", "state"), ZOO)
@pytest.mark.parametrize("engine", ["litert", "tflm"])
def test_float_file_equals_keras(model, form, state, engine):
    weights, answers = trained(model, False, "float")
    made = convert(weights, recipe(model), form, state)
    given = posteriors(made.float_data, engine, features(24, 49))
    np.testing.assert_allclose(given, answers, atol=1e-5)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(("model", "form", "state"), ZOO)
@pytest.mark.parametrize("engine", ["litert", "tflm"])
def test_int8_file_does_what_training_saw(model, form, state, engine, per_channel):
    """Rounded in training as on the device: a few steps apart, from ties and orders of sums."""
    weights, answers = trained(model, per_channel, "int8")
    made = convert(weights, recipe(model), form, state)
    difference = np.abs(posteriors(made.data, engine, features(24, 49)) - answers) * 256
    assert difference.mean() < 1.0
    assert difference.max() < 8.0


@pytest.mark.parametrize(("model", "form", "state"), ZOO)
def test_litert_and_tflm_agree_within_steps(model, form, state):
    data = model_bytes(untrained(**model), form, state)
    clips = features(24, 49)
    ours, theirs = (posteriors(data, engine, clips) * 256 for engine in ("litert", "tflm"))
    assert np.abs(ours - theirs).mean() < 1.5
    assert np.abs(ours - theirs).max() <= 10
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).mean() >= 0.9
    assert len(np.unique(ours)) > 10


@pytest.mark.parametrize(("model", "form", "state"), ZOO)
def test_every_activation_and_weight_is_int8(model, form, state):
    model = parse(model_bytes(untrained(**model), form, state), "test")
    types = tensor_types(model)
    assert "FLOAT32" not in types
    assert set(types) <= {"INT8", "INT32", "BOOL", "RESOURCE"}
    constants = [
        (tensor.type, model.buffers[tensor.buffer].data)
        for graph in model.subgraphs
        for tensor in graph.tensors
        if model.buffers[tensor.buffer].data is not None
    ]
    assert all(kind == schema.TensorType.INT8 for kind, data in constants if len(data) > 1024)
    assert "QUANTIZE" not in operators(model)
    assert "DEQUANTIZE" not in operators(model)


@pytest.mark.parametrize(
    ("units", "bidirectional", "form", "overhead", "arena"),
    [((64,), False, "stream", 10_000, 8_192), ((64,), False, "window", 16_000, 24_576),
     ((60,), True, "window", 24_000, 24_576)],
)  # fmt: skip
def test_sizes_are_kept(units, bidirectional, form, overhead, arena):
    weights = untrained(units, bidirectional, 10)
    data = _ten_classes(weights, form)
    assert len(data) <= weights.stored_bytes() + overhead
    assert arena_bytes(data) <= arena


def _ten_classes(weights, form: str) -> bytes:
    values = recipe({"units": [64], "bidirectional": weights.bidirectional}).model_dump()
    values["data"]["keywords"] = ["yes", "no", "up", "down", "left", "right", "stop", "go"]
    ten = parse_recipe(json.loads(json.dumps(values)), "test")
    return convert(weights, ten, form, figures={"validation_accuracy": 0.93456}).data


def test_smallest_arena_starts_the_model_and_less_does_not():
    from tflite_micro import runtime

    data = model_bytes(untrained((64,), False, 4), "stream")
    used = arena_bytes(data)
    smallest = smallest_arena(data, used)
    assert used <= smallest <= 2 * used
    runtime.Interpreter.from_bytes(data, arena_size=smallest).invoke()
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(data, arena_size=smallest - 128)


def test_nothing_is_unrolled():
    few, many = (
        convert(untrained((16,), False, 4), _window(ms), "window").data for ms in (300, 3000)
    )
    assert abs(len(many) - len(few)) < 64


def _window(clip_ms: float):
    values = {
        "name": "w",
        "data": {"keywords": ["yes", "no"], "clip_ms": clip_ms},
        "model": {"units": [16]},
    }
    return parse_recipe(values, "test")


def test_state_goes_in_as_it_came_out():
    model = parse(model_bytes(untrained((16, 8), False, 4), "stream"), "test")
    graph = model.subgraphs[0]
    pairs = list(zip(graph.inputs[1:], graph.outputs[1:], strict=True))
    assert len(pairs) == 2
    for before, after in pairs:
        one, other = graph.tensors[before], graph.tensors[after]
        assert one.quantization.scale.tolist() == other.quantization.scale.tolist() == [1 / 128]
        assert one.quantization.zeroPoint.tolist() == other.quantization.zeroPoint.tolist() == [0]
        assert one.shape.tolist() == other.shape.tolist()


def test_posteriors_have_the_standard_scale():
    runner = Runner(model_bytes(untrained((8,), False, 4), "stream"), "litert", "test")
    assert (runner.outputs[0].scale, runner.outputs[0].zero_point) == (1 / 256, -128)
    assert runner.step(np.full((1, 40), -30.0)).sum() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("engine", ["litert", "tflm"])
def test_internal_state_equals_explicit_state_and_resets(engine):
    weights, clips = untrained((12, 8), False, 4), features(4, 49)
    explicit = model_bytes(weights, "stream", "explicit")
    internal = model_bytes(weights, "stream", "internal")
    expected = posteriors(explicit, engine, clips)
    np.testing.assert_array_equal(posteriors(internal, engine, clips), expected)
    runner = Runner(internal, engine, "test")
    once, again = runner.classify(clips[0]), runner.classify(clips[0])
    np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("stem", [[], STEM])
def test_window_of_a_stream_model_says_the_same(cell, stem):
    weights, clips = untrained((16,), cell=cell, stem=stem), features(8, 49)
    stream = posteriors(model_bytes(weights, "stream"), "tflm", clips)
    np.testing.assert_array_equal(posteriors(model_bytes(weights, "window"), "tflm", clips), stream)


def test_a_signature_names_inputs_and_outputs(tiny_model):
    from ai_edge_litert.interpreter import Interpreter

    signature = Interpreter(model_path=str(tiny_model)).get_signature_runner()
    assert list(signature.get_input_details()) == ["frame", "state_0"]
    zeros = {"frame": np.zeros((1, 40), np.int8), "state_0": np.zeros((1, 16), np.int8)}
    assert signature(**zeros)["posteriors"].shape == (1, 4)


def test_same_calls_same_bytes():
    first, second = (model_bytes(untrained((12,), True, 4), "window") for _ in range(2))
    assert first == second
    assert pack(parse(first, "test"))[4:8] == b"TFL3"


def test_buffers_are_aligned():
    data = model_bytes(untrained((16,), False, 4), "stream")
    for buffer in parse(data, "test").buffers:
        if buffer.data is not None and len(buffer.data) >= 64:
            assert data.find(bytes(bytearray(buffer.data))) % 16 == 0


def test_quantization_of_a_range_is_that_of_fake_quant():
    values = tf.constant(np.linspace(-9, 9, 1001), tf.float32)
    for low, high in ((-8.0, 8.0), (-3.3, 0.7), (0.0, 5.0), (-70.0, 24.6)):
        rounded = tf.quantization.fake_quant_with_min_max_args(values, low, high).numpy()
        quant = Quant.of_range(low, high)
        steps = np.clip(np.round(values.numpy() / quant.scale) + quant.zero_point, -128, 127)
        again = (steps - quant.zero_point) * quant.scale
        np.testing.assert_allclose(again, rounded, atol=quant.scale * 1.01)  # a tie, either way
        assert np.mean(np.abs(again - rounded) < 1e-4) > 0.97


def test_folded_normalisation_is_exact():
    """With the mean's part taken from the rounded kernel, raw features give the same products."""
    kernel, bias = np.random.default_rng(0).normal(size=(40, 6)), np.arange(6.0)
    quant = weight_quant(kernel, per_channel=False)
    used = to_steps(kernel, quant) * quant.scale
    raw = features(3, 1)[:, 0].astype(np.float64)
    _, folded = fold_normalization(kernel, bias, used, STATS.mean, STATS.deviation)
    expected = (raw - STATS.mean) / STATS.deviation @ used + bias
    np.testing.assert_allclose(raw @ (used / STATS.deviation) + folded, expected, atol=1e-9)


def test_a_bidirectional_model_is_no_stream():
    weights = untrained((8,), True, 4)
    with pytest.raises(ModelError, match=r"reads the window's end first.*--form window"):
        convert(weights, recipe({"units": [8], "bidirectional": True}), "stream")


def test_unsupported_operators_are_named():
    builder = ModelBuilder("test")
    _, graph = builder.subgraph("main")
    value, output = graph.tensor((1, 4), np.float32), graph.tensor((1, 4), np.float32)
    graph.table.inputs, graph.table.outputs = [value], [output]
    graph.op("ATAN2", [value, value], [output])
    with pytest.raises(ModelError, match=r"TFLM does not run ATAN2"):
        require_tflm(parse(builder.finish(), "test"), "test")


def test_refuses_files_that_are_not_ours(tmp_path, tiny_model):
    data, path = tiny_model.read_bytes(), tmp_path / "model.tflite"
    for bad, message in (
        (b"", r"not a TFLite model"),
        (b"RIFF....WAVE", r"not a TFLite model"),
        (data[: len(data) // 2], r"damaged or cut short"),
        (data[:40], r"damaged or cut short"),
        (_with_metadata({}), r"its metadata cannot be read"),
        (_with_metadata(None), r"without this toolkit's metadata"),
        (_with_metadata({"version": 2}), r"metadata of version 2, newer than this toolkit's 1"),
    ):
        path.write_bytes(bad)
        with pytest.raises(ModelError, match=message):
            open_model(path)
    with pytest.raises(ModelError, match=r"no such model file"):
        open_model(tmp_path / "nowhere.tflite")
    with pytest.raises(ModelError, match=r"cannot be read"):
        open_model(tmp_path)


def _with_metadata(values: dict | None) -> bytes:
    builder = ModelBuilder("test")
    _, graph = builder.subgraph("main")
    value, output = graph.tensor((1, 4), np.float32), graph.tensor((1, 4), np.float32)
    graph.table.inputs, graph.table.outputs = [value], [output]
    graph.op("TANH", [value], [output])
    if values is not None:
        builder.add_metadata(NAME, json.dumps(values).encode())
    return builder.finish()


@pytest.mark.parametrize("cut", [0.1, 0.3, 0.6, 0.9, 0.99])
def test_a_file_cut_anywhere_is_refused(tmp_path, tiny_model, cut):
    data, path = tiny_model.read_bytes(), tmp_path / "cut.tflite"
    path.write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(ModelError, match=re.escape(str(path))):
        open_model(path)


def test_metadata_says_it_all():
    facts = Runner(model_bytes(untrained((8,), False, 4), "stream"), "litert", "test").metadata
    assert facts == metadata("stream", "explicit")
    assert facts.keywords == ("yes", "no")
    assert facts.clip_frames == 49
    assert json.loads(metadata_json(facts))["features"]["hop_ms"] == 20.0

"""Pruned and clustered kernels: in training, in the int8 file, and as TFLM decodes them."""

import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from conftest import run_tool
from pydantic import ValidationError
from tiny_models import model_bytes, untrained

from kws.data.stats import FeatureStats
from kws.errors import ModelError
from kws.nn.checkpoint import restore, save
from kws.nn.compress import Clusters, Compression, kernels_of
from kws.nn.models import build_model, load_model
from kws.recipe_compress import CompressConfig
from kws.recipe_model import ModelConfig
from kws.recipe_train import QuantizeConfig, TrainConfig
from kws.report.compare import compare
from kws.run import RunFolder, read_json
from kws.tflite.arena import arena_bytes
from kws.tflite.compress_run import compressed_path, write_compressed
from kws.tflite.compressed import compress, deflated_bytes
from kws.tflite.convert import read_weights
from kws.tflite.encodings import encode, look_up, mask
from kws.tflite.interpreter import Runner, open_model
from kws.tflite.metadata import parse

SIZE, FRAMES, BATCH, CLASSES = 40, 12, 8, 4
STEPS, QAT_STEPS = 60, 20


def settings(**values) -> CompressConfig:
    return CompressConfig.model_validate(values)


PRUNE = settings(prune={"sparsity": 0.75})
CLUSTER = settings(cluster={"clusters": 16})
BOTH = settings(prune={"sparsity": 0.5}, cluster={"clusters": 8})


def fresh(**model):
    """A model with weights of its own."""
    config = ModelConfig.model_validate({"units": [32], **model}, strict=False)
    return build_model(config, CLASSES, FeatureStats(np.zeros(SIZE), 1.0, -4.0, 4.0), False, 1)


class Training:
    """A loop as the real one hooks in: a compiled step, and what comes between the steps."""

    def __init__(self, config: CompressConfig, compiled: bool = False, **model):
        self.model, self.zeros, self.losses = fresh(**model), [], []
        self.compiled = compiled
        self.compression = Compression(config, self.model, STEPS)
        self.optimizer = keras.optimizers.Adam(0.01, jit_compile=False)
        self.optimizer.build(self.model.trainable_variables)
        rng = np.random.default_rng(0)
        self.features = tf.constant(rng.normal(size=(BATCH, FRAMES, SIZE)), tf.float32)
        self.targets = tf.one_hot(np.arange(BATCH) % CLASSES, CLASSES)

    def run(self, phase: str, first: int, last: int, is_fresh: bool = True) -> "Training":
        model = self.model
        self.compression.start(phase, is_fresh)
        if phase == "qat" and is_fresh:
            model.set_mode("record")
            model(self.features)
            for points in model.all_points():
                points.set_recorded()
        model.set_mode("int8" if phase == "qat" else "float")

        @tf.function(autograph=False, jit_compile=self.compiled)
        def step():
            with tf.GradientTape() as tape:
                logits = model(self.features)[0][:, -1]
                loss = tf.nn.softmax_cross_entropy_with_logits(self.targets, logits)
            learned = model.learned()
            gradients = tape.gradient(loss, learned)
            self.optimizer.apply_gradients(zip(gradients, learned, strict=True))
            return tf.reduce_mean(loss)

        for number in range(first, last):
            self.losses.append(float(step()))
            self.compression.after_step(number)
            self.zeros.append([float((k == 0).mean()) for k in self.kernels()])
        return self

    def both_phases(self) -> "Training":
        self.run("float", 0, STEPS).run("qat", STEPS, STEPS + QAT_STEPS)
        self.compression.finish()
        return self

    def kernels(self) -> list[np.ndarray]:
        layers = self.model.directions()
        return [k.numpy() for layer in layers for k in (layer.kernel, layer.recurrent_kernel)]

    def file(self, form: str = "stream") -> bytes:
        self.model.fold()
        return model_bytes(read_weights(self.model), form)


@pytest.fixture(scope="module")
def clustered() -> Training:
    return Training(CLUSTER, compiled=True).both_phases()


@pytest.fixture(scope="module")
def pruned() -> Training:
    return Training(PRUNE, cell="rnn").both_phases()


@pytest.fixture(scope="module")
def pruned_and_clustered() -> Training:
    return Training(BOTH, cell="rnn").both_phases()


def same_answers(plain: bytes, other: bytes, steps: int = 12) -> bool:
    """Posteriors and states of both files in TFLM, on noise, byte for byte."""
    rng, runners = np.random.default_rng(5), [Runner(d, "tflm", "m") for d in (plain, other)]
    seen = set()
    for _ in range(steps):
        frames = rng.integers(-128, 128, runners[0].inputs[0].shape).astype(np.int8)
        answers = [runner.step_stored(frames) for runner in runners]
        states = zip(runners[0].state, runners[1].state, strict=True)
        if not np.array_equal(*answers) or not all(np.array_equal(*pair) for pair in states):
            return False
        seen.add(answers[0].tobytes())
    return len(seen) > 1  # answers that never change would prove nothing


def few_values(weights, count: int):
    """The weights with each kernel on ``count`` values."""

    def snap(kernel):
        levels = np.linspace(kernel.min(), kernel.max(), count)
        return levels[np.abs(kernel[..., None] - levels).argmin(-1)]

    def layer(part):
        recurrent = part.recurrent_kernel
        return replace(
            part,
            kernel=snap(part.kernel),
            recurrent_kernel=None if recurrent is None else snap(recurrent),
        )

    return replace(
        weights,
        layers=tuple(tuple(layer(part) for part in parts) for parts in weights.layers),
        stem=tuple(tuple(replace(c, kernel=snap(c.kernel)) for c in b) for b in weights.stem),
    )


def test_pruning_is_gradual_and_zeros_stay_zero_in_int8(pruned):
    zeros = np.array(pruned.zeros)
    assert (zeros[: STEPS // 5] == 0).all()  # nothing in the first fifth
    middle = zeros[STEPS // 3]
    assert ((middle > 0.2) & (middle < 0.75)).all()
    assert (np.diff(zeros, axis=0) > -1e-9).all()
    assert zeros[STEPS - 1] == pytest.approx([0.75, 0.75], abs=1e-3)
    assert zeros[-1] == pytest.approx([0.75, 0.75], abs=1e-3)
    assert pruned.losses[-1] < pruned.losses[0] / 4
    _, kernels = compress(pruned.file())
    assert [kernel.form for kernel in kernels] == ["mask"] * 2 + ["plain"]  # the head stays
    assert [kernel.zeros for kernel in kernels[:2]] == pytest.approx([0.75, 0.75], abs=0.03)


def test_pruned_weights_are_those_of_least_magnitude():
    training = Training(settings(prune={"sparsity": 0.5}), cell="rnn")
    training.run("float", 0, 12)  # the first masks are drawn with the next step
    before = training.kernels()
    for number in range(12, STEPS):
        training.compression.after_step(number)
    for old, new in zip(before, training.kernels(), strict=True):
        gone = new == 0
        assert gone.mean() == pytest.approx(0.5, abs=1e-3)
        assert np.abs(old[gone]).max() <= np.abs(old[~gone]).min()
        assert np.array_equal(old[~gone], new[~gone])


def test_clustering_leaves_sixteen_values_an_operator_in_the_int8_file(clustered):
    assert clustered.losses[-1] < clustered.losses[0] / 4
    for layer in clustered.model.directions():
        for kernel in kernels_of(layer):
            assert len(np.unique(kernel.read())) <= 16
    data = clustered.file()
    smaller, kernels = compress(data)
    assert [kernel.form for kernel in kernels] == ["look-up"] * 4 + ["plain"]
    assert all(kernel.values <= 16 for kernel in kernels[:4])
    assert same_answers(data, smaller)
    assert len(smaller) < len(data)


def test_clusters_learn(clustered):
    """Training with clusters goes on learning: the weights are not those of its beginning."""
    only_found = Training(CLUSTER).run("float", 0, STEPS)
    only_found.compression.start("qat", True)
    only_found.compression.finish()
    assert not np.array_equal(only_found.kernels()[1], clustered.kernels()[1])
    last = clustered.losses[STEPS:]
    assert np.mean(last[-5:]) < np.mean(last[:5])


def test_pruned_and_clustered_zero_is_one_of_the_values(pruned_and_clustered):
    _, kernels = compress(pruned_and_clustered.file())
    assert all(kernel.values <= 8 and kernel.form != "plain" for kernel in kernels[:2])
    for kernel in pruned_and_clustered.kernels():
        assert (kernel == 0).mean() >= 0.5 - 1e-3


def test_a_trained_model_is_saved_and_read_without_traces(clustered, pruned, tmp_path):
    for training, cell in ((clustered, "gru"), (pruned, "rnn")):
        training.model.save(tmp_path / "model.keras")
        read = load_model(tmp_path / "model.keras")
        assert len(read.variables) == len(fresh(cell=cell).variables)
        assert model_bytes(read_weights(read), "stream") == training.file()


def test_a_resumed_training_gives_the_same_weights(tmp_path, pruned_and_clustered):
    """Stopped once in each phase; a checkpoint has masks and values with the model's weights."""
    unbroken, path = pruned_and_clustered, tmp_path / "last.npz"
    first = Training(BOTH, cell="rnn").run("float", 0, 25)
    save(path, first.model, first.optimizer, [])
    second = Training(BOTH, cell="rnn")
    restore(path, second.model, second.optimizer)
    second.run("float", 25, STEPS, False).run("qat", STEPS, STEPS + 7)
    save(path, second.model, second.optimizer, [])
    third = Training(BOTH, cell="rnn")
    restore(path, third.model, third.optimizer)
    third.run("qat", STEPS + 7, STEPS + QAT_STEPS, False).compression.finish()
    for one, other in zip(unbroken.kernels(), third.kernels(), strict=True):
        assert np.array_equal(one, other)


def test_where_nothing_is_asked_nothing_is_done():
    model = fresh()
    variables, before = list(map(id, model.variables)), [v.numpy() for v in model.variables]
    compression = Compression(CompressConfig(), model, STEPS)
    compression.start("qat", True)
    compression.after_step(0)
    compression.finish()
    assert list(map(id, model.variables)) == variables
    assert all(map(np.array_equal, before, [v.numpy() for v in model.variables]))


def test_kernels_are_those_of_operators():
    """An LSTM's first product takes the columns of gates i, f and o: the first, second, fourth."""
    layer = fresh(units=[2], cell="lstm").directions()[0]
    layer.kernel.assign(np.tile(np.arange(8, dtype=np.float32), (SIZE, 1)))
    kernels = kernels_of(layer)
    assert [kernel.read().shape for kernel in kernels] == [(SIZE, 6), (SIZE, 2), (2, 6), (2, 2)]
    assert np.array_equal(kernels[0].read()[0], [0, 1, 2, 3, 6, 7])
    assert np.array_equal(kernels[1].read()[0], [4, 5])
    kernels[0].write(-kernels[0].read())
    assert np.array_equal(layer.kernel[0], [0, -1, -2, -3, 4, 5, -6, -7])
    assert kernels[0].point is layer.kernel_points[0]
    assert kernels[3].point is layer.recurrent_points[1]


def test_k_means_by_hand():
    model = fresh(units=[1], cell="rnn")
    layer, kernel = model.directions()[0], kernels_of(model.directions()[0])[0]
    layer.kernel.assign(np.array([0.0, 1, 10, 12] * 10, np.float32)[:, None])
    clusters = Clusters(keras.layers.Layer(), kernel, 2, zero=False)
    clusters.set_first()
    assert sorted(clusters.centroids.numpy()) == [0.5, 11.0]
    assert np.array_equal(clusters(kernel.read())[:4, 0], [0.5, 0.5, 11, 11])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(clusters(layer.kernel)[:2])
    assert np.array_equal(tape.gradient(total, layer.kernel)[:4, 0], [1, 1, 0, 0])
    clusters.write()
    assert np.array_equal(layer.kernel[:4, 0], [0.5, 0.5, 11, 11])


def test_encodings_by_hand():
    found = look_up(np.array([[1, 1, -3], [5, 1, 1]], np.int8), None)
    assert found.data == bytes([0b01010010, 0b01010000])  # places in -3, 1, 5
    assert found.beside == bytes([0, 1, 0, 0, 1, 0xF2, 3] + [0] * 9 + [256 - 3, 1, 5])
    found = look_up(np.array([[1, 1, -3], [5, 5, 5]], np.int8), 0)  # a table for each row
    assert found.data == bytes([0b11000000])
    assert found.beside == bytes([0, 1, 0, 0, 1, 0x01, 2] + [0] * 9 + [256 - 3, 1, 5, 0])
    assert look_up(np.arange(17, dtype=np.int8), None) is None
    found = mask(np.array([0, 5, 0, 0, 0, 0, 0, 0, -1], np.int8))
    assert found.data == bytes([0b01000000, 0b10000000])
    assert found.beside == bytes([2, 1, 0, 0, 1] + [0] * 11 + [5, 255])


def test_the_shorter_encoding_is_taken():
    rng = np.random.default_rng(0)
    many = rng.integers(1, 120, (64, 64)).astype(np.int8)
    assert encode(many, None) is None
    sparse = np.where(rng.random((64, 64)) < 0.8, 0, many).astype(np.int8)
    assert encode(sparse, None).form == "mask"
    few = rng.choice(np.array([-7, 0, 1, 90], np.int8), (64, 64))
    assert encode(few, None).form == "look-up"
    assert encode(few, None).size == 64 * 64 // 4 + 16 + 4


def test_look_up_is_what_tflms_own_compressor_writes():
    compression = pytest.importorskip("tflite_micro").compression
    data = model_bytes(few_values(untrained((32,)), 16), "stream")
    model, ours = parse(data, "m"), parse(compress(data)[0], "m")
    graph = model.subgraphs[0]
    sizes = [int(np.prod(tensor.shape)) for tensor in graph.tensors]
    chosen = [i for i, size in enumerate(sizes) if size >= 32 * 32]
    assert len(chosen) == 4
    one_table = compression.parse_yaml("""tensors: [{subgraph: 0, tensor: 0,
        compression: [{lut: {index_bitwidth: 4, per_tensor: }}]}]""")
    specs = [replace(one_table[0], tensor=index) for index in chosen]
    theirs = parse(bytes(compression.compress(bytearray(data), specs)), "m")

    def stored(model) -> set[bytes]:
        found = [b.data for b in model.buffers if b.data is not None]
        return {np.asarray(data, np.uint8).tobytes() for data in found}

    encoded = stored(ours) - stored(model)
    assert len(encoded) >= 5  # four kernels, and their tables
    assert encoded <= stored(theirs)


STEM = [{"channels": 8, "kernel": [3, 5], "stride": [1, 2]},
        {"channels": 48, "kernel": [2, 3], "stride": [2, 2]}]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "form", "state", "encoded"),
    [
        ({"units": (40,)}, "stream", "explicit", 4),
        ({"units": (40,)}, "stream", "internal", 4),
        ({"units": (40,)}, "window", "none", 4),
        ({"units": (32,), "bidirectional": True}, "window", "none", 8),
        ({"units": (40,), "cell": "mingru"}, "stream", "explicit", 2),
        ({"units": (64,), "per_channel": True}, "stream", "explicit", 4),
        ({"units": (16,), "stem": STEM}, "stream", "explicit", 3),
        ({"units": (16,), "stem": STEM}, "window", "none", 3),
    ],
)
def test_compressed_files_answer_the_same_in_tflm(model, form, state, encoded):
    data = model_bytes(few_values(untrained(**model), 6), form, state)
    smaller, kernels = compress(data)
    assert sum(kernel.form == "look-up" for kernel in kernels) == encoded
    saved = sum(int(np.prod(kernel.shape)) - kernel.stored_bytes for kernel in kernels)
    assert 0 <= saved - (len(data) - len(smaller)) < encoded * 256  # the rest are the operators
    assert same_answers(data, smaller)
    largest = max(int(np.prod(k.shape)) for k in kernels if k.form != "plain")
    more = arena_bytes(smaller) - arena_bytes(data)
    assert largest <= more < largest + 512 * encoded


def test_a_model_of_many_values_stays_as_it_is(tmp_path):
    data = model_bytes(untrained((32,)), "stream")
    same, kernels = compress(data)
    assert same == data
    assert {kernel.form for kernel in kernels} == {"plain"}
    with pytest.raises(ModelError, match=r"nothing to compress.*compress\.cluster"):
        write_compressed(data, tmp_path / "model.tflite", np.zeros((1, 49, SIZE)))
    assert not any(tmp_path.iterdir())


def test_the_compressed_file_lies_beside_and_knows_its_arena(clustered, tmp_path):
    data, plain = clustered.file(), tmp_path / "model.tflite"
    features = np.random.default_rng(1).normal(-20, 20, (3, 49, SIZE))
    found = write_compressed(data, plain, features)
    path = compressed_path(plain)
    assert path.name == found.file == "model_compressed.tflite"
    assert (found.clips, found.plain_file_bytes) == (3, len(data))
    assert found.file_bytes == path.stat().st_size < len(data)
    assert found.deflated_bytes == deflated_bytes(path.read_bytes())
    assert found.arena_bytes > found.plain_arena_bytes
    runner = open_model(path, "tflm")
    assert runner.metadata.figures["arena_bytes"] == found.arena_bytes
    assert runner.classify(features[0]).shape == (CLASSES,)
    with pytest.raises(ModelError, match="TFLM_DECODE"):
        open_model(path, "litert")


def test_a_kernel_of_fewer_weights_than_values():
    model = fresh(units=[2], cell="rnn")
    layer = model.directions()[0]
    kernel, before = kernels_of(layer)[1], layer.recurrent_kernel.numpy()
    clusters = Clusters(keras.layers.Layer(), kernel, 16, zero=True)
    clusters.set_first()
    clusters.follow()
    clusters.write()
    assert np.allclose(layer.recurrent_kernel, before, atol=1e-7)


def test_what_cannot_be_combined_is_refused():
    gru, train, plain = ModelConfig(units=[8]), TrainConfig(), QuantizeConfig()
    for config in (PRUNE, CLUSTER, BOTH, CompressConfig()):
        config.check(gru, train, plain)
    PRUNE.check(gru, train, QuantizeConfig(mode="calibrate", weights="per_channel"))
    with pytest.raises(ValueError, match=r"quantize\.mode is calibrate: set it to qat"):
        CLUSTER.check(gru, train, QuantizeConfig(mode="calibrate"))
    with pytest.raises(ValueError, match="set it to per_tensor"):
        BOTH.check(gru, train, QuantizeConfig(weights="per_channel"))
    for early in (TrainConfig(keep="best"), TrainConfig(patience=5)):
        CLUSTER.check(gru, early, plain)
        with pytest.raises(ValueError, match=r"set train\.keep to last"):
            BOTH.check(gru, early, plain)
    dscnn = ModelConfig(architecture="dscnn")
    CompressConfig().check(dscnn, train, plain)
    with pytest.raises(ValueError, match=r"model\.architecture dscnn has none"):
        PRUNE.check(dscnn, train, plain)
    for wrong in ({"prune": {"sparsity": 1.0}}, {"cluster": {"clusters": 17}}, {"prune": {}}):
        with pytest.raises(ValidationError):
            settings(**wrong)


@pytest.fixture(scope="module")
def compressed_run(tone_recipe, tone_data, tmp_path_factory):
    """A run pruned and clustered by the programs that people run, and what they printed."""
    out = tmp_path_factory.mktemp("compressed") / "run"
    changes = (
        "compress={prune: {sparsity: 0.5}, cluster: {clusters: 8}}", "model.units=[32]",
        "train.epochs=4", "quantize.epochs=1",
    )  # fmt: skip
    words = [word for change in changes for word in ("--set", change)]
    run_tool("train.py", tone_recipe, "--data", tone_data, "--out", out, *words)
    return RunFolder(out), run_tool("convert.py", out, "--compressed").stdout


def test_training_leaves_zeros_and_few_values_in_the_file(compressed_run):
    run, _ = compressed_run
    _, kernels = compress(run.tflite.read_bytes())
    assert [kernel.form != "plain" for kernel in kernels] == [True] * 4 + [False]
    assert all(kernel.values <= 8 for kernel in kernels[:4])
    zeros = sum(kernel.zeros * np.prod(kernel.shape) for kernel in kernels[:4])
    assert zeros / sum(np.prod(kernel.shape) for kernel in kernels[:4]) >= 0.45


def test_the_compressed_file_is_written_proven_and_told_of(compressed_run):
    run, printed = compressed_run
    entry = read_json(run.metrics)["verification"]["model.tflite"]
    found, path = entry["compressed"], compressed_path(run.tflite)
    assert found["file_bytes"] == path.stat().st_size < entry["file_bytes"]
    assert found["plain_file_bytes"] == entry["file_bytes"] == run.tflite.stat().st_size
    assert found["clips"] == entry["clips"]
    assert entry["deflated_bytes"] == deflated_bytes(run.tflite.read_bytes())
    assert same_answers(run.tflite.read_bytes(), path.read_bytes())
    told = f"{path.name}: {found['file_bytes']:,} bytes, {found['deflated_bytes']:,} deflated"
    assert told in printed
    report = run.report.read_text()
    for count in (found["file_bytes"], found["deflated_bytes"], entry["deflated_bytes"]):
        assert f"{count:,} B" in re.sub(r"\s+", " ", report)
    (row,) = compare([run.path]).tests[0].rows
    assert row.figures["compressed_bytes"].mean == found["file_bytes"]
    assert row.figures["deflated_bytes"].mean == entry["deflated_bytes"]

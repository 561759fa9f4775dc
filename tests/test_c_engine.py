"""The C engine: to the byte what TFLM computes; features and detections those of the desk."""

import subprocess

import numpy as np
import pytest
from c_package import SOURCES, WARNINGS, build_package, compiler
from conftest import ROOT, refused
from tiny_models import model_bytes, untrained

from kws.audio.features import extract
from kws.audio.io import as_int16, fit, read
from kws.data.examples import list_sources
from kws.errors import ModelError
from kws.firmware.engine.places import Buffer
from kws.firmware.engine.scaling import exponentials, scaling
from kws.firmware.export import export
from kws.recipe import FeatureConfig
from kws.spotting.decoder import Decoder
from kws.spotting.hearing import calls_per_second
from kws.spotting.spotter import Spotter
from kws.tflite.interpreter import open_model
from kws.tflite.metadata import parse, read_metadata
from kws.tflite.pack import with_metadata

IN_THE_BOX = sorted((ROOT / "recipes").rglob("model.tflite"))
SMALL = ROOT / "recipes" / "speech_commands_8" / "gru_small" / "model.tflite"
STEM = [
    {"channels": 6, "kernel": [5, 4], "stride": [2, 2]},
    {"channels": 8, "kernel": [3, 3], "stride": [1, 2]},
]


def frames_of(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Stored frames: noise, or slow waves as loud sound has them."""
    if rng.random() < 0.3:
        return rng.integers(-128, 128, shape).astype(np.int8)
    waves = np.cumsum(rng.integers(-9, 10, int(np.prod(shape)))) + rng.integers(-100, 100)
    return np.clip(waves, -128, 127).astype(np.int8).reshape(shape)


def differences(package, calls: int) -> int:
    """How many of the calls give other bytes than TFLM."""
    rng, other = np.random.default_rng(0), 0
    package.reset()
    for _ in range(calls):
        frames = frames_of(package.runner.inputs[0].shape, rng)
        other += package.run(frames).tolist() != package.runner.step_stored(frames).tolist()
    return other


@pytest.mark.parametrize("model", IN_THE_BOX, ids=lambda path: path.parent.name)
def test_models_in_the_box_to_the_byte(model, tmp_path):
    package = build_package(model, tmp_path / "c")
    stream = package.runner.metadata.form == "stream"
    assert differences(package, 3000 if stream else 60) == 0


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn", "mingru"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_every_cell_in_every_form_to_the_byte(cell, per_channel, tmp_path):
    models = {
        "stream": model_bytes(untrained((12, 7), cell=cell, per_channel=per_channel), "stream"),
        "stem": model_bytes(
            untrained((9,), cell=cell, per_channel=per_channel, stem=STEM), "stream"
        ),
        "window": model_bytes(
            untrained((12, 7), cell=cell, per_channel=per_channel, stem=STEM), "window"
        ),
    }
    for pooling in ("last", "mean", "max", "attention"):
        weights = untrained((9, 5), True, cell=cell, per_channel=per_channel, pooling=pooling)
        models[f"both ways, {pooling}"] = model_bytes(weights, "window")
    for name, data in models.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(data)
        package = build_package(path, tmp_path / name)
        assert differences(package, 300 if "st" in name else 10) == 0, name


@pytest.mark.parametrize("seed", range(8))
def test_random_models_to_the_byte(seed, tmp_path):
    """Cells, widths that fill no tile, stems, strides, channels and forms as they fall."""
    rng = np.random.default_rng(seed)
    stem = [
        {
            "channels": int(rng.integers(1, 14)),
            "kernel": [int(rng.integers(2, 6)), int(rng.integers(1, 5))],
            "stride": [int(rng.integers(1, 3)) if depth == 0 else 1, int(rng.integers(1, 3))],
        }
        for depth in range(int(rng.integers(0, 4)))
    ]
    weights = untrained(
        tuple(int(units) for units in rng.integers(1, 23, rng.integers(1, 3))),
        cell=str(rng.choice(["gru", "lstm", "rnn", "mingru"])),
        per_channel=bool(rng.integers(2)),
        **({"stem": stem} if stem else {}),
    )
    form = str(rng.choice(["stream", "window"]))
    path = tmp_path / "m.tflite"
    path.write_bytes(model_bytes(weights, form))
    package = build_package(path, tmp_path / "c")
    assert differences(package, 200 if form == "stream" else 10) == 0


def test_two_products_at_a_time_to_the_byte(tmp_path):
    """The inner loops of a Cortex-M4, with its instruction written in C."""
    smlad = "((sum) + (int16_t)(a) * (int16_t)(b) + ((a) >> 16) * ((b) >> 16))"
    package = build_package(SMALL, tmp_path / "c", f"-DKWS_SMLAD(a,b,sum)={smlad}")
    assert differences(package, 1000) == 0


def test_scalings_are_those_of_the_paper():
    """0.5 is 2**30 / 2**31 * 2**0; a factor of nearly one must not overflow."""
    assert vars(scaling(0.5)) == {"multiplier": 1 << 30, "shift": 0}
    assert vars(scaling(1 - 2.0**-40)) == {"multiplier": 1 << 30, "shift": 1}
    assert vars(scaling(0.0)) == {"multiplier": 0, "shift": 0}
    for factor in (1e-9, 0.003, 0.7, 1.0, 5.3):
        found = scaling(factor)
        assert found.multiplier * 2.0 ** (found.shift - 31) == pytest.approx(factor, rel=1e-9)


def test_exponentials():
    table = exponentials(0.1)
    expected = np.exp(-0.1 * np.arange(len(table)))
    np.testing.assert_allclose(np.array(table) / 2**31, expected, atol=2e-6)
    assert len(exponentials(4.0)) < 16 < len(table)


def test_rooms_share_bytes_only_where_they_are_never_needed_together():
    rng = np.random.default_rng(0)
    for _ in range(20):
        buffer = Buffer()
        for _ in range(30):
            place = buffer.take(int(rng.integers(1, 500)))
            buffer.moment += int(rng.integers(1, 3))
            buffer.rooms[place.room].last = buffer.moment + int(rng.integers(0, 10))
        size = buffer.plan()
        memory = np.full((buffer.moment + 20, size), -1)
        for number, room in enumerate(buffer.rooms):
            taken = memory[room.first : room.last + 1, room.start : room.start + room.size]
            assert (taken == -1).all()
            taken[:] = number
        needed = max((memory[moment] >= 0).sum() for moment in range(len(memory)))
        assert needed <= size <= 1.5 * needed + 100


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return build_package(
        ROOT / "recipes/speech_commands_8/gru_small/model.tflite",
        tmp_path_factory.mktemp("c") / "c",
    )


def clips(speech_data, count: int) -> list[np.ndarray]:
    paths = sorted((speech_data / "speech_commands").glob("[a-z]*/*.*"))
    chosen = np.random.default_rng(0).permutation(len(paths))[:count]
    return [as_int16(read(paths[index], 16000)) for index in chosen]


def test_features_of_real_clips(small, speech_data):
    """Within one step everywhere, and the same in 999 of 1000 values."""
    differing = total = 0
    info, config = small.runner.inputs[0], small.runner.metadata.features
    for audio in clips(speech_data, 1000):
        stored, values = small.features(audio)
        desk = extract(audio / 32768, config)
        np.testing.assert_allclose(values, desk, atol=2e-2)
        difference = np.abs(stored.astype(int) - info.quantize(desk))
        assert difference.max(initial=0) <= 1
        differing, total = differing + np.count_nonzero(difference), total + difference.size
    assert total > 1_000_000
    assert differing <= total / 1000


@pytest.fixture(scope="module")
def whole_numbers(tmp_path_factory):
    return build_package(SMALL, tmp_path_factory.mktemp("fixed") / "c", arithmetic="fixed")


def test_fixed_point_features_of_real_clips(whole_numbers, speech_data):
    """Within one step everywhere, and the same in 997 of 1000 values."""
    differing = total = 0
    info, config = whole_numbers.runner.inputs[0], whole_numbers.runner.metadata.features
    for audio in clips(speech_data, 1000):
        stored, _ = whole_numbers.features(audio)
        difference = np.abs(stored.astype(int) - info.quantize(extract(audio / 32768, config)))
        assert difference.max(initial=0) <= 1
        differing, total = differing + np.count_nonzero(difference), total + difference.size
    assert total > 1_000_000
    assert differing <= 3 * total / 1000


def test_accuracy_is_that_of_the_desk(small, whole_numbers, speech_data):
    """On the validation split: features in C, float and fixed, and the model in C."""
    config, right = small.runner.metadata.features, np.zeros(3)
    labels, clip_samples = small.runner.metadata.labels, 16000
    sources = list_sources(speech_data / "speech_commands", labels, "validation", 0.0)
    for source in sources:
        audio = as_int16(fit(read(source.path, 16000), clip_samples))
        desk = small.runner.inputs[0].quantize(extract(audio / 32768, config))
        ways = (desk, small.features(audio)[0], whole_numbers.features(audio)[0])
        for way, frames in enumerate(ways):
            small.reset()
            taken = small.runner.metadata.frames_per_step
            for at in range(len(frames) % taken, len(frames), taken):
                answer = small.run(np.ascontiguousarray(frames[at : at + taken]))
            right[way] += answer.argmax() == source.label
    accuracy = right / len(sources)
    assert len(sources) > 1000
    assert accuracy[0] > 0.9
    np.testing.assert_allclose(accuracy, accuracy[0], atol=0.001)


@pytest.mark.parametrize("arithmetic", ["float", "fixed"])
@pytest.mark.parametrize(
    "features",
    [
        {"kind": "mfcc", "coefficients": 40},
        {"window_ms": 25.0, "hop_ms": 10.0},
        {"fft_size": 1024, "window_ms": 40.0, "hop_ms": 80.0},
        {"sample_rate_hz": 8000, "fft_size": 256, "high_hz": 3800.0},
    ],
    ids=["mfcc", "short", "gaps", "8kHz"],
)
def test_features_of_any_recipe(features, arithmetic, tmp_path):
    data = model_bytes(untrained((8,)), "stream")
    facts = read_metadata(parse(data, "x"), "x")
    config = FeatureConfig(**features)
    path = tmp_path / "m.tflite"
    path.write_bytes(with_metadata(data, facts.model_copy(update={"features": config}), "x"))
    package = build_package(path, tmp_path / "c", arithmetic=arithmetic)
    rng = np.random.default_rng(0)
    audio = as_int16(rng.normal(0, 0.1, 16000) * np.sin(np.arange(16000) / 2000))
    desk = extract(audio / 32768, config)
    stored, whole = package.features(audio, [len(audio)])
    if arithmetic == "fixed":
        whole = whole.view(np.int32) / 65536
    np.testing.assert_allclose(whole, desk, atol=0.3 if arithmetic == "fixed" else 0.01)
    assert np.abs(whole - desk).mean() < 0.005
    pieces, _ = package.features(audio, rng.integers(1, 700, 50))
    np.testing.assert_array_equal(pieces, stored)


@pytest.fixture(scope="module")
def ten_minutes(speech_data):
    """Words and sentences in random order, int16."""
    files = sorted((speech_data / "continuous_speech").rglob("*.flac"))[:20]
    sounds = [*(as_int16(read(path, 16000)) for path in files), *clips(speech_data, 480)]
    order = np.random.default_rng(1).permutation(len(sounds))
    return np.concatenate([sounds[index] for index in order])


def test_detections_follow_from_the_features_to_the_sample(small, ten_minutes):
    """What TFLM and the desk's decoder make of the C features is what C detects."""
    stored, _ = small.features(ten_minutes)
    runner, facts = small.runner, small.runner.metadata
    decoder = Decoder(facts.labels, facts.decoder, calls_per_second(facts))
    runner.reset()
    wanted = []
    for end in range(facts.frames_per_step, len(stored) + 1, facts.frames_per_step):
        frames = stored[end - facts.frames_per_step : end].reshape(runner.inputs[0].shape)
        posteriors = runner.outputs[0].dequantize(runner.step_stored(frames))[0]
        samples = (end - 1) * facts.features.hop_samples + facts.features.fft_size
        found = decoder.push(posteriors, samples / facts.features.sample_rate_hz)
        wanted += [found] if found else []
    found = small.spot(ten_minutes, np.random.default_rng(2).integers(1, 3000, 100))
    assert len(found) > 300
    assert [vars(one) for one in found] == [vars(one) for one in wanted]


@pytest.fixture(scope="module")
def eager(tmp_path_factory):
    """As ``small``, with a threshold at which `unknown` and `silence` hold keywords back."""
    folder = tmp_path_factory.mktemp("eager")
    data = SMALL.read_bytes()
    facts = read_metadata(parse(data, "m"), "m")
    low = facts.decoder.model_copy(update={"threshold": 0.2})
    (folder / "m.tflite").write_bytes(
        with_metadata(data, facts.model_copy(update={"decoder": low}), "m")
    )
    return build_package(folder / "m.tflite", folder / "c")


@pytest.mark.parametrize("which", ["small", "eager"])
def test_three_hours_of_posteriors(which, request):
    """The decoder alone: posteriors that stay, rise and fall, as words make them, and noise."""
    small = request.getfixturevalue(which)
    facts, rng = small.runner.metadata, np.random.default_rng(5)
    rate, labels = calls_per_second(facts), len(facts.labels)
    calls = round(3 * 3600 * rate)
    scores = np.repeat(rng.normal(0, 2.5, (calls // 8 + 1, labels)), 8, axis=0)[:calls]
    scores = np.exp(scores + rng.normal(0, 0.5, scores.shape))
    stored = (np.round(255 * scores / scores.sum(1, keepdims=True)) - 128).astype(np.int8)
    decoder = Decoder(facts.labels, facts.decoder, rate)
    wanted = [decoder.push(small.runner.outputs[0].dequantize(row), 0.0) for row in stored]
    found = small.decode(stored)
    assert (found >= 0).sum() > 1000
    names = [facts.labels[label] if label >= 0 else None for label in found]
    assert names == [one.keyword if one else None for one in wanted]


def test_detections_are_the_desk_s(small, ten_minutes):
    """One feature in 100,000 is a step off, which now and then moves a detection by some calls."""
    desk = Spotter(open_model(SMALL, "tflm"))
    blocks = (ten_minutes[at : at + 8000] for at in range(0, len(ten_minutes), 8000))
    wanted = [found for block in blocks for found in desk.push(block / np.float32(32768))]
    found = small.spot(ten_minutes)
    assert [one.keyword for one in found] == [one.keyword for one in wanted]
    late_s = np.array([one.time_s - other.time_s for one, other in zip(found, wanted, strict=True)])
    assert np.abs(late_s).max() < 0.25
    assert np.mean(np.abs(late_s) > 1e-6) < 0.03


@pytest.mark.parametrize("arithmetic", ["small", "whole_numbers"])
def test_it_is_c_plus_plus_too(arithmetic, request, tmp_path):
    small = request.getfixturevalue(arithmetic)
    for source in SOURCES:
        done = subprocess.run(
            [compiler("g++"), "-x", "c++", *WARNINGS, "-c", source, "-o", tmp_path / "o"],
            cwd=small.folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


SELF_TEST = """
#include "kws_self_test.h"
static kws spotter;
int main(void) { return (int)kws_self_test(&spotter); }
"""


@pytest.mark.parametrize("arithmetic", ["small", "whole_numbers"])
@pytest.mark.parametrize(
    ("file", "old", "new", "status"),
    [
        ("kws.c", "", "", 0),
        ("kws_features.c", "kws_power(f->work, i)", "kws_power(f->work, i + 1)", 1),
        ("kws_nn.c", " 127,", " 126,", 2),
        ("kws_decoder.c", "d->quiet--", "d->quiet -= 2", 3),
    ],
    ids=["whole", "features", "model", "decoder"],
)
def test_the_self_test_finds_what_is_broken(arithmetic, file, old, new, status, request, tmp_path):
    package = request.getfixturevalue(arithmetic)
    for path in package.folder.glob("kws*"):
        (tmp_path / path.name).write_text(path.read_text())
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 3) if new else text)
    (tmp_path / "main.c").write_text(SELF_TEST)
    command = [compiler("gcc"), "-std=c99", *WARNINGS, "-O2", "-DKWS_SELF_TEST", "main.c"]
    sources = [*SOURCES, "kws_self_test.c"]
    done = subprocess.run(
        [*command, *sources, "-lm", "-o", "test"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert subprocess.run([tmp_path / "test"], check=False).returncode == status


@pytest.mark.parametrize("arithmetic", ["small", "whole_numbers"])
def test_sanitizers_are_quiet(arithmetic, request, tmp_path):
    """Noise, silence and full scale in blocks of random lengths, checked at every access."""
    program = r"""
#include <stdio.h>
#include <stdlib.h>
#include "kws.h"
static kws spotter;
static int16_t block[3000];
int main(void) {
  unsigned state = 1;
  int32_t detections = 0, round, i;
  kws_init(&spotter);
  for (round = 0; round < 400; round++) {
    const int32_t samples = (int32_t)((state = state * 1664525u + 1013904223u) >> 8) % 3000;
    kws_detection found;
    for (i = 0; i < samples; i++) {
      state = state * 1664525u + 1013904223u;
      block[i] = (int16_t)(round % 3 == 1 ? (state >> 16) : (state & 65536u ? 32767 : -32768));
      if (round % 3 == 0) block[i] = 0;
    }
    kws_feed(&spotter, block, samples);
    while (kws_next(&spotter, &found)) detections++;
  }
  printf("%d\n", (int)detections);
  return 0;
}
"""
    small = request.getfixturevalue(arithmetic)
    (small.folder / "fuzz.c").write_text(program)
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]
    command = [compiler("gcc"), "-std=c99", *flags, "fuzz.c", *SOURCES, "-lm", "-o", tmp_path / "f"]
    done = subprocess.run(command, cwd=small.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ran = subprocess.run([tmp_path / "f"], capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.strip().isdigit()


def test_what_the_engine_cannot_do_is_refused(tmp_path):
    internal = tmp_path / "internal.tflite"
    internal.write_bytes(model_bytes(untrained((8,)), "stream", "internal"))
    with pytest.raises(ModelError, match=r"C engine takes int8 models whose state is explicit"):
        export(internal, tmp_path / "out", "c")
    exact = tmp_path / "float.tflite"
    exact.write_bytes(model_bytes(untrained((8,)), "stream", int8=False))
    message = refused("export_firmware.py", exact, "--out", tmp_path / "out", "--engine", "c")
    assert "firmware takes int8" in message
    assert not (tmp_path / "out").exists()

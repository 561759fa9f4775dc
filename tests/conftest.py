"""Models and speech that several tests share."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from virtual_microphone import missing_parts, virtual_microphone

from kws.audio.io import fit, write
from kws.recipe import DecoderConfig, FeatureConfig
from kws.recipe_model import ModelConfig
from kws.tflite.emit_stream import build_stream
from kws.tflite.emit_window import build_window
from kws.tflite.metadata import NAME, Metadata, metadata_json
from kws.tflite.random_weights import random_weights
from kws.tflite.weights import ModelWeights

ROOT = Path(__file__).resolve().parents[1]
LABELS = ("yes", "no", "unknown", "silence")


@pytest.fixture(scope="session")
def speech_data() -> Path:
    """The folder of real speech; a test that needs it is skipped without."""
    folder = os.environ.get("KWS_SPEECH_DATA")
    if not folder:
        pytest.skip("needs real speech: set KWS_SPEECH_DATA to its folder")
    return Path(folder)


@pytest.fixture(scope="module")
def microphone(tmp_path_factory):
    """A virtual microphone at 16 kHz; a test is skipped where its parts are missing."""
    missing = missing_parts()
    if missing:
        pytest.skip(missing)
    with virtual_microphone(tmp_path_factory.mktemp("mic"), 16000) as virtual:
        yield virtual


def untrained(units=(16,), bidirectional=False, classes=4, per_channel=False, **model):
    """The weights of an untrained model; more keys of a recipe's model section may be given."""
    values = {"units": list(units), "bidirectional": bidirectional, **model}
    config = ModelConfig.model_validate(values, strict=False)
    return random_weights(config, classes, per_channel=per_channel)


def metadata(
    form: str, state: str = "none", precision: str = "int8", labels=LABELS, stride: int = 1
) -> Metadata:
    features = FeatureConfig()
    return Metadata(
        recipe="tiny",
        labels=labels,
        features=features,
        form=form,
        state=state,
        precision=precision,
        frames_per_step=stride if form == "stream" else 49 - 49 % stride,
        clip_ms=1000.0,
        decoder=DecoderConfig(),
        macs_per_second=1,
    )


def model_bytes(
    weights: ModelWeights, form: str, state: str = "explicit", int8: bool = True
) -> bytes:
    """The file of an untrained model."""
    precision = "int8" if int8 else "float32"
    state_kept = state if form == "stream" else "none"
    facts = metadata(form, state_kept, precision, stride=weights.stride)
    if form == "stream":
        builder = build_stream(weights, state, int8, "tiny")
    else:
        builder = build_window(weights, facts.frames_per_step, int8, "tiny")
    builder.add_metadata(NAME, metadata_json(facts))
    return builder.finish()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A stream model of 16 units, untrained."""
    path = tmp_path_factory.mktemp("tiny") / "model.tflite"
    path.write_bytes(model_bytes(untrained((16,), False, 4), "stream"))
    return path


@pytest.fixture(scope="session")
def tiny_window_model(tmp_path_factory) -> Path:
    """A bidirectional window model of 8 units a direction, untrained."""
    path = tmp_path_factory.mktemp("tiny") / "window.tflite"
    path.write_bytes(model_bytes(untrained((8,), True, 4), "window"))
    return path


TONES = {"low": (300.0, 500.0), "high": (2500.0, 3500.0), "middle": (900.0, 1400.0)}
"""Hz, from and to, of the chirps that stand for words in :func:`tone_data`."""


@pytest.fixture(scope="session")
def tone_data(tmp_path_factory) -> Path:
    """A data folder of chirps: keywords `low` and `high`, another word `middle`, one noise."""
    root = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    for word, (start, end) in TONES.items():
        for speaker in range(40):
            seconds = rng.uniform(0.3, 0.5)
            time = np.arange(round(16000 * seconds)) / 16000
            pitch = rng.uniform(0.9, 1.1) * (start + (end - start) * time / seconds)
            chirp = np.sin(2 * np.pi * np.cumsum(pitch) / 16000) * np.hanning(len(time)) * 0.3
            audio = fit(chirp.astype(np.float32), 16000) + rng.normal(0, 1e-3, 16000)
            write(root / word / f"{word}{speaker:03d}_nohash_0.wav", audio, 16000)
    noise = rng.normal(0, 0.1, 16000 * 5)
    write(root / "_background_noise_" / "white.wav", noise, 16000)
    return root


TONE_RECIPE = """
name: tones
data: {keywords: [low, high], silence_share: 0.2}
augment: {copies: 2, noise_probability: 0.3, time_masks: 0, band_masks: 0}
model: {units: [12]}
train: {epochs: 16, batch_size: 8, learning_rate: 0.02}
quantize: {mode: qat, epochs: 2, calibration_clips: 64}
"""


@pytest.fixture(scope="session")
def tone_recipe(tmp_path_factory) -> Path:
    """A recipe that learns :func:`tone_data` in seconds."""
    path = tmp_path_factory.mktemp("recipes") / "tones.yaml"
    path.write_text(TONE_RECIPE)
    return path


@pytest.fixture(scope="session")
def tone_run(tone_recipe, tone_data, tmp_path_factory) -> Path:
    """A run folder, trained and converted by the programs that people run."""
    out = tmp_path_factory.mktemp("runs") / "tones"
    run_tool("train.py", tone_recipe, "--data", tone_data, "--out", out)
    run_tool("convert.py", out)
    return out


def run_tool(tool: str, *arguments, status: int = 0, **options) -> subprocess.CompletedProcess:
    """Run a program of `tools/` and check its exit status."""
    command = [sys.executable, str(ROOT / "tools" / tool), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert result.returncode == status, result.stdout + result.stderr
    return result


def refused(tool: str, *arguments, **options) -> str:
    """Run a program that must refuse: status 2, one line, no traceback. Gives the line."""
    result = run_tool(tool, *arguments, status=2, **options)
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return lines[0]

"""Models and speech that several tests share."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from forked import TENSORFLOW_TOOLS, run_forked
from tiny_models import model_bytes, untrained
from tones import RATE, chirp, tone_model
from virtual_microphone import missing_parts, virtual_microphone

from kws.audio.io import fit, write
from kws.data.locks import filling

ROOT = Path(__file__).resolve().parents[1]
COMPILED = pytest.StashKey[tempfile.TemporaryDirectory]()
UNOPTIMIZED = "--xla_backend_optimization_level=0"
LONGEST = ("test_tools.py", "test_training.py", "test_distribution.py", "test_resume.py")
"""Files that take minutes: begun first, so that no worker is left alone with one at the end."""


def pytest_configure(config):
    """Compile each training step once for all processes of this run, and without optimizing it.

    Tests train the same often, and so briefly that compiling was a third of the time.
    """
    if not hasattr(config, "workerinput"):
        config.stash[COMPILED] = tempfile.TemporaryDirectory()
        place = f"--tf_xla_persistent_cache_directory={config.stash[COMPILED].name}"
        os.environ["TF_XLA_FLAGS"] = f"{os.environ.get('TF_XLA_FLAGS', '')} {place}".strip()
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {UNOPTIMIZED}".strip()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_unconfigure(config):
    if COMPILED in config.stash:
        config.stash[COMPILED].cleanup()


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


@pytest.fixture(scope="session")
def hearing(tmp_path_factory) -> Path:
    """A stream model that hears a tone of 1 kHz as `yes` and one of 3 kHz as `no`."""
    path = tmp_path_factory.mktemp("model") / "tones.tflite"
    path.write_bytes(tone_model("stream"))
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
            audio = fit(chirp(start, end, rng), RATE) + rng.normal(0, 1e-3, RATE)
            write(root / word / f"{word}{speaker:03d}_nohash_0.wav", audio, RATE)
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
    """A run folder, trained and converted by the programs that people run.

    The first of the test run's processes that needs it makes it, for all of them.
    """
    base = tmp_path_factory.getbasetemp()
    runs = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "runs"
    out, done = runs / "tones", runs / "done"
    with filling(runs, out.name):
        if not done.exists():
            run_tool("train.py", tone_recipe, "--data", tone_data, "--out", out)
            run_tool("convert.py", out)
            done.touch()
    return out


def run_tool(tool: str, *arguments, status: int = 0, **options) -> subprocess.CompletedProcess:
    """Run a program of `tools/` and check its exit status."""
    if tool in TENSORFLOW_TOOLS and options.keys() <= {"cwd", "env"}:
        result = run_forked(tool, *arguments, **options)
    else:
        command = [sys.executable, str(ROOT / "tools" / tool), *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert result.returncode == status, result.stdout + result.stderr
    return result


def optimized() -> dict[str, str]:
    """The environment in which programs compile as they do outside tests: for longer trainings."""
    return {**os.environ, "XLA_FLAGS": os.environ["XLA_FLAGS"].replace(UNOPTIMIZED, "").strip()}


def refused(tool: str, *arguments, **options) -> str:
    """Run a program that must refuse: status 2, one line, no traceback. Gives the line."""
    result = run_tool(tool, *arguments, status=2, **options)
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return lines[0]

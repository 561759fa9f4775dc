"""The programs people run, end to end, and what they say to bad input."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, TONES, optimized, refused, run_tool
from tones import RATE, chirp

from kws.audio.io import write
from kws.tflite.interpreter import open_model

TOOLS = sorted(path.name for path in (ROOT / "tools").glob("*.py") if path.name != "cli.py")
COMMANDS = (
    *("speech-commands", "folder", "check", "record", "kokoro", "say", "talk", "scenes"),
    *("wake-mix", "long-wav", "preview", "features", "cache"),
)


@pytest.mark.parametrize("command", [*TOOLS, *(f"prepare_data.py {name}" for name in COMMANDS)])
def test_help_needs_nothing_heavy(command):
    tool, *words = command.split()
    code = (
        "import sys, runpy; sys.path.insert(0, 'tools')\n"
        f"sys.argv = {[tool, *words, '--help']}\n"
        f"try: runpy.run_path('tools/{tool}', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'librosa', 'scipy', 'matplotlib', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("usage: ")


def test_no_command_is_left_out():
    listed = run_tool("prepare_data.py", "--help").stdout
    assert re.findall(r"^    ([a-z-]+)(?: |$)", listed, re.MULTILINE) == list(COMMANDS)


def test_metrics_hold_the_proof(tone_run):
    found = json.loads((tone_run / "metrics.json").read_text())["verification"]["model.tflite"]
    assert [row["name"] for row in found["rows"]] == [
        "float Keras", "float TFLite", "int8 LiteRT", "int8 TFLM",
    ]  # fmt: skip
    lines = (tone_run / "history.csv").read_text().splitlines()
    floats = [line.split(",") for line in lines if line.startswith("float,")]
    assert found["accuracy_before"] == float(floats[-1][3])
    assert found["rows"][1]["largest_difference_steps"] < 0.01
    assert found["rows"][3]["agreement_with_float"] >= 0.9
    assert found["file_bytes"] == (tone_run / "model.tflite").stat().st_size
    assert found["arena_bytes"] <= found["arena_smallest_bytes"]
    assert found["macs_per_second"] == 50 * (40 * 36 + 12 * 36 + 12 * 4)
    assert sum(map(sum, found["confusion"])) == found["clips"]
    assert found["drift"]["minutes"] == 10
    assert found["drift"]["last_minute_steps"] < found["drift"]["first_minute_steps"] + 1


def test_evaluate_agrees_with_the_proof(tone_run, tone_data, tmp_path):
    figures = open_model(tone_run / "model.tflite").metadata.figures
    result = run_tool(
        "evaluate.py", tone_run / "model.tflite", "--data", tone_data, "--engine", "tflm",
        "--json", tmp_path / "scores.json",
    )  # fmt: skip
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert json.dumps(scores).count(str(figures["validation_clips"])) > 0
    assert f"{figures['validation_accuracy']:.2%}".rstrip("%")[:4] in result.stdout.replace(" ", "")


@pytest.mark.parametrize(
    ("form", "state"), [("stream", "internal"), ("window", "explicit")], ids=["internal", "window"]
)
def test_other_forms_of_the_same_run(tone_run, tmp_path, form, state):
    run, out = tmp_path / "run", tmp_path / f"{form}.tflite"
    shutil.copytree(tone_run, run)
    run_tool("convert.py", run, "--form", form, "--state", state, "--out", out)
    facts = open_model(out, "tflm").metadata
    assert (facts.form, facts.state) == (form, "none" if form == "window" else "internal")
    expected = open_model(tone_run / "model.tflite").metadata.figures["validation_accuracy"]
    assert facts.figures["validation_accuracy"] == pytest.approx(expected, abs=0.02)
    metrics = json.loads((run / "metrics.json").read_text())["verification"]
    assert {"model.tflite", out.name} <= set(metrics)


def test_demo_finds_the_trained_tones_and_exports(tone_run, tmp_path):
    rng = np.random.default_rng(0)
    audio, sound = rng.normal(0, 1e-3, RATE * 4), chirp(*TONES["high"], rng)
    audio[RATE * 2 : RATE * 2 + len(sound)] += sound
    write(tmp_path / "sound.wav", audio, RATE)
    result = run_tool("mic_demo.py", tone_run / "model.tflite", "--wav", tmp_path / "sound.wav")
    assert [line for line in result.stdout.splitlines() if "high" in line]
    run_tool("export_firmware.py", tone_run / "model.tflite", "--out", tmp_path / "firmware")
    assert "KWS_LABEL_HIGH" in (tmp_path / "firmware" / "kws_model.h").read_text()


def test_set_changes_what_is_trained(tone_recipe, tone_data, tmp_path):
    changes = ("--set", "train.epochs=1", "--set", "quantize.mode=none", "--set", "model.units=[4]")
    run_tool("train.py", tone_recipe, "--data", tone_data, "--out", tmp_path / "run", *changes)
    assert "epochs: 1\n" in (tmp_path / "run" / "recipe.yaml").read_text()
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 2


def test_keywords_alone_from_a_manifest_to_firmware(tone_recipe, tone_data, tmp_path):
    """A task without unknown and silence, as that of all 35 commands, on clips from a table."""
    table, run = tmp_path / "tones.csv", tmp_path / "run"
    listed = run_tool("prepare_data.py", "folder", tone_data, "--out", table)
    assert f"manifest: {table}" in listed.stdout
    changes = ["data.unknown=false", "data.silence_share=0", "train.epochs=6", "quantize.epochs=1"]
    options = [part for change in changes for part in ("--set", change)]
    run_tool("train.py", tone_recipe, "--data", table, "--out", run, *options)
    run_tool("convert.py", run)
    model = run / "model.tflite"
    assert open_model(model).metadata.labels == ("low", "high")
    run_tool("evaluate.py", model, "--data", table, "--json", tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    clips = open_model(model).metadata.figures["validation_clips"]
    assert 0 < clips < 80
    assert json.dumps(scores).count(str(clips)) > 0
    run_tool("mic_demo.py", model, "--wav", sorted((tone_data / "low").iterdir())[0])
    run_tool("export_firmware.py", model, "--out", tmp_path / "firmware")
    assert "KWS_LABEL_HIGH" in (tmp_path / "firmware" / "kws_model.h").read_text()


def test_bad_input_to_train(tone_recipe, tmp_path):
    out = ("--out", tmp_path / "run")
    assert "no such recipe" in refused("train.py", tmp_path / "nowhere.yaml", *out)
    assert "names no data.folder" in refused("train.py", tone_recipe, *out)
    message = refused("train.py", tone_recipe, "--data", tmp_path / "nowhere", *out)
    assert "nowhere" in message
    assert "no key 'epoch'" in refused("train.py", tone_recipe, *out, "--set", "train.epoch=1")


def test_a_corrupt_clip_is_named_and_too_many_stop(tone_recipe, tone_data, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(tone_data, data)
    broken = sorted((data / "low").glob("*.wav"))[0]
    broken.write_bytes(b"RIFF")
    few = ("--set", "train.epochs=1", "--set", "quantize.mode=none")
    base = ("train.py", tone_recipe, "--data", data)
    message = refused(
        *base, "--out", tmp_path / "strict", "--set", "data.max_bad_fraction=0.001", *few
    )
    assert broken.name in message
    result = run_tool(*base, "--out", tmp_path / "run", "--set", "data.max_bad_fraction=0.1", *few)
    assert f"left out: {broken}" in result.stdout
    assert "1 clips could not be read" in result.stdout


def test_ctrl_c_is_no_traceback(tone_recipe, tone_data, tmp_path):
    command = [
        sys.executable, ROOT / "tools" / "train.py", tone_recipe, "--data", tone_data,
        "--out", tmp_path / "run", "--set", "train.epochs=5000",
    ]  # fmt: skip
    # A test run started in the background ignores SIGINT, and so would what it starts.
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    history = tmp_path / "run" / "history.csv"
    end = time.monotonic() + 120
    while not (history.is_file() and len(history.read_text().splitlines()) > 2):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr


@pytest.mark.slow
def test_real_speech_end_to_end(speech_data, tmp_path):
    """A short training on real words: far above chance, and int8 in TFLM as good as float."""
    changes = [
        "train.epochs=3", "augment.copies=1", "augment.speed=[1,1]", "quantize.epochs=1",
        "train.carried_state_share=0.1", "augment.time_masks=0", "augment.band_masks=0",
        "quantize.calibration_clips=256",
    ]  # fmt: skip
    options = [part for change in changes for part in ("--set", change)]
    out = tmp_path / "run"
    recipe = ROOT / "recipes" / "speech_commands_8" / "gru_stream.yaml"
    data = ("--data", speech_data / "speech_commands")
    run_tool("train.py", recipe, *data, "--out", out, *options, env=optimized())
    run_tool("convert.py", out)
    found = json.loads((out / "metrics.json").read_text())["verification"]["model.tflite"]
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["int8 TFLM"]["accuracy"] >= 0.75
    assert rows["int8 TFLM"]["accuracy"] >= rows["float Keras"]["accuracy"] - 0.02
    assert rows["int8 TFLM"]["agreement_with_float"] >= 0.95
    assert rows["int8 TFLM"]["agreement_with_litert"] >= 0.98
    assert found["file_bytes"] <= found["stored_bytes"] + 10_000
    assert found["arena_bytes"] <= 8192
    assert found["drift"]["last_minute_steps"] < 2 * found["drift"]["first_minute_steps"]

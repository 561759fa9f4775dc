"""tools/evaluate.py from its arguments to its tables and its JSON."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kws.audio import io
from kws.data.examples import load_split
from kws.tflite.interpreter import open_model

RATE = 16000
TOOLS = Path(__file__).resolve().parents[1] / "tools"
TRAINING, VALIDATION, TESTING = "0132a06d", "026290a7", "105a0eea"


@pytest.fixture
def evaluate(monkeypatch, capsys):
    """Run the tool in this process: gives status, standard output and error."""
    monkeypatch.syspath_prepend(str(TOOLS))
    cli, tool = importlib.import_module("cli"), importlib.import_module("evaluate")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["evaluate.py", *map(str, arguments)])
        status = 0
        try:
            cli.run(tool.main)
        except SystemExit as end:
            status = end.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


@pytest.fixture
def data(tmp_path):
    """Two keywords and another word; validation and training speakers."""
    rng, root = np.random.default_rng(0), tmp_path / "data"
    for word, clips in (("yes", 4), ("no", 3), ("tree", 2)):
        for i in range(clips):
            noise = rng.normal(0, 0.01 * 4**i, RATE)
            io.write(root / word / f"{VALIDATION}_nohash_{i}.wav", noise, RATE)
        io.write(root / word / f"{TRAINING}_nohash_0.wav", rng.normal(0, 0.1, RATE), RATE)
    return root


@pytest.mark.parametrize("engine", ["litert", "tflm"])
@pytest.mark.parametrize("model", ["tiny_model", "tiny_window_model"])
def test_figures_are_those_of_the_model(evaluate, data, model, engine, request, tmp_path):
    path = request.getfixturevalue(model)
    report = tmp_path / "report.json"
    status, out, _ = evaluate(path, "--data", data, "--engine", engine, "--json", report)
    assert status == 0
    values = json.loads(report.read_text())

    runner = open_model(path, engine)
    facts = runner.metadata
    examples = load_split(data, facts.labels, facts.features, facts.clip_samples, "validation")
    answers = [int(runner.classify(clip).argmax()) for clip in examples.features]
    confusion = np.zeros((4, 4), int)
    for truth, answer in zip(examples.labels, answers, strict=True):
        confusion[truth, answer] += 1
    assert values["confusion"] == confusion.tolist()
    assert confusion.sum(axis=1).tolist() == [4, 3, 2, 1]
    right = int(confusion.trace())
    assert values["accuracy"]["count"] == right
    assert f"{right} of 10 clips" in out
    assert (values["split"], values["engine"], values["made_silence"]) == ("validation", engine, 1)
    assert values["labels"] == ["yes", "no", "unknown", "silence"]


def test_tables_are_whole(evaluate, data, tiny_model):
    status, out, _ = evaluate(tiny_model, "--data", data, "--split", "all")
    assert status == 0
    assert "tiny, int8 stream, in litert" in out
    assert "13 clips (all), 1 of them silence made from noise" in out
    lines = out.splitlines()
    rows = [line for line in lines if line.startswith("│ yes")]
    assert len(rows) == 2
    cells = [cell.strip() for cell in rows[0].split("│")[1:-1]]
    assert cells[:2] == ["yes", "5"]
    assert sum(int(cell) for cell in rows[1].replace("·", "0").split("│")[2:-1]) == 5
    assert "…" not in out


def test_unreadable_clips_are_named_and_counted(evaluate, data, tiny_model, tmp_path):
    (data / "yes" / f"{VALIDATION}_nohash_8.wav").touch()
    (data / "no" / f"{VALIDATION}_nohash_9.wav").write_text("x")
    report = tmp_path / "report.json"
    status, out, _ = evaluate(tiny_model, "--data", data, "--json", report)
    assert status == 0
    assert "2 clips could not be read and are not in these figures:" in out
    assert f"yes/{VALIDATION}_nohash_8.wav: an empty file" in out
    values = json.loads(report.read_text())
    assert (len(values["unreadable"]), values["clips"]) == (2, 10)


def test_official_test_archive(evaluate, tiny_model, tmp_path):
    rng, root, report = np.random.default_rng(1), tmp_path / "archive", tmp_path / "a.json"
    for folder, clips in (("yes", 2), ("no", 3), ("_unknown_", 4), ("_silence_", 5), ("up", 1)):
        for i in range(clips):
            io.write(root / folder / f"{TESTING}_nohash_{i}.wav", rng.normal(0, 0.1, RATE), RATE)
    for split in ("testing", "all"):
        assert evaluate(tiny_model, "--data", root, "--split", split, "--json", report)[0] == 0
        values = json.loads(report.read_text())
        assert [sum(row) for row in values["confusion"]] == [2, 3, 5, 5]
        assert values["made_silence"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "{data}", "--split", "testing"], "no clips in the testing split"),
        (["--data", "{data}/gone"], "no such data folder"),
        (["--data", "{data}/yes"], "no folder of any keyword; expected yes, no, found no folders"),
        (["--data", "{data}", "--json", "{data}/yes/x.wav/a.json"], "cannot be written"),
    ],
)
def test_mistakes_are_one_line_and_status_2(evaluate, data, tiny_model, arguments, message):
    (data / "yes" / "x.wav").touch()
    status, _, err = evaluate(tiny_model, *(text.format(data=data) for text in arguments))
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert status == 2
    assert message in line


def test_models_that_cannot_be_used(evaluate, data, tiny_model, tmp_path):
    bad = tmp_path / "bad.tflite"
    for content, message in (
        (None, "no such model file"),
        (b"", "not a TFLite model"),
        (tiny_model.read_bytes()[:2000], "damaged or cut short"),
    ):
        if content is not None:
            bad.write_bytes(content)
        status, _, err = evaluate(bad, "--data", data)
        assert (status, err.count("\n")) == (2, 1)
        assert message in err


def test_wrong_arguments_are_refused(evaluate, tiny_model):
    for arguments in (
        [],
        [tiny_model],
        [tiny_model, "--data", ".", "--split", "test"],
        [tiny_model, "--data", ".", "--engine", "tf"],
    ):
        status, _, err = evaluate(*arguments)
        assert status == 2
        assert "usage: evaluate.py" in err


def test_needs_no_tensorflow_and_starts_light(data, tiny_model):
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import evaluate; "
        "assert not {'librosa', 'numpy'} & set(sys.modules); evaluate.main(); "
        "assert 'tensorflow' not in sys.modules; assert 'tf_keras' not in sys.modules"
    )
    command = [sys.executable, "-c", code, str(TOOLS), str(tiny_model), "--data", str(data)]
    subprocess.run(command, check=True, capture_output=True)

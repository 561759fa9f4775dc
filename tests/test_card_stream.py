"""Figures in running sound on a model card: as evaluate.py wrote them, and of that model alone."""

import hashlib
import json
from pathlib import Path

import pytest
from test_evaluate import evaluate  # noqa: F401 (a fixture)
from test_evaluate_stream import recordings  # noqa: F401 (a fixture)

from kws.errors import RunError
from kws.report.card_stream import running_rows
from kws.report.publish import publish
from kws.tflite.interpreter import open_model


@pytest.fixture
def report(evaluate, hearing, recordings, tmp_path) -> Path:  # noqa: F811
    file = tmp_path / "figures.json"
    assert evaluate(hearing, "--stream", recordings, "--json", file)[0] == 0
    return file


def sha256(model: Path) -> str:
    return hashlib.sha256(model.read_bytes()).hexdigest()


def test_rows_are_those_of_all_and_of_each_condition(report, hearing):
    rows = running_rows(report, sha256(hearing), open_model(hearing).metadata)
    assert rows[:2] == ["| recordings | missed | false accepts an hour |", "| --- | --- | --- |"]
    names = [row.split(" | ")[0] for row in rows[2:]]
    assert names == [
        "| all, 0.3 minutes", "| distance_m 0.5, 0.2 minutes", "| distance_m 3, 0.1 minutes"
    ]  # fmt: skip
    assert "16.7 % (3.0 to 56.4 %) of 6" in rows[2]
    assert "0.0 % (0.0 to 56.1 %) of 3" in rows[3]
    assert rows[4].endswith("| 0 (0 to 1771) |")


def test_figures_of_another_model_or_threshold_are_refused(report, hearing, tmp_path):
    facts = open_model(hearing).metadata
    with pytest.raises(RunError, match=r"figures.json: is of another file than the run's"):
        running_rows(report, "0" * 64, facts)
    decoder = facts.decoder.model_copy(update={"threshold": 0.9})
    other = facts.model_copy(update={"decoder": decoder})
    with pytest.raises(RunError, match=r"was measured at other thresholds .*; evaluate it without"):
        running_rows(report, sha256(hearing), other)
    for text in ("{}", json.dumps({"sha256": sha256(hearing)})):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(RunError, match=r"a.json: no figures on long recordings in it"):
            running_rows(tmp_path / "a.json", sha256(hearing), facts)
    with pytest.raises(RunError, match=r"b.json: cannot be read .*; write it by tools/evaluate"):
        running_rows(tmp_path / "b.json", sha256(hearing), facts)


def test_a_card_tells_them(evaluate, recordings, tone_run, tone_recipe, tone_data, tmp_path):  # noqa: F811
    file, model = tmp_path / "figures.json", tone_run / "model.tflite"
    assert evaluate(model, "--stream", recordings, "--json", file)[0] == 0
    (tmp_path / "tones.yaml").write_text(tone_recipe.read_text())
    card = publish(tone_run, tmp_path / "tones", tone_data, "", file).card.read_text()
    rows = running_rows(file, sha256(model), open_model(model).metadata)
    assert f"95 % intervals (Wilson, Garwood):\n\n{chr(10).join(rows)}\n\n## Data" in card
    lines = card.splitlines()
    listen = "python tools/evaluate.py runs/tones/model.tflite --stream RECORDINGS --negatives TALK"
    at = lines.index(f"{listen} --json running.json")
    assert lines[at + 1].startswith("python tools/publish.py runs/tones ")
    assert lines[at + 1].endswith("/tones --running running.json")

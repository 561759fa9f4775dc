"""Round after round a model is trained on what the last one took for keywords."""

import json
import re

import numpy as np
import pytest
from conftest import refused, run_tool
from test_hard_negatives import record
from tones import RATE, tones

from kws.audio.annotation import Recording
from kws.audio.io import write
from kws.data.recordings import read_recordings
from kws.errors import RecipeError, RunError
from kws.files import write_json
from kws.recipe_io import parse_recipe, write_recipe
from kws.rounds import MINED, Listening, train_rounds
from kws.run import RunFolder

RECIPE = {"name": "tones", "data": {"keywords": ["yes", "no"]}, "model": {"units": [4]}}


@pytest.fixture
def talk(tmp_path) -> list[Recording]:
    """Half a minute in which a tone that the model takes for `yes` sounds five times."""
    write(tmp_path / "talk" / "a.wav", tones(*[(0, 4.0), (1000, 0.5), (0, 1.5)] * 5), RATE)
    return read_recordings(tmp_path / "talk", words_beside=False)


class Trainer:
    """Stands for a training that learns nothing: every round's model is the same."""

    def __init__(self, model):
        self.model, self.heard, self.kill = model, [], False

    def __call__(self, recipe, _data, folder, resume):
        run = RunFolder(folder)
        self.heard.append((folder.name, recipe.data.negatives, resume))
        folder.mkdir(parents=True, exist_ok=True)
        write_recipe(recipe, run.recipe)
        if self.kill:
            raise KeyboardInterrupt
        run.keras_model.write_bytes(b"")
        run.tflite.write_bytes(self.model.read_bytes())
        write_json(run.metrics, {"verification": {run.tflite.name: {}}})


def rounds(train, out, listening, wanted=1.0, most=3, resume=False, recipe=RECIPE):
    told = []
    found = train_rounds(
        parse_recipe(recipe, "test"), out, out, listening, wanted, most, resume, train, told.append
    )
    assert told == found
    written = json.loads(out.with_name(f"{out.name}_rounds.json").read_text())
    assert [one["taught"] for one in written] == [one.taught for one in found]
    return found


def test_each_round_is_trained_on_what_all_before_it_were_wrong_about(hearing, talk, tmp_path):
    train, out = Trainer(hearing), tmp_path / "runs" / "tones"
    said = [Recording(talk[0].path, (), ())]
    found = rounds(train, out, Listening(talk, held_out=talk, said=said))
    names = [f"tones_round{number}" for number in (1, 2, 3)]
    mined = [str(out.with_name(name) / MINED) for name in names]
    assert train.heard == [(name, mined[:at], False) for at, name in enumerate(names)]
    assert [one.taught for one in found] == [0, 5, 10]
    assert {one.talk.count for one in found} == {5}
    assert found[0].held_out == found[0].talk
    assert found[0].missed.total == 0
    assert not (out.with_name(names[2]) / MINED).exists()  # nothing is trained after it


def test_a_quiet_model_is_not_trained_again(hearing, talk, tmp_path):
    train = Trainer(hearing)
    found = rounds(train, tmp_path / "loud", Listening(talk), wanted=600.5)
    assert len(found) == len(train.heard) == 1
    assert found[0].talk.per_hour == pytest.approx(600)
    assert (found[0].held_out, found[0].missed) == (None, None)


def test_rounds_that_were_stopped_go_on(hearing, talk, tmp_path):
    train, out = Trainer(hearing), tmp_path / "tones"
    rounds(train, out, Listening(talk), most=1)
    torn = tmp_path / "tones_round1" / MINED / "yes" / "000000.wav"
    write(torn, np.zeros(RATE, np.float32), RATE)  # of a mining that was killed
    with pytest.raises(RunError, match=r"tones_round1: already holds something; go on by --resu"):
        rounds(train, out, Listening(talk))
    train.kill = True
    with pytest.raises(KeyboardInterrupt):
        rounds(train, out, Listening(talk), most=2, resume=True)
    assert len(list(torn.parent.glob("*.wav"))) == 5
    train.kill = False
    assert [one.taught for one in rounds(train, out, Listening(talk), most=2, resume=True)] == [
        0,
        5,
    ]
    assert [(name, resume) for name, _, resume in train.heard] == [
        ("tones_round1", False),
        ("tones_round2", False),
        ("tones_round2", True),
    ]


def test_refused(hearing, talk, tmp_path):
    train = Trainer(hearing)
    with pytest.raises(RecipeError, match=r"--rounds 0: expected at least 1"):
        rounds(train, tmp_path / "a", Listening(talk), most=0)
    known = {**RECIPE, "data": {**RECIPE["data"], "unknown": False, "unseen_words": []}}
    with pytest.raises(RecipeError, match=r"data.unknown is false, so that there is no class"):
        rounds(train, tmp_path / "b", Listening(talk), recipe=known)
    assert not train.heard


def test_mined_until_it_is_quiet(tone_recipe, tone_data, tmp_path):
    """Keywords played backwards are none; a model that never heard such takes them for keywords."""
    words = ["low", "high"] * 20
    for seed, name in enumerate(("talk", "other")):
        record(tmp_path / name / "a.wav", words, backwards=True, seed=seed)
    record(tmp_path / "said" / "a.wav", words, backwards=False, seed=2)
    out = tmp_path / "runs" / "tones"
    places = ("--held-out", tmp_path / "other", "--stream", tmp_path / "said", "--out", out)
    asked = ("--talk", tmp_path / "talk", *places, "--rounds", 2)
    told = run_tool("mine.py", tone_recipe, "--data", tone_data, *asked).stdout
    lines = [line for line in told.splitlines() if "mined sounds" in line]
    assert re.search(
        r"tones_round1: 0 mined sounds; \d+ \(\d+ to \d+\) false accepts an hour", lines[0]
    )
    first, second = json.loads((tmp_path / "runs" / "tones_rounds.json").read_text())
    assert first["talk"]["count"] >= 10
    assert first["held_out"]["count"] >= 10
    assert second["taught"] >= 10
    assert second["talk"]["count"] <= first["talk"]["count"] / 2
    assert second["held_out"]["count"] <= first["held_out"]["count"] / 2
    assert second["missed"]["count"] <= first["missed"]["count"] + 2
    again = refused("mine.py", tone_recipe, "--data", tone_data, *asked)
    assert "tones_round1: already holds something" in again

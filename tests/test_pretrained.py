"""Models in the box: each answers its golden clips, and its card speaks of it; how one is made."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, refused, run_tool

from kws.errors import ModelError, RunError
from kws.files import write_json
from kws.recipe_io import read_recipe
from kws.report.model_card import licence_of
from kws.report.publish import check_published, publish
from kws.run import read_json
from kws.tflite.golden import check_golden, make_golden, read_golden
from kws.tflite.interpreter import open_model

IN_THE_BOX = sorted(path.parent for path in (ROOT / "recipes").rglob("model.tflite"))


@pytest.mark.parametrize("folder", IN_THE_BOX, ids=lambda path: path.name)
def test_each_model_in_the_box_answers_as_published(folder):
    check_published(folder)
    assert open_model(folder / "model.tflite").metadata.recipe == folder.name


@pytest.fixture(scope="module")
def box(tone_recipe, tone_run, tone_data, tmp_path_factory):
    """A box with one published model, by the program that people run."""
    root = tmp_path_factory.mktemp("box")
    shutil.copy(tone_recipe, root / "tones.yaml")
    run_tool("publish.py", tone_run, "tones", "--data", tone_data, cwd=root)
    return root


@pytest.fixture
def folder(box, tmp_path):
    """A copy of the published model, to be spoilt."""
    shutil.copytree(box, tmp_path / "box")
    return tmp_path / "box" / "tones"


def test_what_is_published(box, tone_run):
    folder = box / "tones"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "golden.npz",
        "model.tflite",
    ]
    check_published(folder)
    data = (folder / "model.tflite").read_bytes()
    assert data == (tone_run / "model.tflite").read_bytes()
    assert (folder / "golden.npz").stat().st_size < 40_000
    golden = read_golden(folder / "golden.npz")
    assert golden.features.shape[1:] == (49, 40)
    assert len(set(golden.labels)) == len(golden.labels) > 1
    np.testing.assert_array_equal(golden.posteriors.argmax(axis=1), golden.labels)


def test_the_card_says_what_the_run_measured(box, tone_run):
    card = (box / "tones" / "README.md").read_text()
    entry = read_json(tone_run / "metrics.json")["verification"]["model.tflite"]
    assert hashlib.sha256((tone_run / "model.tflite").read_bytes()).hexdigest() in card
    assert f"| int8 TFLM | {entry['rows'][-1]['accuracy']:.2%} |" in card
    assert f"| file | {entry['file_bytes']:,} bytes, {entry['weights']:,} weights" in card
    assert f"| memory | {entry['arena_bytes']:,} bytes" in card
    assert "| hears | low, high, and tells them from unknown and silence |" in card
    assert "40 log-mel energies in dB, 60 to 7600 Hz, windows of 32 ms every 20 ms" in card
    assert "Their folder names no licence." in card
    assert "python tools/train.py tones.yaml --data DIR --set seed=1 --out runs/tones\n" in card
    assert "python tools/convert.py runs/tones --form stream\n" in card
    assert "python tools/publish.py runs/tones tones\n" in card
    assert "python tools/mic_demo.py tones/model.tflite" in card
    assert "/tmp" not in card
    assert "{" not in card


def test_published_again_it_is_the_same(box, tone_run, tone_data, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    publish(tone_run, Path("tones"), tone_data)
    for path in folder.iterdir():
        assert path.read_bytes() == (box / "tones" / path.name).read_bytes(), path.name


def test_another_seed_of_the_recipe_is_published(tone_run, tone_data, folder, monkeypatch):
    recipe = folder.parent / "tones.yaml"
    recipe.write_text(recipe.read_text() + "seed: 5\n")
    monkeypatch.chdir(folder.parent)
    out = publish(tone_run, Path("tones"), tone_data)
    assert read_recipe(out.recipe).seed == 5
    assert "--set seed=1" in out.card.read_text()


def test_the_card_has_the_figures_of_all_seeds(tone_run, tone_data, folder, tmp_path, monkeypatch):
    run = tmp_path / "tones_seed1"
    shutil.copytree(tone_run, run)
    figures = {
        "validation_accuracy": {"values": [0.9, 0.96], "mean": 0.93, "standard_deviation": 0.0424},
        "training_minutes": {"values": [4.0, 6.0], "mean": 5.0, "standard_deviation": 1.4142},
        "macs_per_second": {"values": [1.0, 1.0], "mean": 1.0, "standard_deviation": 0.0},
    }
    file = tmp_path / "tones_seeds.json"
    write_json(file, {"recipe": "tones", "seeds": [1, 2], "runs": ["a", "b"], "figures": figures})
    monkeypatch.chdir(folder.parent)
    card = publish(run, Path("tones"), tone_data).card.read_text()
    assert "from 2 seeds, of which this file is seed 1" in card
    assert "| | seed 1 | seed 2 | mean ± deviation |\n| --- | --- | --- | --- |\n" in card
    assert "| accuracy in TFLM | 90.00% | 96.00% | 93.00 ± 4.24 % |\n" in card
    assert "| minutes of training | 4.0 | 6.0 | 5.0 ± 1.4 |\n" in card
    assert "macs" not in card
    assert "python tools/train.py tones.yaml --data DIR --seeds 2\n" in card
    assert "python tools/publish.py runs/tones_seed1 tones\n" in card
    file.write_text('{"seeds": [1]}')
    with pytest.raises(RunError, match=r"tones_seeds.json: not what --seeds wrote"):
        publish(run, Path("tones"), tone_data)


def test_refuses_runs_that_prove_nothing(tone_run, tone_data, folder, tmp_path):
    run, recipe = tmp_path / "run", folder.parent / "tones.yaml"
    shutil.copytree(tone_run, run)
    data = run / "model.tflite"
    data.write_bytes(data.read_bytes() + b"\0")
    with pytest.raises(RunError, match=r"not the file that was verified"):
        publish(run, folder, tone_data)
    (run / "metrics.json").unlink()
    assert "no verified model file yet" in refused("publish.py", run, folder)
    data.unlink()
    assert "no such model file; tools/convert.py" in refused("publish.py", run, folder)
    with pytest.raises(RunError, match=r"no recipe nowhere.yaml in it or beside it"):
        publish(tone_run, tmp_path / "nowhere", tone_data)
    recipe.write_text(recipe.read_text().replace("epochs: 16", "epochs: 17"))
    with pytest.raises(RunError, match=r"another recipe.*train.epochs was 17, is 16"):
        publish(tone_run, folder, tone_data)
    check_published(folder)  # what was there is untouched


def test_finds_what_does_not_belong_together(folder, tiny_model):
    model, card, golden = (folder / name for name in ("model.tflite", "README.md", "golden.npz"))
    text = card.read_text()
    card.write_text(text.replace("| int8 TFLM | ", "| int8 TFLM | 1"))
    with pytest.raises(ModelError, match=r"does not say '\| int8 TFLM"):
        check_published(folder)
    card.unlink()
    with pytest.raises(ModelError, match=r"README.md: cannot be read"):
        check_published(folder)
    card.write_text(text)
    kept = golden.read_bytes()
    golden.write_bytes(kept[:100])
    with pytest.raises(ModelError, match=r"golden.npz: missing or damaged"):
        check_published(folder)
    golden.write_bytes(kept)
    model.write_bytes(tiny_model.read_bytes())  # of other weights
    with pytest.raises(ModelError, match=r"TFLM answers .* to the golden clip of 'yes', expected"):
        check_published(folder)


def test_golden_clips_are_the_first_that_are_right(tiny_model):
    runner = open_model(tiny_model, "tflm")
    rng = np.random.default_rng(0)
    clips = rng.uniform(-70, 25, (40, 49, 40)).astype(np.float16).astype(np.float32)
    answers = np.array([runner.classify(clip).argmax() for clip in clips])
    common = np.bincount(answers).argmax()
    labels = np.where(np.arange(40) < 3, (answers + 1) % 4, answers)  # the first three are wrong
    golden = make_golden(tiny_model.read_bytes(), clips, labels)
    first = 3 + int(np.argmax(answers[3:] == common))
    np.testing.assert_array_equal(golden.features[golden.labels == common][0], clips[first])
    check_golden(tiny_model.read_bytes(), golden, "tiny")
    with pytest.raises(ModelError, match=r"knows none of the clips"):
        make_golden(tiny_model.read_bytes(), clips, (answers + 1) % 4)


def test_licences_are_read_from_the_data_folder(tmp_path):
    assert licence_of(tmp_path) == ""
    (tmp_path / "LICENSE").write_text("\n# Attribution 4.0 International\n\n====\n")
    assert licence_of(tmp_path) == "Attribution 4.0 International"

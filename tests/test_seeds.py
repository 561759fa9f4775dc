"""Several seeds of one recipe: each as if trained alone, their figures with mean and spread."""

import json
import shutil

import pytest
from conftest import refused, run_tool

from kws.errors import RecipeError
from kws.recipe_io import read_recipe
from kws.report.seeds_table import spread_text
from kws.run import read_json
from kws.seeds import Figure, run_figures, train_seeds

SHORT = (
    "model.cell=rnn", "model.units=[6]", "train.epochs=2", "quantize.mode=calibrate"
)  # fmt: skip


def options() -> list[str]:
    return [part for change in SHORT for part in ("--set", change)]


def test_seeds_are_trained_and_their_spread_is_told(tone_recipe, tone_data, tmp_path):
    out = tmp_path / "tones"
    command = ("train.py", tone_recipe, "--data", tone_data, "--out", out, *options())
    told = run_tool(*command, "--seeds", 2, "--tensorboard").stdout
    assert "tones: 2 seeds" in told
    found = json.loads((tmp_path / "tones_seeds.json").read_text())
    assert found["seeds"] == [1, 2]
    assert found["runs"] == [f"{out}_seed1", f"{out}_seed2"]
    for index, seed in enumerate((1, 2)):
        run = tmp_path / f"tones_seed{seed}"
        assert read_recipe(run / "recipe.yaml").seed == seed
        assert list((run / "tensorboard").iterdir())
        entry = read_json(run / "metrics.json")["verification"]["model.tflite"]
        figures = {name: figure["values"][index] for name, figure in found["figures"].items()}
        assert figures == run_figures(run)
        assert figures["file_bytes"] == (run / "model.tflite").stat().st_size
        assert figures["validation_accuracy"] == round(entry["rows"][-1]["accuracy"], 5)
        assert figures["training_minutes"] > 0
        assert "accuracy_before" not in figures  # calibrated: float Keras has the same weights
    first = (tmp_path / "tones_seed1" / "model.tflite").read_bytes()
    second = (tmp_path / "tones_seed2" / "model.tflite").read_bytes()
    assert first != second
    assert "tones_seed1: already holds something" in refused(*command, "--seeds", 2)

    # Killed in the second: the first stays, the second is made again, and is the same.
    when = (tmp_path / "tones_seed1" / "model.tflite").stat().st_mtime_ns
    shutil.rmtree(tmp_path / "tones_seed2")
    (tmp_path / "tones_seeds.json").unlink()
    run_tool(*command, "--seeds", 2, "--resume")
    assert (tmp_path / "tones_seed1" / "model.tflite").stat().st_mtime_ns == when
    assert (tmp_path / "tones_seed2" / "model.tflite").read_bytes() == second
    again = json.loads((tmp_path / "tones_seeds.json").read_text())
    del found["figures"]["training_minutes"], again["figures"]["training_minutes"]
    assert again == found


def test_spread_by_hand(tmp_path, tone_recipe, monkeypatch):
    accuracies = {1: 0.9, 2: 0.8, 3: 0.7}
    trained = []
    monkeypatch.setattr(
        "kws.seeds.run_figures",
        lambda folder: {"validation_accuracy": accuracies[int(folder.name[-1])]},
    )
    found = train_seeds(
        read_recipe(tone_recipe),
        3,
        tmp_path,
        tmp_path / "run",
        False,
        lambda recipe, _data, out, resume: trained.append((recipe.seed, out.name, resume)),
    )
    assert trained == [(1, "run_seed1", False), (2, "run_seed2", False), (3, "run_seed3", False)]
    figure = found.figures["validation_accuracy"]
    assert figure.values == (0.9, 0.8, 0.7)
    assert figure.mean == pytest.approx(0.8)
    assert figure.standard_deviation == pytest.approx(0.1)  # sqrt((0.01 + 0 + 0.01) / 2)
    assert spread_text("validation_accuracy", figure) == "80.00 ± 10.00 %"
    assert spread_text("file_bytes", Figure((1000, 3000), 2000, 1414.2)) == "2,000 ± 1,414"
    assert spread_text("training_minutes", Figure((1.0, 2.0), 1.5, 0.71)) == "1.5 ± 0.7"


def test_what_seeds_are_not_for(tone_recipe, tmp_path):
    recipe = read_recipe(tone_recipe)
    with pytest.raises(RecipeError, match=r"--seeds 1: expected at least 2"):
        train_seeds(recipe, 1, tmp_path, tmp_path / "run", False, print)
    many = read_recipe(tone_recipe, ("train.strategy=multi_worker",))
    with pytest.raises(RecipeError, match=r"workers come together once: train them one by one"):
        train_seeds(many, 2, tmp_path, tmp_path / "run", False, print)

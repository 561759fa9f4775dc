"""What the cache says it holds, and its pruning."""

import json
import os
import time

import pytest
from conftest import refused, run_tool

from kws.data.cache import load_examples
from kws.data.cache_list import list_cache, prune_cache
from kws.errors import DataError
from kws.recipe_io import read_recipe

DAY_S = 86_400


@pytest.fixture
def filled(tone_recipe, tone_data, tmp_path):
    """A cache of both splits; the validation split was last used ten days ago."""
    recipe, root = read_recipe(tone_recipe), tmp_path / "cache"
    load_examples(recipe, tone_data, "training", root)
    key = load_examples(recipe, tone_data, "validation", root).key
    past = time.time() - 10 * DAY_S
    os.utime(root / key / "info.json", (past, past))
    return root


def test_a_cache_says_what_it_holds(filled):
    training, validation = list_cache(filled)
    assert (training.recipe, training.split, training.copies) == ("tones", "training", 2)
    assert (validation.split, validation.copies, validation.state) == ("validation", 1, "complete")
    assert validation.unused_days == pytest.approx(10, abs=0.01)
    assert training.file_bytes > 2 * 2 * training.clips * 49 * 40
    info = json.loads((training.folder / "info.json").read_text())
    assert list(info["clips_by_label"]) == ["low", "high", "unknown", "silence"]
    assert sum(info["clips_by_label"].values()) == training.clips


def test_using_a_cache_keeps_it(filled, tone_recipe, tone_data):
    load_examples(read_recipe(tone_recipe), tone_data, "validation", filled)
    assert prune_cache(filled, 5) == []
    assert len(list_cache(filled)) == 2


def test_pruning_takes_the_unused_and_the_outdated(filled):
    assert [entry.split for entry in prune_cache(filled, 5)] == ["validation"]
    (left,) = list_cache(filled)
    info = left.folder / "info.json"
    info.write_text(info.read_text().replace('"version": ', '"version": 9'))
    unfinished = filled / ("0" * 24)
    unfinished.mkdir()
    assert {entry.state for entry in list_cache(filled)} == {"outdated", "unfinished"}
    assert [entry.folder for entry in prune_cache(filled, 5)] == [left.folder]
    assert [entry.folder for entry in prune_cache(filled, 0)] == [unfinished]
    assert list_cache(filled) == []


def test_what_is_no_cache_is_left_alone(tmp_path):
    with pytest.raises(DataError, match="no such cache folder"):
        list_cache(tmp_path / "nowhere")
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match="no cache of features, it holds photos"):
        prune_cache(tmp_path, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_the_program_lists_prunes_and_refuses(filled):
    listed = run_tool("prepare_data.py", "cache", "--dir", filled).stdout
    assert "validation" in listed
    assert "2 entries" in listed
    pruned = run_tool("prepare_data.py", "cache", "--dir", filled, "--prune", 5).stdout
    assert "1 entries" in pruned
    assert "freed" in pruned
    assert "--prune -1.0" in refused("prepare_data.py", "cache", "--dir", filled, "--prune", "-1")


def test_training_takes_the_features_that_were_made_ahead(tone_recipe, tone_data, tmp_path):
    cache = tmp_path / "cache"
    result = run_tool(
        "prepare_data.py", "features", tone_recipe, "--data", tone_data, "--dir", cache
    )
    assert "training: " in result.stdout
    few = ("--set", "train.epochs=1", "--set", "quantize.mode=none")
    out = tmp_path / "run"
    trained = run_tool("train.py", tone_recipe, "--data", tone_data, "--out", out, *few)
    assert "extracting" not in trained.stderr
    assert len(list_cache(cache)) == 2

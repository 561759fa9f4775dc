"""Clips that a recipe orders of espeak-ng, beside recordings."""

import json

import numpy as np
import pytest

from kws.audio import io
from kws.data.cache import load_examples
from kws.data.manifest_file import NAME, read_manifest
from kws.data.saying_order import Order
from kws.data.spoken import SPOKEN, Spoken, _facts, speak
from kws.errors import DataError, RecipeError
from kws.recipe_io import parse_recipe

RATE = 16000


def recipe(spoken, **data):
    values = {
        "name": "spoken",
        "data": {"keywords": ["yes", "down"], "silence_share": 0.0, "spoken": spoken, **data},
        "augment": {"copies": 2},
        "model": {"units": [4]},
    }
    return parse_recipe(values, "test")


FEW = {"takes_per_keyword": 5, "near_misses": 12, "takes_per_near_miss": 2}


@pytest.fixture
def root(tmp_path):
    """Three training clips and a validation clip of two keywords and another word."""
    for word in ("yes", "down", "tree"):
        for name in (
            "0132a06d_nohash_0",
            "0132a06d_nohash_1",
            "0132a06d_nohash_2",
            "026290a7_nohash_0",
        ):
            noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
            io.write(tmp_path / "data" / word / f"{name}.wav", noise, RATE)
    return tmp_path / "data"


def test_keywords_and_what_sounds_like_them_are_trained_on(root, tmp_path):
    cache = tmp_path / "runs" / "cache"
    plain = load_examples(recipe(None), root, "training", cache)
    assert not (tmp_path / "runs" / SPOKEN).exists()
    found = load_examples(recipe(FEW), root, "training", cache)
    corpora = sorted((tmp_path / "runs" / SPOKEN).iterdir())
    clips = [clip for corpus in corpora for clip in read_manifest(corpus / NAME)]
    assert {clip.split for clip in clips} == {"training", "validation"}  # tests have their own
    keywords = [clip for clip in clips if clip.label in ("yes", "down")]
    assert len(keywords) == 2 * 5 + 2 * 2  # the near misses' corpus has takes of them too
    assert len({clip.path.read_bytes() for clip in clips}) == len(clips)  # none is said twice
    assert len(clips) - len(keywords) == 2 * 12 * 2
    unseen = [clip for clip in clips if clip.label in ("dog", "nine")]
    assert unseen  # both are near "down", and must not be heard
    added = len(found.labels) // 2 - len(plain.labels) // 2
    assert added == len(clips) - len(unseen)
    labels = found.labels[: len(found.labels) // 2][len(plain.labels) // 2 :]
    assert np.bincount(labels).tolist() == [7, 7, added - 14]
    assert np.array_equal(
        found.features[: len(plain.labels) // 2], plain.features[: len(plain.labels) // 2]
    )
    validation = [
        load_examples(one, root, "validation", cache).key for one in (recipe(None), recipe(FEW))
    ]
    assert validation[0] == validation[1]


def test_what_is_spoken_is_kept_and_finished(tmp_path):
    corpora = speak(recipe(FEW), tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}
    lost = max(times)
    sound = lost.read_bytes()
    lost.unlink()
    assert speak(recipe(FEW), tmp_path) == corpora
    again = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}
    assert again.keys() == times.keys()
    assert [path for path in times if again[path] != times[path]] == [lost]
    assert lost.read_bytes() == sound
    more = speak(recipe({**FEW, "takes_per_keyword": 6}), tmp_path)
    assert more.corpora[0] != corpora.corpora[0]
    assert more.corpora[1] == corpora.corpora[1]


def test_corpora_keep_their_names():
    order = Order(("yes", "down"), takes=5, seed=1)
    facts = {"keywords": ["yes", "down"], "texts": [], "takes": 5, "near_misses": 0}
    assert json.loads(json.dumps(_facts(order))) == {**facts, "sentences": False, "seed": 1}
    assert list(_facts(order)) == [*facts, "sentences", "seed"]


def test_without_unknown_or_near_misses_keywords_alone_are_spoken(tmp_path):
    for one in (recipe({**FEW, "near_misses": 0}), recipe(FEW, unknown=False)):
        (corpus,) = speak(one, tmp_path).corpora
        assert {clip.label for clip in read_manifest(corpus / NAME)} == {"yes", "down"}
    assert speak(recipe(None), tmp_path / "none") == Spoken()


def test_orders_that_cannot_be(tmp_path):
    with pytest.raises(RecipeError, match=r"data.spoken.takes_per_near_miss: found 0"):
        recipe({"takes_per_near_miss": 0})
    with pytest.raises(RecipeError, match=r"no key 'data.spoken.takes_per_word'"):
        recipe({"takes_per_word": 3})
    with pytest.raises(DataError, match=r"keyword '!!': expected a word or a few"):
        speak(recipe(FEW, keywords=["!!"]), tmp_path)

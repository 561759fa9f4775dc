"""Recordings without keywords become clips of unknown."""

import numpy as np
import pytest

from kws.audio.io import read, write
from kws.data.examples import list_sources, more_sources
from kws.data.negatives import cut_negatives
from kws.errors import DataError, RecipeError
from kws.recipe_io import parse_recipe, with_negatives

RATE = 16000
VALUES = {
    "name": "small",
    "data": {"keywords": ["yes", "no"]},
    "model": {"units": [8]},
}


def ramp(seconds: float) -> np.ndarray:
    return np.linspace(-0.5, 0.5, round(seconds * RATE)).astype(np.float32)


@pytest.fixture
def talk(tmp_path):
    folder = tmp_path / "talk"
    write(folder / "long.wav", ramp(2.6), RATE)
    write(folder / "yes" / "deep" / "short.flac", ramp(0.4), RATE)
    write(folder / "yes" / "exact.wav", ramp(1.0), RATE)
    (folder / "notes.txt").write_text("x")
    return folder


def test_clips_overlap_by_half_and_the_rest_is_left_out(talk):
    clips = cut_negatives(talk, 1.0)
    found = [(clip.path.name, clip.start_s, clip.duration_s) for clip in clips]
    assert found == [
        ("long.wav", 0.0, 1.0),
        ("long.wav", 0.5, 1.0),
        ("long.wav", 1.0, 1.0),
        ("long.wav", 1.5, 1.0),
        ("short.flac", 0.0, None),
        ("exact.wav", 0.0, 1.0),
    ]
    assert {clip.label for clip in clips} == {"unknown"}
    for clip in clips:
        audio = read(clip.path, RATE, start_s=clip.start_s, duration_s=clip.duration_s)
        assert len(audio) == (RATE if clip.duration_s else round(0.4 * RATE))
    assert len(cut_negatives(talk / "long.wav", 2.0)) == 1
    assert len(cut_negatives(talk / "long.wav", 0.5)) == 9


def test_a_folder_without_sounds_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"data.negatives: .*no sound files"):
        cut_negatives(tmp_path, 1.0)


def test_training_hears_them_as_unknown_and_the_rest_stays(talk, tmp_path):
    for word in ("yes", "no", "tree"):
        for i in range(3):
            write(tmp_path / "data" / word / f"0132a06d_nohash_{i}.wav", ramp(1.0), RATE)
    plain = parse_recipe(VALUES, "x")
    recipe = with_negatives(plain, [talk])
    assert recipe.data.negatives == [str(talk)]
    labels = recipe.data.labels
    sources = list_sources(tmp_path / "data", labels, "training", 0.1)
    assert more_sources(plain, sources) == []
    more = more_sources(recipe, sources)
    assert [source.label for source in more] == [labels.index("unknown")] * 6
    numbers = [source.number for source in sources if source.path] + [one.number for one in more]
    assert len(set(numbers)) == 9 + 6


def test_without_the_class_unknown_there_can_be_none(tmp_path):
    values = VALUES | {"data": {"keywords": ["yes", "no"], "unknown": False}}
    with pytest.raises(RecipeError, match="negatives are for the class unknown"):
        with_negatives(parse_recipe(values, "x"), [tmp_path])

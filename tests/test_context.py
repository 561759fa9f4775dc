"""Words beside a word: where they are, how loud, and that they come from other training words."""

import numpy as np
import pytest

from kws.audio import io
from kws.audio.augment import augment_clip
from kws.audio.context import GAP_MS, RATIO_DB, cut_out, lay_beside
from kws.audio.noise import loud_power
from kws.audio.splice import FADE_MS, word_span
from kws.audio.steps import Material
from kws.data import material
from kws.data.cache import load_examples
from kws.data.examples import list_sources
from kws.data.material import gather_material, pick_words
from kws.data.variants import training_making, variants
from kws.errors import DataError, RecipeError
from kws.recipe import AugmentConfig
from kws.recipe_io import parse_recipe

RATE = 16000
STILL = {
    "shift_probability": 0, "speed_probability": 0, "gain_probability": 0, "noise_probability": 0,
}  # fmt: skip


def buzz(hertz: float, start_s: float, seconds: float, level: float = 0.1) -> np.ndarray:
    """A second with a tone in it, and next to nothing around it."""
    audio = np.random.default_rng(0).normal(0, 1e-5, RATE).astype(np.float32)
    time_s = np.arange(round(seconds * RATE)) / RATE
    start = round(start_s * RATE)
    audio[start : start + len(time_s)] += (level * np.sin(2 * np.pi * hertz * time_s)).astype("f4")
    return audio


def power_of(audio: np.ndarray, hertz: float) -> np.ndarray:
    """Power near a frequency in frames of 10 ms."""
    frames = audio.reshape(-1, RATE // 100)
    wave = np.exp(-2j * np.pi * hertz * np.arange(RATE // 100) / RATE)
    return np.abs(frames @ wave) ** 2


def heard(audio: np.ndarray, hertz: float) -> np.ndarray:
    """Times in seconds at which a tone is heard."""
    power = power_of(audio, hertz)
    return np.flatnonzero(power > 0.05 * power.max()) / 100 if power.max() > 1e-2 else np.array([])


def test_a_word_is_cut_out_and_fades():
    word = cut_out(buzz(1000, 0.3, 0.4), RATE)
    assert len(word) == pytest.approx(0.4 * RATE, abs=0.04 * RATE)
    fade = round(FADE_MS * RATE / 1000)
    assert abs(word[0]) < 0.01 * np.abs(word).max()
    assert np.abs(word[fade : 3 * fade]).max() > 0.08
    assert len(cut_out(np.zeros(RATE, np.float32), RATE)) == 0


def test_neighbours_keep_off_the_word_and_are_as_loud_as_they_may_be():
    clip, other = buzz(1000, 0.4, 0.2), cut_out(buzz(3000, 0.2, 0.5, level=0.02), RATE)
    start, end = word_span(clip, RATE)
    rng, sides = np.random.default_rng(1), []
    for _ in range(60):
        made = lay_beside(clip, [other], rng, RATE)
        assert made.shape == clip.shape
        np.testing.assert_array_equal(made[start:end], clip[start:end])
        np.testing.assert_allclose(power_of(made, 1000)[42:58], power_of(clip, 1000)[42:58])
        times = heard(made, 3000)
        before, after = times[times < 0.5], times[times > 0.5]
        sides.append((len(before) > 0, len(after) > 0))
        for found, gap in ((before, start / RATE - before), (after, after - end / RATE)):
            if len(found):
                assert GAP_MS[0] / 1000 - 0.01 <= gap.min() <= GAP_MS[1] / 1000 + 0.03
        if len(after):
            louder = loud_power(made[end:], RATE) / loud_power(clip[start:end], RATE)
            assert RATIO_DB[0] - 0.5 < 10 * np.log10(louder) < RATIO_DB[1] + 0.5
    assert {(True, True), (True, False), (False, True)} == set(sides)


def test_a_neighbour_before_ends_whole_and_one_after_begins_whole():
    """What has no room is its beginning, and its end."""
    rising = np.linspace(0.1, 1.0, RATE, dtype=np.float32)
    clip = buzz(1000, 0.4, 0.2)
    for seed in range(20):
        made = lay_beside(clip, [rising], np.random.default_rng(seed), RATE) - clip
        left, right = made[: RATE // 2], made[RATE // 2 :]
        for side, edge in ((left, -1), (right, 0)):
            inside = side[side != 0]
            if len(inside):
                scale = inside[-1] / rising[len(inside) - 1] if edge == 0 else inside[-1]
                whole = rising[: len(inside)] if edge == 0 else rising[-len(inside) :]
                np.testing.assert_allclose(inside, whole * scale, rtol=1e-3)


def test_words_are_laid_beside_before_speed_and_shift_and_leave_other_kinds_alone():
    clip, other = buzz(1000, 0.4, 0.2), cut_out(buzz(3000, 0.2, 0.5), RATE)
    config = AugmentConfig(context_probability=1, **STILL)
    only, log = Material(words=[other]), []
    made = augment_clip(clip, RATE, config, only, np.random.default_rng(3), RATE, log)
    assert next(name for name, _ in log) == "context"
    assert len(heard(made, 3000))
    plain = AugmentConfig(context_probability=0)
    moved = AugmentConfig(context_probability=1)
    logs: list[list] = [[], []]
    for one, kept in zip((plain, moved), logs, strict=True):
        augment_clip(clip, RATE, one, only, np.random.default_rng(4), RATE, kept)
    assert logs[1][1:] == logs[0]


def recipe(unknown=True, **augment):
    values = {"copies": 2, "context_probability": 1, **augment}
    return parse_recipe(
        {
            "name": "beside",
            "data": {"keywords": ["low", "high"], "unknown": unknown},
            "augment": values,
            "model": {"units": [4]},
        },
        "test",
    )


def test_only_unknown_words_are_said_beside(tone_data):
    beside = recipe()
    sources = list_sources(tone_data, beside.data.labels, "training", 0.1)
    making = training_making(beside, tone_data, sources)
    assert {path.parent.name for path, _, _ in making.words} == {"middle"}
    assert training_making(recipe(context_probability=0), tone_data, sources).words == ()
    logs: list = []
    first = variants(sources[0], making, logs)
    assert [log[0][0] for log in logs] == ["context", "context"]
    again = variants(sources[0], making)
    np.testing.assert_array_equal(first, again)
    without = variants(
        sources[0], training_making(recipe(context_probability=0), tone_data, sources)
    )
    assert not np.array_equal(first[0], without[0])


def test_babble_is_of_words_that_are_no_keywords_where_there_are_some(tone_data):
    """A keyword amid babble would be one that a clip of another word must not be heard as."""

    def voices(**values):
        wanted = recipe(babble_probability=0.5, **values)
        sources = list_sources(tone_data, wanted.data.labels, "training", 0.1)
        return {
            path.parent.name for path, _, _ in training_making(wanted, tone_data, sources).voices
        }

    assert voices() == {"middle"}
    assert voices(unknown=False, context_probability=0) == {"low", "high"}


def test_features_are_made_anew_where_babble_is_of_other_voices(tone_data, tmp_path):
    def key(voices, **augment):
        wanted = recipe(context_probability=0, **augment)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(material, "VOICES", voices)
            return load_examples(wanted, tone_data, "training", tmp_path / "cache").key

    assert key(10, babble_probability=0.5) != key(20, babble_probability=0.5)
    assert key(10) == key(20)


def test_words_are_chosen_by_the_seed():
    pieces = [(f"{index}.wav", 0.0, None) for index in range(1000)]
    config = AugmentConfig(context_probability=0.5)
    chosen = pick_words(pieces, config, 1)
    assert len(set(chosen)) == 400
    assert chosen == pick_words(pieces, config, 1)
    assert chosen != pick_words(pieces, config, 2)


def test_refused_without_words_to_lay_beside(tmp_path):
    config = AugmentConfig(context_probability=0.5)
    io.write(tmp_path / "still.wav", np.zeros(RATE), RATE)
    for words in ((), [(tmp_path / "still.wav", 0.0, None)]):
        with pytest.raises(DataError, match=r"context_probability: no clip of unknown words"):
            gather_material(config, [], (), words, 1, RATE)
    with pytest.raises(RecipeError, match=r"lays words of the class unknown beside others"):
        parse_recipe(
            {
                "name": "none",
                "data": {"keywords": ["yes"], "unknown": False, "unseen_words": []},
                "augment": {"context_probability": 0.5},
                "model": {"units": [4]},
            },
            "test",
        )

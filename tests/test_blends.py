"""Words with the consonants of others: where vowels are, how takes are joined, and which words."""

import numpy as np
import pytest

from kws.audio.splice import blend_words
from kws.audio.vowels import vowel_span
from kws.data.blends import FARTHEST, NEAREST, find_blends
from kws.data.phoneme_distance import apart, is_fricative, is_glide
from kws.errors import DataError

RATE = 16000
HISS, HUM, VOWEL, OTHER = "hiss", 120, 700, 1700
"""Sounds: an ``s``, an ``n`` (nothing above 300 Hz), and two vowels"""
KEYWORDS = ["yes", "no", "up", "down", "left", "right", "stop", "go"]
WORDS = [*KEYWORDS, "bed", "cat", "eight", "five", "four", "house", "seven", "three"]


def clip(*sounds, start=4000, level=0.2, seed=0):
    """A second of faint noise with sounds of 100 ms one after the other."""
    rng = np.random.default_rng(seed)
    audio = rng.normal(0, 1e-4, RATE)
    time = np.arange(1600) / RATE
    for place, sound in zip(range(start, RATE, 1600), sounds, strict=False):
        if sound == HISS:
            wave = rng.normal(0, 0.5, 1600)
            wave = np.diff(wave, 4, prepend=np.zeros(4)) / 4  # little below 4 kHz
        else:
            wave = np.sin(2 * np.pi * sound * time) if sound else np.zeros(1600)
        audio[place : place + 1600] += level * wave
    return audio.astype(np.float32)


def heard(audio, hz, start, end):
    """Amplitude of a tone in a stretch of sound."""
    part = audio[start:end]
    return 2 * abs(np.mean(part * np.exp(-2j * np.pi * hz * np.arange(len(part)) / RATE)))


@pytest.mark.parametrize(
    ("sounds", "span"),
    [
        ((HISS, VOWEL, VOWEL, HUM), (5600, 8800)),
        ((VOWEL, HISS), (4000, 5600)),
        ((HUM, OTHER), (5600, 7200)),
        ((VOWEL, 0, VOWEL), (4000, 8800)),  # two syllables
        ((VOWEL, 0, 0, 0, VOWEL, VOWEL), (10400, 13600)),  # another word, or a knock, before
    ],
)
def test_vowels_are_found_between_consonants(sounds, span):
    assert vowel_span(clip(*sounds), RATE) == pytest.approx(span, abs=240)


def test_vowels_of_digital_silence_are_all_of_it():
    assert vowel_span(np.zeros(RATE, np.float32), RATE) == (0, RATE)


def test_onset_of_one_word_with_the_rest_of_another():
    first, second = clip(HISS, VOWEL, HUM), clip(HUM, OTHER, HISS, start=7000, level=0.05, seed=1)
    made = blend_words(first, second, None, RATE)
    assert (made.shape, made.dtype) == ((RATE,), np.float32)
    joint = int(np.flatnonzero(made != first)[0])
    assert joint == pytest.approx(5600, abs=400)
    assert np.array_equal(made[4000 : joint - 1], first[4000 : joint - 1])  # the hiss, in its place
    assert heard(made, OTHER, joint + 200, joint + 1600) == pytest.approx(0.2, rel=0.3)
    assert heard(made, VOWEL, joint + 200, RATE) < 0.01
    assert heard(made, HUM, 4000, RATE) < 0.01
    after = made[joint + 1900 : joint + 3000]  # the second word's hiss, at the first one's level
    assert np.sqrt(np.mean(after**2)) > 0.05


def test_coda_of_another_word():
    first, second = clip(HUM, VOWEL, HISS), clip(HISS, OTHER, HUM, start=6000, seed=1)
    made = blend_words(None, first, second, RATE)
    joint = int(np.flatnonzero(made != first)[0])
    assert joint == pytest.approx(7200, abs=400)
    assert heard(made, VOWEL, 5700, 7100) == pytest.approx(0.2, rel=0.2)
    assert heard(made, HUM, joint + 300, joint + 1500) == pytest.approx(0.2, rel=0.3)
    assert heard(made, OTHER, 0, RATE) < 0.01


def test_coda_that_another_word_begins_with():
    """Without turning it, what comes after the vowel is the hum that the word ends with."""
    word, other = clip(HUM, VOWEL, HUM), clip(HISS, OTHER, HUM, seed=1)
    for turned, hum in ((True, 0.0), (False, 0.2)):
        made = blend_words(None, word, other, RATE, turned=turned)
        end = vowel_span(made, RATE)[1]
        assert end == pytest.approx(7200, abs=400)
        assert heard(made, HUM, end + 300, end + 1400) == pytest.approx(hum, abs=0.06)
        rms = np.sqrt(np.mean(np.diff(made[end + 300 : end + 1400]) ** 2))
        assert (rms > 0.03) == turned


def test_consonants_of_two_words_around_the_vowel_of_a_third():
    made = blend_words(
        clip(HISS, OTHER), clip(HUM, VOWEL, HISS, start=6000), clip(OTHER, HUM, start=2000), RATE
    )
    begin, end = vowel_span(made, RATE)
    assert end - begin == pytest.approx(1600, abs=400)
    hiss = made[begin - 1400 : begin - 300]
    assert np.sqrt(np.mean(np.diff(hiss) ** 2)) > 0.03
    assert heard(made, VOWEL, begin + 200, end - 200) == pytest.approx(0.2, rel=0.2)
    assert heard(made, HUM, end + 300, end + 1400) == pytest.approx(0.2, rel=0.3)
    assert heard(made, OTHER, 0, RATE) < 0.01
    assert heard(made, HUM, 0, begin) < 0.02


@pytest.mark.parametrize("parts", [(0, 1, None), (None, 0, 1), (0, 1, 2)])
def test_takes_of_a_word_give_that_word(parts):
    takes = [clip(HISS, VOWEL, HUM, start=start, seed=start) for start in (3000, 6000, 8000)]
    onset, vowels, coda = (None if part is None else takes[part] for part in parts)
    made = blend_words(onset, vowels, coda, RATE)
    begin, end = vowel_span(made, RATE)
    assert end - begin == pytest.approx(1600, abs=400)
    assert heard(made, VOWEL, begin + 200, end - 200) == pytest.approx(0.2, rel=0.2)
    assert heard(made, HUM, end + 200, end + 1400) == pytest.approx(0.2, rel=0.3)


@pytest.fixture(scope="module")
def blends():
    pytest.importorskip("espeakng_loader", reason="espeak-ng tells how words sound")
    return find_blends(WORDS, KEYWORDS, "en-us")


def test_near_misses_of_all_keywords_are_found(blends):
    found = {(blend.vowels, blend.sounds): blend for blend in blends if not blend.turned}
    dough = found["go", "doʊ"]
    assert (dough.onsets, dough.codas, dough.joints) == (("down",), (), 1)
    assert dough.keyword in ("no", "go")  # the d is a consonant's place away from either
    assert found["up", "ʌs"].codas == ("yes", "house")
    assert found["go", "oʊ"].onsets == ("up", "eight")
    (off,) = (blend for blend in blends if (blend.vowels, blend.sounds) == ("stop", "ɑːf"))
    assert (off.onsets, off.codas, off.turned, off.joints) == (
        ("up", "eight"),
        ("five", "four"),
        True,
        2,
    )
    assert {blend.keyword for blend in blends} == set(KEYWORDS)
    assert {blend.joints for blend in blends if blend.keyword == "up"} == {1, 2}


def test_no_blend_is_a_keyword_or_sounds_like_one(blends):
    assert all(NEAREST <= blend.distance <= FARTHEST for blend in blends)
    sounds = {(blend.vowels, blend.sounds) for blend in blends}
    assert ("go", "noʊ") not in sounds
    assert ("up", "ʌ") not in sounds  # few people say the p aloud
    assert ("up", "ɹʌp") not in sounds  # energy cannot cut an r from a vowel: "up" would be left
    assert ("go", "ɡoʊɹ") not in sounds
    assert ("go", "ɡoʊh") not in sounds  # a breath, in "house" too


def test_words_are_read_by_their_language():
    pytest.importorskip("espeakng_loader", reason="espeak-ng tells how words sound")
    found = {blend.sounds for blend in find_blends(["tag", "nacht", "bett"], ["tag"], "de")}
    assert "nɑːk" in found
    with pytest.raises(DataError, match="nowhere"):
        find_blends(["tag", "nacht"], ["tag"], "nowhere")


def test_sounds_as_loud_as_vowels_are_known():
    assert all(map(is_glide, ["j", "w", "ɹ", "l", "ɫ"]))
    assert not any(map(is_glide, ["n", "m", "ŋ", "s", "t", "dʒ", "oʊ", "ɚ"]))


def test_fricatives_are_known():
    assert all(map(is_fricative, ["f", "s", "ʃ", "v", "θ"]))
    assert not any(map(is_fricative, ["h", "t", "dʒ", "n", "l", "oʊ"]))


def test_distance_of_sounds_is_that_of_their_words():
    assert apart(["n", "oʊ"], ["n", "oʊ"]) == 0
    assert apart(["oʊ"], ["n", "oʊ"]) == pytest.approx(1.0)
    assert apart([], ["n", "s"]) == pytest.approx(2.0)

"""Phonemes, how far apart they are, and words that resemble a keyword."""

import pytest

from kws.data.espeak import Espeak
from kws.data.near_misses import NEAREST, Neighbourhood
from kws.data.phoneme_changes import Phonotactics, changes
from kws.data.phoneme_distance import UNIT, difference, distance, split_sound
from kws.data.phonemes import Phoneme, Pronunciation, pronounce
from kws.errors import DataError

pytest.importorskip("espeakng_loader", reason="espeak-ng tells the phonemes")


@pytest.fixture(scope="module")
def engine():
    with Espeak() as engine:
        yield engine


def said(*sounds: str) -> Pronunciation:
    """One word of these IPA sounds."""
    return Pronunciation((tuple(Phoneme(sound, sound) for sound in sounds),), "en-us")


# Phonemes


def test_a_word_has_its_phonemes_in_two_spellings(engine):
    lights = pronounce(engine, "lights", "en-us")
    assert [phoneme.sound for word in lights.words for phoneme in word] == ["l", "aɪ", "t", "s"]
    assert [phoneme.stressed for phoneme in lights.words[0]] == [False, True, False, False]
    assert (lights.ipa, lights.espeak_text) == ("lˈaɪts", "[[l'aIts]]")
    assert lights.piper_text == "[[lˈaɪts]]"
    assert not lights.foreign


def test_words_clauses_and_punctuation_are_told_apart(engine):
    spoken = pronounce(engine, "Hey, Marvin! Stop.", "en-us")
    assert [len(word) for word in spoken.words] == [2, 5, 4]


def test_each_language_pronounces_by_its_own_rules(engine):
    assert pronounce(engine, "computer", "en-us").ipa == "kəmpjˈuːɾɚ"
    assert pronounce(engine, "computer", "en-gb-x-rp").ipa == "kəmpjˈuːtɐ"
    assert pronounce(engine, "Rechner", "de").ipa == "rˈɛçnɜ"
    assert pronounce(engine, "pięć", "pl").words[0][0].sound == "pʲ", "two phonemes, one sound"
    assert pronounce(engine, "lights", "de").foreign, "German text with an English word in it"


@pytest.mark.parametrize("text", ["...", "", " "])
def test_a_text_without_words_has_no_phonemes(engine, text):
    with pytest.raises(DataError, match="holds nothing that can be said in 'en-us'"):
        pronounce(engine, text, "en-us")


def test_an_unknown_language_is_refused_with_the_nearest_one(engine):
    with pytest.raises(DataError, match="no voice 'en-uss', did you mean 'en-us'"):
        pronounce(engine, "yes", "en-uss")


# Distance: Kondrak's weights, worked by hand; 27.5 for a consonant that is left out


def test_the_distance_of_cat_and_bad():
    # k and b: place 40 * (1.0 - 0.6) = 16, voice 10; æ as it is; t and d: voice 10.
    assert distance(said("k", "æ", "t"), said("b", "æ", "d")) == pytest.approx(36 / 27.5)


def test_the_distance_of_cat_and_scat_and_at():
    cat = said("k", "æ", "t")
    assert distance(cat, said("s", "k", "æ", "t")) == pytest.approx(1.0)
    assert distance(cat, said("æ", "t")) == pytest.approx(1.0)
    assert distance(cat, said("k", "æ", "t", "i")) == pytest.approx(17.5 / 27.5), "a vowel more"
    assert distance(cat, cat) == 0.0


@pytest.mark.parametrize(
    ("pair", "units"),
    [
        (("p", "b"), 10),  # voice
        (("m", "n"), 6),  # place: 40 * (1.0 - 0.85)
        (("s", "ʃ"), 4),  # place: 40 * (0.85 - 0.75)
        (("t", "s"), 10),  # manner: 50 * (1.0 - 0.8)
        (("tʃ", "ʃ"), 5),  # manner: 50 * (0.9 - 0.8)
        (("b", "m"), 10),  # nasal
        (("l", "ɹ"), 10),  # lateral
        (("i", "iː"), 1),  # length
        (("i", "u"), 10),  # back 5, round 5
        (("i", "æ"), 4.25),  # height: 5 * (1.0 - 0.15)
        (("aɪ", "ɪ"), 2),  # half of a and ɪ: height 5 * 0.8
        (("ɾ", "t"), 0),  # one phoneme of American English
        (("ɾ", "d"), 0),
    ],
)
def test_the_distance_of_two_sounds(pair, units):
    assert difference(*pair) == pytest.approx(units)
    assert difference(*reversed(pair)) == pytest.approx(units)


def test_a_vowel_is_dearer_for_a_consonant_than_for_a_vowel():
    assert difference("æ", "t") > UNIT > difference("æ", "u")


def test_phonemes_are_split_into_sounds():
    assert split_sound("dʒ") == ("dʒ",)
    assert split_sound("ɑːɹ") == ("ɑː", "ɹ")
    assert split_sound("aɪ") == ("aɪ",)
    assert split_sound("ç") == ("ç",)
    assert split_sound("\u00f5") == ("o\u0303",), "a letter with its tilde"


# Changes


WORDS = [said(*word).words[0] for word in (("s", "t", "ˈɪ", "l"), ("l", "ˈæ", "m", "p"))]


def test_sounds_may_stand_as_they_do_in_the_words():
    language = Phonotactics(WORDS)
    allowed = ["stæmp", "læl", "stælæmp", "læmpstɪl", "læmpɪl"]
    for word in allowed:
        assert language.allow(said(*word).words[0]), word
    for word in ("mpæl", "læst", "lɪ", "æl", "st", "læɪl", "lætmɪl"):
        assert not language.allow(said(*word).words[0]), word


def test_all_changes_of_a_word():
    found = {change.text: change for change in changes(said("l", "ˈɪ", "l"), Phonotactics(WORDS))}
    assert {text: change.result.ipa for text, change in found.items()} == {"2: ɪ → æ": "lˈæl"}
    # ɪ and æ: height 5 * (0.8 - 0.15)
    assert found["2: ɪ → æ"].distance == pytest.approx(3.25 / 27.5)


def test_changes_replace_leave_out_and_put_in(engine):
    words = ["stop", "top", "spot", "pot", "lot", "slot", "plot", "dot", "shot"]
    material = [pronounce(engine, word, "en-us").words[0] for word in words]
    found = {
        c.text: c.result.ipa
        for c in changes(pronounce(engine, "pot", "en-us"), Phonotactics(material))
    }
    assert found["1: p → t"] == "tˈɑːt"
    assert found["1: + s"] == "spˈɑːt"
    assert found["2: + l"] == "plˈɑːt"
    assert not [text for text in found if "- " in text], "no word begins or ends with a vowel"


# Near misses


@pytest.fixture(scope="module")
def around(engine) -> Neighbourhood:
    words = ["writes", "rights", "light", "lights", "lites", "commuter", "banana", "kitchen"]
    return Neighbourhood(engine, ["lights", "computer", "rights"], ["en-us", "en-gb-x-rp"], words)


def test_near_words_are_the_nearest_of_the_list_and_no_homophones(around):
    found = [miss.text for miss in around.near_misses("lights", 8) if miss.text]
    assert found == ["light"], "writes sounds like a keyword, lites like another"
    commuter = around.near_misses("computer", 2)[0]
    assert (commuter.text, commuter.distance) == ("commuter", pytest.approx(1.0)), "no p"


def test_non_words_are_made_in_each_language_and_are_all_different(around):
    found = around.near_misses("computer", 12)
    made = [miss for miss in found if not miss.text]
    assert len(found) == 12
    assert {miss.pronunciation.language for miss in made} == {"en-us", "en-gb-x-rp"}
    assert len({miss.change for miss in made}) == len(made)


def test_no_near_miss_sounds_like_any_keyword_in_any_language(around, engine):
    keywords = [
        pronounce(engine, keyword, language)
        for keyword in around.keywords
        for language in around.languages
    ]
    for keyword in around.keywords:
        misses = around.near_misses(keyword, 20)
        assert len(misses) == 20
        for miss in misses:
            assert min(distance(miss.pronunciation, one) for one in keywords) >= NEAREST
            assert "ɾ" not in miss.change or "→ d" not in miss.change


def test_near_misses_are_nearer_than_another_word(around, engine):
    lights = pronounce(engine, "lights", "en-us")
    other = distance(lights, pronounce(engine, "banana", "en-us"))
    assert all(miss.distance < other for miss in around.near_misses("lights", 30))


def test_the_same_near_misses_come_each_time(around):
    assert around.near_misses("lights", 10) == around.near_misses("lights", 10)


def test_keywords_of_several_words_change_in_one_place(engine):
    around = Neighbourhood(engine, ["hey marvin"], ["en-us"], ["hem", "bay", "mark", "even"])
    for miss in around.near_misses("hey marvin", 5):
        assert len(miss.pronunciation.words) == 2, miss


def test_other_languages_give_non_words_and_foreign_words_none(engine):
    around = Neighbourhood(engine, ["licht", "lights"], ["de"], [])
    assert len(around.near_misses("licht", 6)) == 6
    assert around.near_misses("lights", 6) == [], "English to a German voice"

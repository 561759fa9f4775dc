"""Sentences that espeak-ng speaks, without keywords, as clips of unknown."""

import numpy as np
import pytest
from conftest import refused, run_tool

import kws.data.streams
from kws.audio.io import length_s, read
from kws.data.examples import list_sources, more_sources
from kws.data.recordings import read_recordings
from kws.data.spoken import speak
from kws.data.streams import holds
from kws.data.talk import LONGEST, say_talk, talk_texts, with_homophones, write_talk
from kws.data.vocabulary import WORDS
from kws.data.voices import RATE_HZ, espeak_voices
from kws.errors import DataError, RecipeError
from kws.recipe_io import parse_recipe

TABOO = ("left", "go", "down", "on")


def recipe(spoken, **data):
    values = {
        "name": "talk",
        "data": {"keywords": ["yes", "down"], "silence_share": 0.0, "spoken": spoken, **data},
        "model": {"units": [4]},
    }
    return parse_recipe(values, "test")


def test_words_are_words_and_stand_once():
    assert len(set(WORDS)) == len(WORDS) > 600
    assert all(word.isalpha() and word == word.lower() for word in WORDS)


def test_texts_have_none_of_the_words_that_must_not_be_heard():
    texts = talk_texts(300, TABOO, np.random.default_rng(1))
    assert not [text for text in texts for word in TABOO if holds(text, word)]
    assert any(holds(text, "never") for text in texts)
    assert all(len(text.split()) <= LONGEST + 5 for text in texts)
    assert len(set(texts)) > 250
    assert talk_texts(10, TABOO, np.random.default_rng(1)) == texts[:10]
    assert talk_texts(10, TABOO, np.random.default_rng(2)) != texts[:10]


def test_talk_has_no_word_that_sounds_as_one_that_must_not_be_heard(tmp_path):
    assert with_homophones(["no", "right", "alexa"]) == ["no", "right", "alexa", "know", "write"]
    assert with_homophones(["sun", "two"])[2:] == ["son", "to", "too"]
    assert with_homophones(["know", "one moment"]) == ["know", "one moment"]
    cast = espeak_voices([], 1)
    write_talk(tmp_path / "talk", 200, ["no", "right"], cast[:1], 1)
    said = {word.word for one in read_recordings(tmp_path / "talk") for word in one.words}
    words = {word for text in said for word in text.split()}
    assert len(words) > 500
    assert not words & {"know", "write"}
    assert {"knee", "new", "wrong"} <= words


def test_sentences_are_spoken_by_many_and_finished_where_cut_short(tmp_path):
    voices = espeak_voices([], 1)
    say_talk(tmp_path / "a", 6, TABOO, voices, 1)
    paths = sorted((tmp_path / "a").iterdir())
    assert [path.name for path in paths] == [f"{i:06d}.wav" for i in range(6)]
    sounds = [path.read_bytes() for path in paths]
    assert len(set(sounds)) == 6
    assert all(1.0 < length_s(path) < 15 for path in paths)
    assert all(np.abs(read(path, RATE_HZ)).max() > 0.01 for path in paths)
    paths[3].unlink()
    say_talk(tmp_path / "a", 6, TABOO, voices, 1)
    assert [path.read_bytes() for path in paths] == sounds


def test_training_hears_them_as_clips_of_unknown(tmp_path):
    from kws.audio.io import write

    for word in ("yes", "down", "tree"):
        noise = np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype(np.float32)
        write(tmp_path / "data" / word / "0132a06d_nohash_0.wav", noise, RATE_HZ)
    one = recipe({"takes_per_keyword": 0, "near_misses": 0, "sentences": 4})
    spoken = speak(one, tmp_path / "spoken")
    assert spoken.corpora == ()
    (talk,) = spoken.talk
    assert speak(one, tmp_path / "spoken") == spoken
    labels = one.data.labels
    sources = list_sources(tmp_path / "data", labels, "training", 0.0)
    more = more_sources(one, sources, spoken)
    assert {source.path.parent for source in more} == {talk}
    assert {source.label for source in more} == {labels.index("unknown")}
    seconds = sum(length_s(path) for path in talk.iterdir())
    assert len(more) == pytest.approx(2 * seconds, abs=4 * 2)
    other = recipe({"takes_per_keyword": 0, "near_misses": 0, "sentences": 5})
    assert speak(other, tmp_path / "spoken").talk != spoken.talk


def test_talk_to_test_on_is_by_other_voices_and_other_sentences(tmp_path):
    made = run_tool(
        "prepare_data.py", "talk", "--without", *TABOO, "--sentences", 60, "--out", tmp_path / "a"
    ).stdout
    recordings = read_recordings(tmp_path / "a")
    seconds = sum(length_s(one.path) for one in recordings)
    assert f"{len(recordings)} recordings, {seconds / 60:.1f} minutes, 24 voices" in made
    said = " ".join(word.word for one in recordings for word in one.words)
    assert len(said.split()) > 60 * 4
    assert not [word for word in TABOO if holds(said, word)]
    trained = talk_texts(60, TABOO, np.random.default_rng([1, 11]))
    assert not [text for text in trained if holds(said, text)]
    again = [one.path.read_bytes() for one in recordings]
    cast = [voice for voice in espeak_voices([], 1) if voice.split == "testing"]
    write_talk(tmp_path / "b", 60, TABOO, cast, 1)
    assert [one.path.read_bytes() for one in read_recordings(tmp_path / "b")] == again
    with pytest.raises(DataError, match=r"speech with other seed \(1, now 2\); choose another"):
        write_talk(tmp_path / "b", 60, TABOO, cast, 2)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"not spoken here \(such as mine\.wav\); choose an empty"):
        write_talk(tmp_path / "other", 60, TABOO, cast, 1)
    with pytest.raises(DataError, match="none of these voices are of that split; take another"):
        write_talk(tmp_path / "c", 60, TABOO, [], 1)
    with pytest.raises(DataError, match="0 sentences: expected at least 1"):
        write_talk(tmp_path / "c", 0, TABOO, cast, 1)
    message = refused(
        "prepare_data.py", "talk", "--without", "go", "--out", tmp_path / "c", "--languages", "xx"
    )
    assert "xx" in message


def test_sentences_are_read_by_the_rules_of_a_language(tmp_path):
    english = recipe({"takes_per_keyword": 0, "near_misses": 0, "sentences": 2})
    german = recipe(
        {"takes_per_keyword": 0, "near_misses": 0, "sentences": 2, "sentence_languages": ["de"]}
    )
    (one,), (other,) = (speak(each, tmp_path).talk for each in (english, german))
    assert one != other
    assert (one / "000000.wav").read_bytes() != (other / "000000.wav").read_bytes()


def test_without_the_class_unknown_there_can_be_none():
    with pytest.raises(RecipeError, match="sentences are for the class unknown"):
        recipe({"sentences": 3}, unknown=False)


def test_talk_that_was_cut_short_is_finished_as_it_would_have_been(tmp_path, monkeypatch):
    monkeypatch.setattr("kws.data.streams.FILE_S", 12.0)
    cast = espeak_voices([], 1)
    whole = write_talk(tmp_path / "whole", 20, TABOO, cast, 1)
    assert len(whole) > 4
    assert sum(one.lines for one in whole) == 20
    sounds = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}

    said = []

    def cut_short(line):
        said.append(line)
        if len(said) > whole[0].lines + whole[1].lines:
            raise KeyboardInterrupt
        return with_pauses(line)

    with_pauses = kws.data.streams._with_pauses
    with monkeypatch.context() as patch:
        patch.setattr("kws.data.streams._with_pauses", cut_short)
        with pytest.raises(KeyboardInterrupt):
            write_talk(tmp_path / "cut", 20, TABOO, cast, 1)
    first = [path for path in sorted((tmp_path / "cut").iterdir()) if path.suffix == ".wav"]
    assert [path.name for path in first] == ["talk_000.wav", "talk_001.wav"]
    written = [path.stat().st_mtime_ns for path in first]

    again = write_talk(tmp_path / "cut", 20, TABOO, cast, 1)
    assert [path.stat().st_mtime_ns for path in first] == written
    assert {path.name: path.read_bytes() for path in (tmp_path / "cut").iterdir()} == sounds
    assert [one[1:] for one in again] == [
        (pytest.approx(one.seconds, abs=0.001), one.lines) for one in whole
    ]
    first[1].unlink()
    write_talk(tmp_path / "cut", 20, TABOO, cast, 1)
    assert {path.name: path.read_bytes() for path in (tmp_path / "cut").iterdir()} == sounds

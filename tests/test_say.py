"""The corpus that synthesizers speak: its files, its splits, its test streams, and the program."""

import csv
import json
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import joblib
import numpy as np
import pytest
import soundfile
from conftest import refused, run_tool

from kws.audio.annotation import read_words
from kws.data import saying, speaking
from kws.data.corpus import read_clips
from kws.data.espeak import Speech, WordTime
from kws.data.manifest import SPLITS
from kws.data.manifest_file import read_manifest
from kws.data.saying import say_corpus
from kws.data.saying_order import Order, check_order
from kws.data.sentences import CARRIERS, SENTENCES
from kws.data.streams import holds, script, write_stream
from kws.data.voices import RATE_HZ, espeak_voices
from kws.errors import DataError, StorageError

pytest.importorskip("espeakng_loader", reason="espeak-ng speaks")

ORDER = Order(
    keywords=("computer", "hey_marvin"),
    texts=("Good morning", "What a long sentence this is, and it goes on and on for some time!"),
    takes=10,
    near_misses=3,
    sentences=True,
    seed=1,
)
LONG = "what_a_long_sentence_this_is_and_it_goes_on_and_on_for_some_t"[:60]
VOICES = espeak_voices(["en-us", "en-gb-scotland"], seed=1)


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """No other processes: what a test patches is what is called."""
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """A corpus, not to be changed by a test."""
    folder = tmp_path_factory.mktemp("say") / "said"
    made = say_corpus(ORDER, VOICES, folder)
    assert made.spoken == len(made.clips) == 100
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


# The corpus


def test_a_folder_a_word_and_names_as_in_speech_commands(corpus):
    counts = Counter(path.parent.name for path in corpus.glob("[!_]*/*.wav"))
    words = [miss["word"] for miss in misses(corpus) if miss["word"]]
    assert counts == {
        **dict.fromkeys(("computer", "hey_marvin", "good_morning", LONG, *words), 10),
        **{f"near_{key}": 10 * n for key, n in non_words(corpus).items()},
    }
    for path in corpus.glob("[!_]*/*.wav"):
        assert re.fullmatch(r"espeak\d{3}_en-(us|gb-scotland)_\w+_\d+_nohash_\d+\.wav", path.name)


def misses(corpus: Path) -> list[dict[str, str]]:
    with open(corpus / "near_misses.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def non_words(corpus: Path) -> Counter[str]:
    made = (miss["keyword"].replace(" ", "_") for miss in misses(corpus) if not miss["word"])
    return Counter(made)


def test_near_misses_are_listed_with_what_was_changed(corpus):
    assert Counter(miss["keyword"] for miss in misses(corpus)) == {"computer": 3, "hey marvin": 3}
    for miss in misses(corpus):
        assert float(miss["distance"]) >= 0.14
        assert bool(miss["word"]) != bool(miss["change"])
        assert miss["language"] in ("en-us", "en-gb-scotland")


def test_the_manifest_has_every_clip_and_non_words_are_unknown(corpus):
    clips = read_manifest(corpus / "manifest.csv")
    assert {clip.path for clip in clips} == set(corpus.glob("[!_]*/*.wav"))
    for clip in clips:
        place = clip.path.parent.name
        assert clip.label == ("unknown" if place.startswith("near_") else place)
        assert clip.path.name.startswith(f"{clip.speaker}_nohash_")


def test_every_word_is_in_every_split_and_no_speaker_in_two(corpus):
    words, speakers = defaultdict(Counter), defaultdict(set)
    for clip in read_manifest(corpus / "manifest.csv"):
        words[clip.label][clip.split] += 1
        speakers[clip.speaker].add(clip.split)
    assert all(set(splits) == set(SPLITS) for splits in words.values())
    assert words["computer"] == {"training": 8, "validation": 1, "testing": 1}
    assert all(len(splits) == 1 for splits in speakers.values())


def test_a_recipe_reads_it_with_the_manifest_and_without(corpus, tmp_path):
    labels = ("computer", "hey_marvin", "unknown", "silence")
    by_manifest = {clip.path: (clip.label, clip.split) for clip in read_clips(corpus, labels)}
    copy = tmp_path / "copy"
    for path in corpus.glob("[!_]*/*.wav"):
        (copy / path.parent.name).mkdir(parents=True, exist_ok=True)
        (copy / path.relative_to(corpus)).write_bytes(b"")
    by_name = {
        corpus / clip.path.relative_to(copy): (clip.label, clip.split)
        for clip in read_clips(copy, labels)
    }
    assert by_manifest == by_name


def test_clips_hold_the_word_near_their_end_over_a_faint_floor(corpus):
    for path in corpus.glob("computer/*.wav"):
        audio, rate = soundfile.read(path)
        assert (rate, len(audio)) == (RATE_HZ, RATE_HZ)
        assert 0.01 < np.abs(audio).max() < 0.96
        loud = np.flatnonzero(np.abs(audio) > 0.1 * np.abs(audio).max())
        assert 0.25 < (loud[-1] - loud[0]) / RATE_HZ < 0.98
        assert 0.019 < 1 - loud[-1] / RATE_HZ < 0.45
        floor = np.sqrt(np.mean(audio[-160:] ** 2))
        assert 1e-5 < floor < 0.003
    lengths = {soundfile.info(path).duration for path in corpus.glob(f"{LONG}/*.wav")}
    assert min(lengths) > 2, "as long as it takes"


def test_voices_rates_and_levels_differ(corpus):
    levels, sounds = [], set()
    for path in corpus.glob("computer/*.wav"):
        audio = soundfile.read(path)[0]
        levels.append(20 * np.log10(np.abs(audio).max()))
        sounds.add(audio.tobytes())
    assert len(sounds) == 10
    assert max(levels) - min(levels) > 4


def test_the_same_order_gives_the_same_bytes_and_another_seed_others(tmp_path):
    small = Order(keywords=("computer", "hey_marvin"), takes=3)
    say_corpus(small, VOICES, tmp_path / "one")
    say_corpus(small, VOICES, tmp_path / "two")
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    other = Order(keywords=("computer", "hey_marvin"), takes=3, seed=2)
    say_corpus(other, espeak_voices([], seed=2), tmp_path / "three")
    sounds = [
        {data for name, data in bytes_of(tmp_path / at).items() if name.endswith(".wav")}
        for at in ("one", "three")
    ]
    assert not sounds[0] & sounds[1]


def test_texts_and_near_misses_have_takes_of_their_own(tmp_path):
    order = Order(keywords=("yes",), texts=("good morning",), takes=3, other_takes=1, near_misses=2)
    corpus = say_corpus(order, VOICES, tmp_path)
    counts = Counter(clip.path.parent.name for clip in corpus.clips)
    assert (counts.pop("yes"), counts.pop("good_morning")) == (3, 1)
    assert sum(counts.values()) == len(corpus.near_misses) == 2


def test_several_processes_speak_the_same(monkeypatch, tmp_path):
    order = Order(keywords=("yes", "no"), takes=4, sentences=True)
    say_corpus(order, VOICES, tmp_path / "one")
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    monkeypatch.setattr(speaking, "_WORTH_A_PROCESS", 3)
    monkeypatch.setattr(speaking, "_BATCH", 2)
    say_corpus(order, VOICES, tmp_path / "two")
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


# Again, and after a break


def test_what_is_there_is_kept_and_what_is_lost_is_spoken_again(tmp_path):
    order = Order(keywords=("yes",), takes=5, sentences=True)
    say_corpus(order, VOICES, tmp_path)
    before = bytes_of(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}
    assert say_corpus(order, VOICES, tmp_path).spoken == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")} == times

    for path in sorted((tmp_path / "yes").glob("*.wav"))[:2]:
        path.unlink()
    next((tmp_path / "_streams_").glob("with_*.txt")).unlink()
    assert say_corpus(order, VOICES, tmp_path).spoken == 2
    assert bytes_of(tmp_path) == before


def test_after_a_break_it_goes_on(monkeypatch, tmp_path):
    order = Order(keywords=("yes",), takes=6)
    say_corpus(order, VOICES, tmp_path / "whole")
    write, left = saying.io.write, [4]

    def full_disk(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise StorageError("no space left")
        write(*arguments)

    monkeypatch.setattr(saying.io, "write", full_disk)
    with pytest.raises(StorageError):
        say_corpus(order, VOICES, tmp_path / "broken")
    assert not (tmp_path / "broken" / "manifest.csv").exists()
    monkeypatch.setattr(saying.io, "write", write)
    assert say_corpus(order, VOICES, tmp_path / "broken").spoken == 2
    assert bytes_of(tmp_path / "broken") == bytes_of(tmp_path / "whole")


def test_an_edited_manifest_is_kept(tmp_path):
    order = Order(keywords=("yes",), takes=2)
    say_corpus(order, VOICES, tmp_path)
    (tmp_path / "manifest.csv").write_text("path,label,speaker,split,start,duration\n")
    say_corpus(order, VOICES, tmp_path)
    assert (tmp_path / "manifest.csv").read_text() == "path,label,speaker,split,start,duration\n"


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (Order(keywords=("no",), takes=1), r'other keywords \(\["yes"\], now \["no"\]\)'),
        (Order(keywords=("yes",), takes=2), r"other takes \(1, now 2\)"),
        (Order(keywords=("yes",), takes=1, sentences=True), "other sentences"),
    ],
)
def test_a_folder_holds_one_order(order, message, tmp_path):
    say_corpus(Order(keywords=("yes",), takes=1), VOICES, tmp_path)
    before = bytes_of(tmp_path)
    with pytest.raises(DataError, match=message):
        say_corpus(order, VOICES, tmp_path)
    assert bytes_of(tmp_path) == before


def test_a_folder_of_other_things_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "mine.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"holds 1 things that were not spoken here .*such as yes"):
        say_corpus(ORDER, VOICES, tmp_path)
    assert list(bytes_of(tmp_path)) == ["yes/mine.wav"]
    with pytest.raises(DataError, match="a file, expected a folder"):
        say_corpus(ORDER, VOICES, tmp_path / "yes" / "mine.wav")


@pytest.mark.parametrize("facts", ["", "[]", "{}", '{"streams": [["a.wav"]]}', "\0"])
def test_a_broken_record_of_the_order_is_refused(facts, tmp_path):
    (tmp_path / "say.json").write_text(facts)
    with pytest.raises(DataError, match=r"say\.json: does not tell what was spoken"):
        say_corpus(ORDER, VOICES, tmp_path)


# The order


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (Order(), "nothing to say"),
        (Order(keywords=("yes",), takes=0), "--takes 0, expected at least 1"),
        (Order(keywords=("yes",), other_takes=0), "--other-takes 0, expected at least 1"),
        (Order(keywords=("yes",), near_misses=-1), "--near-misses -1"),
        (Order(keywords=("yes",), seed=-1), "--seed -1"),
        (Order(texts=("yes",), near_misses=1), "--near-misses needs --keywords"),
        (Order(texts=("yes",), sentences=True), "--sentences needs --keywords"),
        (Order(keywords=("yes", "Yes")), "'Yes' is given twice"),
        (Order(keywords=("hey_you", "hey you")), "'hey you' is given twice"),
        (Order(keywords=("silence",)), "a label of every model"),
        (Order(keywords=("",)), "keyword ''"),
        (Order(keywords=("../yes",)), "keyword '../yes': expected a word"),
        (Order(keywords=("_noise_",)), "beginning with a letter"),
        (Order(keywords=("a/b",)), "without slashes"),
        (Order(keywords=("a" * 61,)), "at most 60 letters"),
        (Order(texts=("...",)), r"'\.\.\.' says nothing"),
        (Order(texts=("Hello!", "hello")), "'hello' is given twice"),
        (Order(texts=("Unknown",)), "a label of every model"),
        (
            Order(keywords=("lights",), texts=("All Lights, please",)),
            "holds a keyword.*--sentences",
        ),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused(order, message):
    with pytest.raises(DataError, match=message):
        check_order(order, VOICES)


def test_a_text_must_say_something_in_every_language():
    faroese = espeak_voices(["en-us", "fo"], seed=1)  # espeak-ng has no dictionary for it
    with pytest.raises(DataError, match="'yes' holds nothing that can be said in 'fo'"):
        check_order(Order(keywords=("yes",)), faroese)


def test_labels_of_texts_are_names_for_folders():
    plan = check_order(Order(texts=("Wie geht's, Jürgen?", "日本語", "1 2 3")), VOICES)
    assert list(plan.texts) == ["wie_geht's_jürgen", "日本語", "1_2_3"]


# Test streams


def test_streams_have_each_keyword_as_often_as_asked(corpus):
    with_words, without = (
        [
            word.word
            for path in sorted((corpus / "_streams_").glob(f"{name}*.txt"))
            for word in read_words(path)
        ]
        for name in ("with_", "without_")
    )
    counts = Counter(with_words)
    assert (counts["computer"], counts["hey_marvin"]) == (10, 10)
    assert len(without) > 60
    assert not {"computer", "hey_marvin", "Computer", "Marvin"} & set(without)


def test_words_are_where_the_labels_say(corpus):
    audio, rate = soundfile.read(corpus / "_streams_" / "with_keywords_000.wav")
    words = read_words(corpus / "_streams_" / "with_keywords_000.txt")
    assert rate == RATE_HZ

    def level(start_s: float, end_s: float) -> float:
        return np.sqrt(np.mean(audio[round(start_s * rate) : round(end_s * rate)] ** 2))

    for word, following in pairwise(words):
        assert word.end_s <= following.start_s
        assert word.end_s - word.start_s < 1.6
        if following.start_s - word.end_s > 0.5:  # between two sentences
            pause = level(word.end_s + 0.05, following.start_s - 0.05)
            assert pause < 0.5 * level(word.start_s, word.end_s)


def test_streams_are_spoken_by_voices_of_the_testing_split():
    labels = {"computer": "computer"}
    spoken, free = script(labels, [], VOICES, 20, 1)
    assert len(spoken) == len(free) == 20
    assert {line.voice.split for line in (*spoken, *free)} == {"testing"}
    assert all(holds(line.text, "computer") for line in spoken)
    assert not any(holds(line.text, "computer") for line in free)
    assert len({line.text for line in free}) > 8


def test_ones_own_sentences_are_used_too():
    texts = ["Bitte mach das Licht an", "Es ist schon spät"]
    german = espeak_voices(["de"], 1)
    spoken, free = script({"licht": "licht"}, texts, german, 40, 1)
    assert {line.text for line in spoken} == {texts[0], "licht.", "licht!"}
    numbers = {line.text for line in free} - {texts[1]}
    assert numbers
    assert all(re.fullmatch(r"(\d+, ){3}\d+\.", text) for text in numbers)
    assert texts[1] in {line.text for line in free}


def test_numbers_that_sound_like_a_keyword_are_not_read_out():
    spanish = espeak_voices(["es"], 1)
    _, free = script({"dos": "dos"}, [], spanish, 30, 1)
    numbers = {int(number) for line in free for number in re.findall(r"\d+", line.text)}
    assert len(numbers) > 50
    assert not {number for number in numbers if "2" in str(number)}, "treinta y dos, ..."


def test_a_long_stream_is_split_into_files(tmp_path, monkeypatch):
    monkeypatch.setattr("kws.data.streams.FILE_S", 5.0)
    spoken, _ = script({"lights": "lights"}, [], VOICES, 8, 1)
    advanced = []
    files = [*write_stream(tmp_path, "with", spoken, lambda *_: advanced.append(1))]
    assert [path.name for path, _, _ in files] == [f"with_{n:03d}.wav" for n in range(len(files))]
    assert len(files) > 2
    assert len(advanced) == 8
    for path, seconds, _ in files:
        assert soundfile.info(path).duration == pytest.approx(seconds, abs=0.001)
        assert all(0 <= word.end_s <= seconds for word in read_words(path.with_suffix(".txt")))
    labels = [word.word for path, _, _ in files for word in read_words(path.with_suffix(".txt"))]
    assert labels.count("lights") == 8
    assert sum(lines for _, _, lines in files) == 8
    rest = spoken[files[0].lines :]
    (second, *_) = write_stream(tmp_path / "rest", "with", rest, lambda *_: None, first=1)
    assert second.path.name == files[1].path.name
    assert second.path.read_bytes() == files[1].path.read_bytes()


class Untimed:
    """A voice that tells no words, as Piper's."""

    name, language, split, times_words = "tone", "en-us", "testing", False

    def say(self, text, rng):
        del rng
        audio = np.zeros(3200, np.float32)
        audio[800:2400] = 0.5
        return Speech(audio, RATE_HZ, (WordTime(text, 0, 800, 2400),))


def test_a_voice_that_times_no_words_says_the_keyword_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("kws.data.streams.CARRIERS", ("Did you say {} or not?",))
    spoken, _ = script({"hey marvin": "hey_marvin"}, [], [Untimed()], 2, 1)
    ((path, _, _),) = write_stream(tmp_path, "with", spoken, lambda *_: None)
    words = read_words(path.with_suffix(".txt"))
    assert [word.word for word in words] == ["Did you say", "hey_marvin", "or not"] * 2
    assert all(word.end_s - word.start_s == pytest.approx(0.1) for word in words)


def test_a_keyword_that_is_run_together_with_others_is_found_all_the_same(tmp_path):
    spoken, _ = script({"on": "on"}, ["Put it on the table and turn on the light."], VOICES, 30, 1)
    own = [line for line in spoken if line.text.startswith("Put")]
    assert own
    ((path, _, _),) = write_stream(tmp_path, "with", own, lambda *_: None)
    words = [word.word for word in read_words(path.with_suffix(".txt"))]
    assert words.count("on") == 2 * len(own)


def test_sentences_are_varied_and_carriers_have_their_place():
    assert len(set(SENTENCES)) == len(SENTENCES) >= 40
    assert all(carrier.count("{}") == 1 for carrier in CARRIERS)


# The program


def test_the_program_speaks_and_shows_what_there_is(tmp_path):
    out = tmp_path / "said"
    arguments = ("prepare_data.py", "say", "--out", out, "--keywords", "licht", "--languages", "de")
    arguments += ("--takes", 2, "--near-misses", 1, "--text", "Guten Morgen")
    shown = run_tool(*arguments).stdout
    assert re.search(r"│ licht +│ 2 +│ 2 +│ 2 +│ 0 +│ 0", shown)
    assert "near licht: /l" in shown
    assert "no clips for validation and testing" in shown
    assert "6 clips, 6 of them new" in shown
    assert "6 clips, 0 of them new" in run_tool(*arguments).stdout
    assert json.loads((out / "say.json").read_text())["keywords"] == ["licht"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--keywords", "yes", "--languages", "en-uk"), "did you mean 'en-us'"),
        (("--keywords", "yes", "--piper-model", "a.onnx"), "add --voices piper"),
        (("--voices", "piper", "--languages", "de", "--keywords", "ja"), "leave it out"),
    ],
)
def test_the_program_refuses_options_that_contradict_each_other(arguments, message, tmp_path):
    line = refused("prepare_data.py", "say", "--out", tmp_path / "said", *arguments)
    assert message in line
    assert not (tmp_path / "said").exists()

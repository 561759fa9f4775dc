"""The corpus that speaks itself, its voices, and the test passage."""

import errno
import hashlib
import json
import shutil
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import joblib
import librosa
import numpy as np
import pytest
import soundfile

from kws.data import cast, effects
from kws.data.espeak import Espeak, Speech
from kws.data.folder import background_noises, read_folder
from kws.data.manifest import SPLITS
from kws.data.passage import make_passage
from kws.data.synthetic import FACTS, PIECES, SENTENCES, make_corpus
from kws.data.takes import EDGE_S, Booth
from kws.errors import DataError, RecipeError, StorageError
from kws.recipe_data import DataConfig, SyntheticConfig
from kws.recipe_io import read_recipe

pytest.importorskip("espeakng_loader", reason="espeak-ng speaks the corpus")

RATE = 16000
SPEECH = SyntheticConfig(
    other_words=["tree", "seven"],
    sentences=["The weather is getting better today.", "She put the letter into her bag."],
    takes_per_keyword=10,
    takes_per_word=10,
    takes_per_sentence=10,
    passage=["Computer.", "Turn on the lights, and listen to this: lights.", "That is all."],
)
DATA = DataConfig(keywords=["computer", "lights"], synthetic=SPEECH)


def changed(**values) -> DataConfig:
    return DATA.model_copy(update={"synthetic": SPEECH.model_copy(update=values)})


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def level(audio: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """A corpus of two keywords, not to be changed by a test."""
    folder = tmp_path_factory.mktemp("spoken") / "corpus"
    assert make_corpus(DATA, RATE, folder, seed=1)
    return folder


@pytest.fixture
def one_process(monkeypatch):
    """No other processes: what a test patches is what is called."""
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)


# The corpus


def test_all_takes_are_there_in_the_layout_of_speech_commands(corpus):
    counts = {path.name: len(list(path.glob("*.flac"))) for path in corpus.iterdir()}
    assert set(counts) == {
        *("computer", "lights", "tree", "seven", SENTENCES, PIECES, "_background_noise_", FACTS)
    }
    assert [counts[word] for word in ("computer", "lights", "tree", "seven")] == [10] * 4
    assert counts[PIECES] == 20
    assert 20 < counts[SENTENCES] < 100, "20 sentences of one to four seconds"
    assert json.loads((corpus / FACTS).read_text())["files"] == sum(counts.values())


def test_clips_are_one_second_of_sound_neither_silent_nor_clipped(corpus):
    for path in corpus.glob("[!_]*/*.flac"):
        audio, rate = soundfile.read(path)
        assert (rate, audio.shape) == (RATE, (RATE,)), path
        loudest = max(level(block) for block in np.split(audio, 50))
        assert loudest > 0.003, path
        assert np.abs(audio).max() < 0.999, path


def test_background_noises_differ_in_colour_and_are_long(corpus):
    noises = dict(
        zip(
            sorted(p.stem for p in corpus.glob("_*/*")),
            background_noises(corpus, RATE),
            strict=True,
        )
    )
    assert list(noises) == ["babble", "brown", "hum", "pink", "white"]
    assert {len(noise) for noise in noises.values()} == {30 * RATE}
    low = {}
    for name, noise in noises.items():
        power = np.abs(np.fft.rfft(noise)) ** 2
        low[name] = power[: 500 * 30].sum() / power.sum()
    assert low["white"] < 0.1 < 0.4 < low["pink"] < 0.9 < low["brown"]
    assert low["hum"] > 0.9


def test_every_word_has_speakers_in_every_split_and_no_speaker_is_in_two(corpus):
    clips = read_folder(corpus, DATA.labels)
    words, variants = defaultdict(lambda: defaultdict(int)), defaultdict(set)
    for clip in clips:
        words[clip.path.parent.name][clip.split] += 1
        variants[clip.speaker.split("_")[2]].add(clip.split)
    for word in ("computer", "lights", "tree", "seven"):
        assert words[word] == {"training": 8, "validation": 1, "testing": 1}
    assert all(set(splits) == set(SPLITS) for splits in words.values())
    assert all(len(splits) == 1 for splits in variants.values()), "a variant in two splits"


@pytest.mark.usefixtures("one_process")
def test_the_same_bytes_come_out_whether_one_process_speaks_or_several(corpus, tmp_path):
    assert make_corpus(DATA, RATE, tmp_path / "again", seed=1)
    assert contents(tmp_path / "again") == contents(corpus)


@pytest.mark.usefixtures("one_process")
def test_other_seeds_give_other_clips_by_other_speakers(corpus, tmp_path):
    make_corpus(DATA, RATE, tmp_path, seed=2)
    ours, others = contents(tmp_path), contents(corpus)
    assert not set(ours.values()) & set(others.values())
    assert cast.corpus_cast(1) != cast.corpus_cast(2)


@pytest.mark.usefixtures("one_process")
def test_a_complete_corpus_is_kept_and_another_recipe_makes_it_anew(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path, dirs_exist_ok=True)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert not make_corpus(changed(passage=["Another passage."]), RATE, tmp_path, seed=1)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before

    assert make_corpus(changed(other_words=["house"]), RATE, tmp_path, seed=1)
    assert (tmp_path / "house").is_dir()
    assert not (tmp_path / "tree").exists()


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("harm", ["interrupted", "clips lost", "facts cut"])
def test_a_broken_corpus_is_made_whole(harm, corpus, tmp_path, monkeypatch):
    if harm == "interrupted":
        real, left = Path.write_bytes, [30]

        def full_disk(path: Path, data: bytes) -> int:
            left[0] -= 1
            if left[0] < 0:
                real(path, data[:100])
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(path, data)

        monkeypatch.setattr(Path, "write_bytes", full_disk)
        with pytest.raises(StorageError, match="no space left on the disk"):
            make_corpus(DATA, RATE, tmp_path, seed=1)
        monkeypatch.setattr(Path, "write_bytes", real)
    else:
        shutil.copytree(corpus, tmp_path, dirs_exist_ok=True)
        if harm == "clips lost":
            for path in list((tmp_path / "lights").glob("*.flac"))[:3]:
                path.unlink()
        else:
            (tmp_path / FACTS).write_text('{"made_by": "kws, sp')
    assert make_corpus(DATA, RATE, tmp_path, seed=1)
    assert contents(tmp_path) == contents(corpus)


def test_a_folder_of_other_recordings_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "mine.wav").write_bytes(b"RIFF")
    before = contents(tmp_path)
    with pytest.raises(DataError, match=r"holds 1 files .*such as yes/mine\.wav.*--data"):
        make_corpus(DATA, RATE, tmp_path, seed=1)
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("one_process")
def test_recordings_put_into_a_corpus_are_not_lost_when_the_recipe_changes(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path, dirs_exist_ok=True)
    (tmp_path / "lights" / "mine_nohash_0.wav").write_bytes(b"RIFF")
    before = contents(tmp_path)
    with pytest.raises(DataError, match=r"such as lights/mine_nohash_0\.wav"):
        make_corpus(DATA, RATE, tmp_path, seed=2)
    assert contents(tmp_path) == before


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "corpus").write_text("a note")
    with pytest.raises(DataError, match="a file, expected a folder"):
        make_corpus(DATA, RATE, tmp_path / "corpus", seed=1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (DataConfig(keywords=["lights"]), "no data.synthetic section.*--data"),
        (changed(other_words=["Lights"]), "other_words: 'Lights' is a keyword"),
        (changed(other_words=[PIECES]), "is a folder of the corpus"),
        (changed(sentences=["All lights, please."]), "contains the keyword 'lights'"),
    ],
)
def test_words_that_contradict_each_other_are_refused(data, message, tmp_path):
    with pytest.raises(RecipeError, match=message):
        make_corpus(data, RATE, tmp_path / "corpus", seed=1)
    assert not (tmp_path / "corpus").exists()


@pytest.mark.usefixtures("one_process")
def test_a_word_longer_than_a_clip_is_refused(tmp_path):
    data = DATA.model_copy(update={"clip_ms": 150.0})
    with pytest.raises(RecipeError, match=r"takes 0\.\d\d s even when spoken fast.*clip_ms"):
        make_corpus(data, RATE, tmp_path, seed=1)


# Speakers and what they say


def test_variants_have_one_use_each_and_exist():
    lists = (cast.MEN, cast.WOMEN, cast.VALIDATING, cast.TESTED, cast.PASSAGE)
    variants = [variant for one in lists for variant in one]
    assert len(set(variants)) == len(variants)
    corpus_variants = {speaker.variant for speaker in cast.corpus_cast(1)}
    assert corpus_variants == set(variants) - set(cast.PASSAGE)
    assert {speaker.variant for speaker in cast.passage_cast(1)} == set(cast.PASSAGE)


def test_every_variant_and_accent_sounds_different_and_each_time_the_same():
    sounds = set()
    variants = (*cast.MEN, *cast.WOMEN, *cast.VALIDATING, *cast.TESTED, *cast.PASSAGE)
    for accent, variant in [
        *(("en-us", variant) for variant in variants),
        *((accent, "") for accent in cast.ACCENTS[1:]),
    ]:
        with Espeak() as engine:
            speech = engine.speak("computer dance water", accent, variant)
        with Espeak() as engine:
            again = engine.speak("computer dance water", accent, variant)
        assert np.array_equal(again.audio, speech.audio), (accent, variant)
        sounds.add(speech.audio.tobytes())
        assert 0.6 < len(speech.audio) / speech.sample_rate_hz < 3, (accent, variant)
        assert 0.02 < np.abs(speech.audio).max() < 0.99, (accent, variant)
    assert len(sounds) == len(variants) + len(cast.ACCENTS) - 1


def test_a_womans_voice_is_higher_and_a_higher_rate_is_faster():
    def pitch_hz(speech: Speech) -> float:
        return float(
            np.median(librosa.yin(speech.audio, fmin=60, fmax=400, sr=speech.sample_rate_hz))
        )

    with Espeak() as engine:
        man, woman = (engine.speak("Are you all alone", variant=name) for name in ("m3", "f5"))
        slow = engine.speak("weather in the garden", rate_wpm=120)
        fast = engine.speak("weather in the garden", rate_wpm=220)
    assert 70 < pitch_hz(man) < 130 < 150 < pitch_hz(woman) < 260
    assert len(fast.audio) < 0.75 * len(slow.audio)


def test_what_was_said_before_changes_nothing():
    with Espeak() as engine:
        first = engine.speak("turn on the lights", variant="klatt3")
    with Espeak() as engine:
        for text in ("anything", "else"):
            engine.speak(text, "en-gb-scotland", "f2")
    with Espeak() as engine:
        second = engine.speak("turn on the lights", variant="klatt3")
    assert np.array_equal(first.audio, second.audio)
    assert first.words == second.words


def test_words_are_timed_by_their_sound():
    text = "Computer, stop. Turn on the lights!"
    with Espeak() as engine:
        speech = engine.speak(text)
    assert [word.text for word in speech.words] == ["Computer", "stop", "Turn", "on the", "lights"]
    assert [text[word.position] for word in speech.words] == ["C", "s", "T", "o", "l"]
    for word in speech.words:
        assert 0.1 < (word.end - word.start) / speech.sample_rate_hz < 0.8
    for word, following in pairwise(speech.words):
        assert word.end <= following.start
    comma, full_stop = (
        speech.audio[speech.words[i].end : speech.words[i + 1].start] for i in (0, 1)
    )
    for pause in (comma, full_stop):
        assert len(pause) > 0.05 * speech.sample_rate_hz
        assert np.abs(pause).max() < 0.02 * np.abs(speech.audio).max()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("...",), r"says nothing for '\.\.\.'"),
        (("hello", "en-us", "m33"), "no variant 'm33', did you mean 'm3'"),
        (("hello", "xx-none"), "no voice 'xx-none'"),
    ],
)
def test_what_espeak_cannot_say_is_refused(arguments, message):
    with Espeak() as engine, pytest.raises(DataError, match=message):
        engine.speak(*arguments)


def test_espeak_is_found_under_a_long_path(tmp_path, monkeypatch):
    import espeakng_loader

    deep = tmp_path / ("long" * 20) / ("path" * 20)
    deep.mkdir(parents=True)
    (deep / "espeak-ng-data").symlink_to(espeakng_loader.get_data_path())
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(deep / "espeak-ng-data"))
    with Espeak() as engine:
        assert engine.speak("hello", variant="f3").audio.any()


@pytest.fixture
def booth(monkeypatch):
    """A speaker whose clips have no room, line, level or noise added."""
    monkeypatch.setattr(Booth, "finish", lambda _, clip: clip)
    with Espeak() as engine:
        yield Booth(engine, cast.corpus_cast(1)[0], RATE, RATE, np.random.default_rng(0))


def test_a_word_alone_is_whole_and_ends_soon_before_the_clip_does(booth):
    edge = round(EDGE_S * RATE)
    for _ in range(20):
        clip = booth.alone("television")
        loud = np.flatnonzero(np.abs(clip) > 0.01 * np.abs(clip).max())
        assert loud[0] >= edge - 1
        assert 0.25 < (loud[-1] - loud[0]) / RATE < 0.96
        assert edge <= RATE - loud[-1] < 0.33 * RATE


def test_a_carried_word_stands_whole_amid_others(booth):
    spoken = []
    say = booth.say
    booth.say = lambda text, hurry=1.0: spoken.append(text) or say(text, hurry)
    clips = [booth.carried("lights", SPEECH.sentences) for _ in range(20)]
    assert all(len(clip) == RATE and clip.any() for clip in clips)
    assert all("lights" in text for text in spoken)
    assert sum(len(text.split()) > 1 for text in spoken) >= 18
    assert any(text.startswith("lights ") for text in spoken)
    assert any(text.endswith(" lights.") for text in spoken)


def test_a_piece_is_shorter_than_half_the_word(booth):
    def seconds(clip: np.ndarray) -> float:
        loud = np.flatnonzero(np.abs(clip) > 0.01 * np.abs(clip).max())
        return (loud[-1] - loud[0]) / RATE

    whole = np.median([seconds(booth.alone("computer")) for _ in range(10)])
    booth._in_speech = lambda text, _: (word := booth._isolated(text), 0, len(word))
    pieces = [seconds(booth.piece("computer", [])) for _ in range(30)]
    assert 0.1 * whole < min(pieces)
    assert max(pieces) < 0.65 * whole


def test_sentences_are_cut_into_clips_that_hold_most_of_the_sound(booth):
    booth.say = lambda _: (np.ones(round(2.6 * RATE), np.float32), [])
    clips = booth.sentence("anything")
    assert {len(clip) for clip in clips} == {RATE}
    assert 2.3 * RATE <= sum(np.count_nonzero(clip) for clip in clips) <= 2.6 * RATE


# Effects


def test_a_room_keeps_the_sound_and_rings_on():
    click = np.zeros(RATE, np.float32)
    click[1000] = 1
    wet = effects.reverberate(click, np.random.default_rng(0), RATE)
    assert not np.abs(wet[:1000]).max() > 1e-6
    assert wet[1000] == pytest.approx(1, abs=1e-6)
    early, late = level(wet[1001:1801]), level(wet[4001:4801])
    assert early > 3 * late > 0
    assert -16.5 < 10 * np.log10(np.sum(wet[1001:].astype(float) ** 2)) < -5.5
    assert not np.abs(wet[round(1000 + 0.46 * RATE) :]).max() > 1e-6


@pytest.mark.parametrize(("hz", "kept"), [(20, False), (1000, True), (7900, False)])
def test_a_line_passes_the_middle_of_the_band_alone(hz, kept):
    tone = np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32)
    ratio = level(effects.band_limit(tone, np.random.default_rng(3), RATE)) / level(tone)
    assert ratio > 0.95 if kept else ratio < 0.5


def test_babble_is_steady():
    words = [np.ones(4000, np.float32) * sign for sign in (1, -1)]
    noise = effects.babble(words, 5 * RATE, np.random.default_rng(0))
    assert level(noise) == pytest.approx(0.1, rel=1e-4)
    assert min(level(block) for block in np.split(noise, 5)) > 0.05


# The passage


def test_the_passage_says_the_words_when_its_labels_tell():
    audio, words = make_passage(DATA, RATE, seed=1)
    said = [word.word for word in words]
    assert " ".join(said) == "computer Turn on the lights and listen to this lights That is all"
    assert words[0].start_s >= 0.5, "a pause first"
    quiet = level(audio[: RATE // 2])
    for word in words:
        piece = audio[round(word.start_s * RATE) : round(word.end_s * RATE)]
        assert len(piece) > 0.03 * RATE
        assert level(piece) > 1.5 * quiet, word
    for word, following in pairwise(words):
        assert word.end_s <= following.start_s + 1e-3
    assert words[-1].end_s < len(audio) / RATE
    assert audio.dtype == np.float32
    assert np.abs(audio).max() <= 1


def test_the_passage_follows_from_its_seed():
    first, again, other = (make_passage(DATA, RATE, seed) for seed in (1, 1, 2))
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert first[1] != other[1]


def test_noise_lies_15_to_20_db_below_the_speech():
    audio, words = make_passage(DATA, RATE, seed=3)
    spoken = np.concatenate([audio[round(w.start_s * RATE) : round(w.end_s * RATE)] for w in words])
    ratio_db = 20 * np.log10(level(spoken) / level(audio[: RATE // 2]))
    assert 12 < ratio_db < 22


# The recipe


def test_the_quickstart_recipe_speaks_a_passage_of_a_minute_or_so_with_every_keyword():
    recipe = read_recipe(Path(__file__).resolve().parents[1] / "recipes" / "quickstart.yaml")
    audio, words = make_passage(recipe.data, RATE, recipe.seed)
    assert 60 <= len(audio) / RATE <= 90
    said = [word.word for word in words]
    for keyword in recipe.data.keywords:
        assert said.count(keyword) >= 2, keyword
    assert recipe.data.synthetic is not None
    assert len(recipe.data.keywords) == 6
    assert len(recipe.data.synthetic.other_words) >= 40

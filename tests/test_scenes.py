"""Long recordings of words over a background: what is where, and how loud."""

import csv
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from kws.audio.annotation import read_words
from kws.audio.io import read, write
from kws.audio.noise import at_level, loud_power
from kws.data.recordings import TABLE, read_recordings
from kws.data.scene_order import SceneOrder, make_scenes
from kws.data.scenes import LEVEL_DB, PAUSE_S, Scene
from kws.errors import DataError

RATE = 16000
SPEAKER = "026290a7"  # of the validation split
HZ = {"yes": 700.0, "no": 1500.0, "tree": 2500.0, "cat": 3500.0}
CLIPS = 4


def word(hz: float, seed: int) -> np.ndarray:
    """A tone of 0.3 s in a second of faint noise."""
    audio = np.random.default_rng(seed).normal(0, 1e-4, RATE)
    at = np.arange(round(0.3 * RATE)) / RATE
    start = 3000 + 500 * seed
    audio[start : start + len(at)] += 0.05 * (1 + seed) * np.sin(2 * np.pi * hz * at)
    return audio.astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("clips")
    for label, hz in HZ.items():
        for i in range(CLIPS):
            write(root / label / f"{SPEAKER}_nohash_{i}.wav", word(hz, i), RATE)
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * RATE)
    write(root / "_background_noise_" / "hiss.wav", noise, RATE)
    talk = np.concatenate([word(200.0, i) for i in range(4)])
    write(root / "_talk_" / "talk.wav", talk, RATE)
    return root


def order(data, *scenes: Scene, **settings) -> SceneOrder:
    return SceneOrder(data, ("yes", "no"), scenes, **settings)


def test_words_are_where_the_labels_say_and_apart(data, tmp_path):
    made = make_scenes(order(data, Scene("noise", 20), takes=3), tmp_path / "out")
    words = read_words(tmp_path / "out" / "noise_20dB.txt")
    assert len(words) == 12
    assert [w.word for w in words].count("yes") == [w.word for w in words].count("no") == 3
    assert {w.word for w in words} <= set(HZ)
    assert made.words == {label: sum(w.word == label for w in words) for label in made.words}
    audio = read(tmp_path / "out" / "noise_20dB.wav", RATE)
    assert made.seconds == {"noise_20dB": pytest.approx(len(audio) / RATE)}
    for before, after in pairwise(words):
        assert PAUSE_S[0] - 0.01 <= after.start_s - before.end_s <= PAUSE_S[1] + 0.01
    for one in words:
        part = audio[round(one.start_s * RATE) : round(one.end_s * RATE)]
        spectrum = np.abs(np.fft.rfft(part))
        assert spectrum.argmax() * RATE / len(part) == pytest.approx(HZ[one.word], abs=20)


def test_a_word_keeps_what_is_too_faint_to_be_found(tmp_path):
    """The s of "stop" may lie 50 dB below its vowel; a clip is not cut there."""
    at = np.arange(RATE) / RATE
    vowel, faint = (at >= 0.4) & (at < 0.7), (at >= 0.2) & (at < 0.36)
    audio = 0.5 * np.sin(2 * np.pi * HZ["yes"] * at) * vowel
    audio += 0.0012 * np.sin(2 * np.pi * 5000 * at) * faint
    write(tmp_path / "data" / "yes" / f"{SPEAKER}_nohash_0.wav", audio, RATE)
    wanted = order(tmp_path / "data", Scene("noise", 80), takes=1)
    make_scenes(replace(wanted, keywords=("yes",)), tmp_path / "out")
    made = read(tmp_path / "out" / "noise_80dB.wav", RATE)
    (word,) = read_words(tmp_path / "out" / "noise_80dB.txt")
    assert word.end_s - word.start_s == pytest.approx(0.3, abs=0.07)

    def at_5_khz(start_s: float) -> float:
        part = made[round(start_s * RATE) :][: round(0.05 * RATE)]
        return float(np.abs(np.fft.rfft(part * np.hanning(len(part))))[250])

    loud = at_5_khz(word.start_s - 0.06)
    assert loud > 20 * at_5_khz(word.start_s - 0.5)
    assert at_5_khz(word.start_s - 0.16) < loud / 2  # it comes slowly


@pytest.mark.parametrize("others", [0, 2, 4])
def test_as_many_other_words_as_are_wanted(data, tmp_path, others):
    made = make_scenes(order(data, Scene("babble", 20), takes=1, others=others), tmp_path / "out")
    keywords = made.words.pop("yes") + made.words.pop("no")
    assert (keywords, sum(made.words.values())) == (2, others)
    assert len(read_words(tmp_path / "out" / "babble_20dB.txt")) == 2 + others


def test_fewer_other_words_than_none_are_refused(data, tmp_path):
    with pytest.raises(DataError, match="-1 clips of other words: expected 0 or more"):
        make_scenes(order(data, Scene("noise", 20), others=-1), tmp_path / "out")


@pytest.mark.parametrize("background", ["noise", "babble", "speech"])
@pytest.mark.parametrize("snr_db", [10.0, 0.0])
def test_each_word_has_the_ratio_to_the_background(data, tmp_path, background, snr_db):
    scene = Scene(background, snr_db)
    make_scenes(order(data, scene, speech=data / "_talk_"), tmp_path / "out")
    audio = read(tmp_path / "out" / f"{scene.name}.wav", RATE).astype(np.float64)
    words = read_words(tmp_path / "out" / f"{scene.name}.txt")
    quiet = np.ones(len(audio), bool)
    for one in words:
        quiet[round(one.start_s * RATE) : round(one.end_s * RATE)] = False
    level_db = 10 * np.log10(np.mean(np.square(audio[quiet])))
    assert level_db == pytest.approx(LEVEL_DB - snr_db, abs=1.5)
    if background == "noise":
        one = words[0]
        part = audio[round(one.start_s * RATE) : round(one.end_s * RATE)].astype(np.float32)
        both = 10 * np.log10(10 ** (LEVEL_DB / 10) + 10 ** ((LEVEL_DB - snr_db) / 10))
        assert 10 * np.log10(loud_power(part, RATE)) == pytest.approx(both, abs=1)


def test_ratio_and_gain_move_no_word(data, tmp_path):
    scenes = [
        Scene("noise", 20),
        Scene("noise", 0),
        Scene("noise", 20, -30),
        Scene("noise", 20, 30),
    ]
    make_scenes(order(data, *scenes), tmp_path / "out")
    files = [tmp_path / "out" / f"{scene.name}" for scene in scenes]
    texts = [file.with_suffix(".txt").read_text() for file in files]
    assert len(set(texts)) == 1
    plain, _, soft, loud = (read(file.with_suffix(".wav"), RATE) for file in files)
    np.testing.assert_allclose(soft, plain * 10**-1.5, atol=1 / 32768)
    np.testing.assert_allclose(loud, np.clip(plain * 10**1.5, -1, 1), atol=20 / 32768)


def test_the_same_order_gives_the_same_bytes_and_another_seed_others(data, tmp_path):
    def made(name, seed):
        make_scenes(order(data, Scene("babble", 5), seed=seed), tmp_path / name)
        return (tmp_path / name / "babble_5dB.wav").read_bytes()

    assert made("a", 1) == made("b", 1)
    assert made("c", 2) != made("a2", 1)


def test_the_table_tells_the_conditions(data, tmp_path):
    make_scenes(order(data, Scene("noise", 10), Scene("noise", 10, -6)), tmp_path / "out")
    with open(tmp_path / "out" / TABLE, newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"path": "noise_10dB.wav", "background": "noise", "snr_db": "10", "gain_db": "0"},
        {"path": "noise_10dB_gain-6dB.wav", "background": "noise", "snr_db": "10", "gain_db": "-6"},
    ]
    found = read_recordings(tmp_path / "out")
    assert [dict(one.conditions)["gain_db"] for one in found] == ["0", "-6"]
    assert all(len(one.words) == 4 * CLIPS for one in found)


def tones_of(audio: np.ndarray) -> set[int]:
    """Multiples of 100 Hz that stand out, of those below 600."""
    spectrum = np.abs(np.fft.rfft(audio))
    at = [round(hz * len(audio) / RATE) for hz in range(100, 600, 100)]
    power = [float(spectrum[one - 3 : one + 4].max()) for one in at]
    return {100 * (i + 1) for i, one in enumerate(power) if one > 0.2 * max(power)}


@pytest.mark.parametrize("longest_s", [600, 30], ids=["held", "by the piece"])
def test_long_speech_is_heard_from_all_its_places(data, tmp_path, monkeypatch, longest_s):
    """A recording of 50 s whose pitch rises every 10 s."""
    monkeypatch.setattr("kws.data.scene_order.LONGEST_S", longest_s)
    at = np.arange(10 * RATE) / RATE
    talk = [0.3 * np.sin(2 * np.pi * hz * at) for hz in range(100, 600, 100)]
    write(tmp_path / "talk" / "long.wav", np.concatenate(talk), RATE)
    wanted = order(data, Scene("speech", -20), speech=tmp_path / "talk", takes=4)
    for name in ("a", "b"):
        make_scenes(wanted, tmp_path / name)
    audio = read(tmp_path / "a" / "speech_-20dB.wav", RATE)
    pieces = [audio[start : start + 10 * RATE] for start in range(0, len(audio), 10 * RATE)]
    heard = [tones_of(piece) for piece in pieces[:-1]]
    assert len(set().union(*heard)) >= 4
    assert all(len(one) <= 2 for one in heard)
    bytes_of = [(tmp_path / name / "speech_-20dB.wav").read_bytes() for name in ("a", "b")]
    assert bytes_of[0] == bytes_of[1]


def test_recordings_over_ten_minutes_are_taken(data, tmp_path):
    hiss = np.random.default_rng(4).normal(0, 0.1, 601 * 8000)
    write(tmp_path / "talk" / "long.flac", hiss, 8000)
    made = make_scenes(order(data, Scene("speech", 0), speech=tmp_path / "talk"), tmp_path / "out")
    audio = read(tmp_path / "out" / "speech_0dB.wav", RATE)
    assert made.seconds == {"speech_0dB": pytest.approx(len(audio) / RATE)}
    background = 10 * np.log10(np.mean(np.square(audio[: round(PAUSE_S[0] * RATE)])))
    assert background == pytest.approx(LEVEL_DB, abs=1)


def test_silent_speech_is_named_and_passed_over(data, tmp_path):
    talk = tmp_path / "talk"
    write(talk / "mute.wav", np.zeros(3 * RATE, np.float32), RATE)
    with pytest.raises(DataError, match="only digital silence in it"):
        make_scenes(order(data, Scene("speech", 5), speech=talk), tmp_path / "none")
    write(talk / "talk.wav", word(200.0, 2), RATE)
    made = make_scenes(order(data, Scene("speech", 5), speech=talk), tmp_path / "out")
    assert made.left_out == (f"{talk / 'mute.wav'}: digital silence; expected speech",)
    audio = read(tmp_path / "out" / "speech_5dB.wav", RATE)
    quiet = np.abs(audio).reshape(-1)[: RATE * (len(audio) // RATE)].reshape(-1, RATE).max(axis=1)
    assert quiet.min() > 0.01


def test_it_is_told_what_the_noise_is_made_of(data, tmp_path):
    scene = Scene("noise", 20)
    folder = data / "_background_noise_"
    made = make_scenes(order(data, scene), tmp_path / "recorded")
    assert made.noise == f"noise: cut from 1 recordings in {folder}, some synthetic"
    shutil.copytree(data, tmp_path / "bare", ignore=shutil.ignore_patterns(folder.name))
    made = make_scenes(order(tmp_path / "bare", scene), tmp_path / "synthetic")
    beside = tmp_path / "bare" / folder.name
    assert made.noise == f"noise: synthetic alone, for there are no recordings in {beside}"
    assert make_scenes(order(data, Scene("babble", 20)), tmp_path / "babble").noise == ""
    mixed = "noise_20dB.wav"
    heard = [(tmp_path / name / mixed).read_bytes() for name in ("recorded", "synthetic")]
    assert heard[0] != heard[1]


def test_silence_has_no_level_to_be_brought_to():
    for samples in (0, 7, RATE):
        silence = np.zeros(samples, np.float32)
        np.testing.assert_array_equal(at_level(silence, -20.0, RATE), silence)


def test_clips_without_a_word_are_named(tmp_path):
    root = tmp_path / "clips"
    for label in ("yes", "no"):
        write(root / label / f"{SPEAKER}_nohash_0.wav", word(HZ[label], 0), RATE)
    hiss = np.random.default_rng(3).normal(0, 0.01, RATE)
    write(root / "no" / f"{SPEAKER}_nohash_1.wav", hiss, RATE)
    (root / "no" / f"{SPEAKER}_nohash_2.wav").touch()
    made = make_scenes(order(root, Scene("noise", 10)), tmp_path / "out")
    assert made.words == {"no": 1, "yes": 1}
    assert len(made.left_out) == 2
    messages = " ".join(made.left_out)
    assert "no word stands out of its noise" in messages
    assert "an empty file" in messages


@pytest.mark.parametrize(
    ("scenes", "settings", "message"),
    [
        ((), {}, "at least one"),
        ((Scene("noise", 5), Scene("noise", 5.0)), {}, "once"),
        ((Scene("speech", 5),), {}, "give a folder of it with --speech"),
        ((Scene("noise", 5),), {"split": "testing"}, "no clips in the testing split"),
        ((Scene("speech", 5),), {"speech": "yes/none"}, "cannot be listed"),
    ],
)
def test_orders_that_cannot_be_carried_out(data, tmp_path, scenes, settings, message):
    if "speech" in settings:
        settings = {"speech": data / settings["speech"]}
    with pytest.raises(DataError, match=message):
        make_scenes(order(data, *scenes, **settings), tmp_path / "out")


def test_a_keyword_without_clips_and_a_folder_in_use_are_refused(data, tmp_path):
    with pytest.raises(DataError, match="no validation clip of 'go'"):
        make_scenes(SceneOrder(data, ("yes", "go"), (Scene("noise", 5),)), tmp_path / "out")
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(DataError, match="already holds something"):
        make_scenes(order(data, Scene("noise", 5)), tmp_path / "out")


# Recordings and their label files


def recording(folder, name="a.wav", labels: str | None = "0.1\t0.2\tyes\n"):
    write(folder / name, np.zeros(RATE, np.float32), RATE)
    if labels is not None:
        (folder / name).with_suffix(".txt").write_text(labels)


def test_words_are_in_order_of_time_and_negatives_have_none(tmp_path):
    recording(tmp_path, labels="5\t6\tno\n0.1\t0.2\tyes\n")
    (found,) = read_recordings(tmp_path)
    assert [one.word for one in found.words] == ["yes", "no"]
    assert read_recordings(tmp_path / "a.wav")[0].words == found.words
    assert read_recordings(tmp_path, words_beside=False)[0].words == ()


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: recording(folder, labels=None), r"expected a\.txt or a\.csv"),
        (lambda folder: (folder / "a.txt").touch(), "no sound files"),
        (lambda folder: (folder / TABLE).write_text("file\na.wav\n"), "no column path"),
        (lambda folder: (folder / TABLE).write_text("path\na.wav\n"), r"line 2: .*no such record"),
        (lambda folder: (folder / TABLE).write_bytes(b"\xff\xfe\x00"), "cannot be read as text"),
    ],
)
def test_recordings_that_cannot_be_used(tmp_path, prepare, message):
    prepare(tmp_path)
    with pytest.raises(DataError, match=message):
        read_recordings(tmp_path)

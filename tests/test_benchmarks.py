"""Published wake-word benchmarks: their recordings built, their rules counted by hand."""

import json

import numpy as np
import pytest
from conftest import refused, run_tool
from tones import RATE, tones

from kws.audio.annotation import SpokenWord, read_words
from kws.audio.io import read, write
from kws.data.long_wav import build_long_wav, read_spec, trimmed
from kws.data.wake_mix import MixOrder, loudest_energy, make_mix, over, utterances
from kws.errors import DataError
from kws.spotting.metrics import share
from kws.spotting.rules import RULES, Counted, at_rate, count, name_words, passing
from kws.spotting.stream_score import rate

WORDS = [SpokenWord("yes", 1.0, 1.5), SpokenWord("yes", 10.0, 10.5)]


def test_rules_by_hand():
    """In time; half a second late; 0.7 s late; far off, twice within a second."""
    mlperf, picovoice = RULES["mlperf"], RULES["picovoice"]
    assert count([1.2, 10.9], WORDS, mlperf) == (0, 0)
    assert count([2.0, 11.2], WORDS, mlperf) == (1, 0)
    assert count([2.0, 11.2], WORDS, picovoice) == (1, 1)
    assert count([5.0, 5.9, 6.0], WORDS, mlperf) == (2, 2)
    assert count([5.0, 5.9, 6.0], WORDS, picovoice) == (2, 3)
    assert count([1.2, 1.3, 1.4, 0.99], WORDS, picovoice) == (1, 1)
    assert count([], [], mlperf) == (0, 0)


def test_figures_of_the_benchmarks():
    def at(threshold, missed, false):
        return Counted(threshold, share(missed, 50), rate(false, 36000))

    counted = [at(0.5, 1, 20), at(0.7, 3, 8), at(0.9, 8, 1), at(0.95, 9, 0)]
    best = at_rate(counted, 0.1)
    assert best is not None
    assert (best.threshold, best.missed.count) == (0.9, 8)
    assert at_rate(counted[:2], 0.1) is None
    assert [one.threshold for one in passing(counted)] == [0.7, 0.9]


def test_windows_are_the_one_keyword_s():
    windows = [SpokenWord("", 1.0, 1.5), SpokenWord("no", 2.0, 2.5)]
    assert [word.word for word in name_words(windows, ["yes"])] == ["yes", "no"]
    assert name_words(WORDS, ["yes", "no"]) == tuple(WORDS)
    with pytest.raises(DataError, match=r"2 keywords \(yes, no\); expected a model of one"):
        name_words(windows, ["yes", "no"])


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """Ten seconds: music from 5 to 9 s, and two tones of half a second with silence around."""
    root = tmp_path_factory.mktemp("mlperf")
    music = np.random.default_rng(0).normal(0, 0.1, 6 * RATE)
    write(root / "musan" / "music.wav", music, RATE)
    write(root / "sc" / "yes" / "a.wav", tones((0, 0.2), (1000, 0.5), (0, 0.3)), RATE)
    places = [["{speech_commands_path}/yes/a.wav", at, 0.7] for at in (1.0, 6.0)]
    text = {
        "configs_background": [["{musan_path}/music.wav", 5.0, 9.0, 0.05]],
        "configs_wakeword": places,
        "length_sec": 10.0,
        "sample_rate": RATE,
    }
    (root / "long_wav_spec.json").write_text(json.dumps(text))
    return root


def test_long_wav_is_what_its_specification_says(spec, tmp_path):
    roots = {"speech_commands_path": spec / "sc", "musan_path": spec / "musan"}
    path, words = build_long_wav(read_spec(spec / "long_wav_spec.json"), "yes", roots, tmp_path)
    audio = read(path, RATE)
    assert len(audio) == 10 * RATE
    assert np.abs(audio).max() == pytest.approx(1.0, abs=1e-3)
    assert [(word.start_s, round(word.end_s, 2)) for word in words] == [(1.0, 1.5), (6.0, 6.5)]
    assert [word.start_s for word in read_words(path.with_suffix(".txt"))] == [1.0, 6.0]
    word, music = audio[RATE : int(1.45 * RATE)], audio[7 * RATE : 9 * RATE]
    assert np.std(word) / np.std(music) == pytest.approx(0.7 / 0.05, rel=0.02)
    assert not audio[: RATE - 10].any()
    assert not audio[9 * RATE + 10 :].any()
    assert len(trimmed(tones((0, 0.2), (1000, 0.5), (0, 0.3)))) == pytest.approx(8000, abs=20)


def test_specifications_that_are_wrong(spec, tmp_path):
    good = json.loads((spec / "long_wav_spec.json").read_text())
    wrong = [
        ({"length_sec": 5.0}, "after the recording"),
        ({"configs_wakeword": [["{voices}/a.wav", 1.0, 0.5]]}, "a folder that is not known"),
        ({"configs_wakeword": [["{musan_path}/gone.wav", 1.0, 0.5]]}, "gone.wav"),
        ({"configs_wakeword": [["a.wav", -1.0, 0.5]]}, "is no specification"),
        ({"sample_rate": "fast"}, "is no specification"),
    ]
    for change, message in wrong:
        (tmp_path / "spec.json").write_text(json.dumps({**good, **change}))
        out = refused(
            *("prepare_data.py", "long-wav", tmp_path / "spec.json", "--out", tmp_path / "out"),
            *("--speech-commands", spec / "sc", "--musan", spec / "musan"),
        )
        assert message in out
    (tmp_path / "spec.json").write_text("[1")
    with pytest.raises(DataError, match="is no specification of a long recording"):
        read_spec(tmp_path / "spec.json")


@pytest.fixture(scope="module")
def wake(tmp_path_factory):
    """Three takes of a tone, two utterances, one of which says the word; two channels of noise."""
    root, rng = tmp_path_factory.mktemp("picovoice"), np.random.default_rng(0)
    for index in range(3):
        write(root / "takes" / f"{index}.wav", tones((1000, 0.5)), RATE)
    for name in ("1-1-0", "1-1-1"):
        write(root / "speech" / "1" / "1" / f"{name}.flac", rng.normal(0, 0.1, 2 * RATE), RATE)
    said = "1-1-0 SAY YES TO IT\n1-1-1 NOTHING AT ALL\n"
    (root / "speech" / "1" / "1" / "1-1.trans.txt").write_text(said)
    for channel in ("ch01", "ch02"):
        write(root / "noise" / "CAFE" / f"{channel}.wav", rng.normal(0, 0.1, 3 * RATE), RATE)
    return root


def order(wake, **changes) -> MixOrder:
    places = {name: wake / name for name in ("takes", "speech", "noise")}
    return MixOrder("yes", **{**places, "hours": 60 / 3600, **changes})


def test_a_mix_has_every_take_once_in_its_time(wake, tmp_path, monkeypatch):
    monkeypatch.setattr("kws.data.wake_mix.FILE_S", 30.0)
    files = make_mix(order(wake), tmp_path / "mix")
    assert [path.name for path, _ in files] == ["mix_000.wav", "mix_001.wav", "mix_002.wav"][
        : len(files)
    ]
    assert 60 <= sum(seconds for _, seconds in files) < 75
    words = [word for path, _ in files for word in read_words(path.with_suffix(".txt"))]
    assert [word.word for word in words] == ["yes"] * 3
    first = read_words(files[0][0].with_suffix(".txt"))[0]
    audio = read(files[0][0], RATE)
    at = slice(round(first.start_s * RATE), round(first.end_s * RATE))
    spectrum = np.abs(np.fft.rfft(audio[at]))
    assert np.argmax(spectrum) / 0.5 == pytest.approx(1000, abs=4)
    again = make_mix(order(wake), tmp_path / "again")
    assert again[0][0].read_bytes() == files[0][0].read_bytes()
    other = make_mix(order(wake, seed=2), tmp_path / "other")
    assert other[0][0].read_bytes() != files[0][0].read_bytes()


def test_the_ratio_is_of_the_loudest_frames():
    rng = np.random.default_rng(1)
    noise, word = rng.normal(0, 0.1, 4 * RATE), np.zeros(4 * RATE)
    word[RATE : 2 * RATE] = rng.normal(0, 0.3, RATE)
    added = over(word.astype(np.float32), noise.astype(np.float32), 10.0) - noise
    ratio = loudest_energy(added) / loudest_energy(noise)
    assert 10 * np.log10(ratio) == pytest.approx(10.0, abs=0.01)
    assert over(np.zeros(RATE), noise[:RATE], 10.0).tolist() == noise[:RATE].tolist()
    ones = np.ones(1000)
    assert loudest_energy(ones) == 512
    assert loudest_energy(ones[:100]) == 100


def test_utterances_with_the_word_are_left_out(wake):
    assert [path.stem for path in utterances(wake / "speech", "yes")] == ["1-1-1"]
    assert len(utterances(wake / "speech", "alexa")) == 2
    with pytest.raises(DataError, match="is said in each of its recordings"):
        utterances(wake / "speech", "t")


def test_both_from_the_terminal(spec, wake, hearing, tmp_path):
    model = hearing
    long = tmp_path / "long"
    said = run_tool(
        *("prepare_data.py", "long-wav", spec / "long_wav_spec.json", "--out", long),
        *("--speech-commands", spec / "sc", "--musan", spec / "musan", "--keyword", "yes"),
    ).stdout
    assert "0.2 min, 2 times yes" in said
    report = tmp_path / "report.json"
    told = run_tool(
        "evaluate.py", model, "--stream", long, "--rules", "mlperf", "--json", report
    ).stdout
    assert "by the rules of mlperf: yes" in told
    assert "at most 8 missed and 8 false accepts" in told
    found = json.loads(report.read_text())
    assert found["rules"] == "mlperf"
    assert found["by_rules"][0]["missed"]["total"] == 2
    run_tool(
        *("prepare_data.py", "wake-mix", "yes", "--hours", 0.01, "--out", tmp_path / "mix"),
        *(part for name in ("takes", "speech", "noise") for part in (f"--{name}", wake / name)),
    )
    told = run_tool(
        "evaluate.py", model, "--stream", tmp_path / "mix", "--rules", "picovoice"
    ).stdout
    assert "by the rules of picovoice: yes" in told
    assert "no claim: that rate takes 37 hours to show" in told or "no threshold" in told
    windows = tmp_path / "windows"
    write(windows / "a.wav", tones((0, 1.0), (1000, 0.5), (0, 1.0)), RATE)
    (windows / "a_ww_windows.json").write_text("[[1.0, 1.5]]")
    out = refused("evaluate.py", model, "--stream", windows, "--rules", "mlperf")
    assert "do not tell which word is said" in out
    (windows / "a_ww_windows.json").write_text("[[1.5, 1.0]]")
    assert "expected start before end" in refused("evaluate.py", model, "--stream", windows)
    (windows / "a_ww_windows.json").write_text("{}x")
    assert "expected [[start, end], ...]" in refused("evaluate.py", model, "--stream", windows)
    (windows / "a_ww_windows.json").rename(windows / "gone.json")
    (windows / "a.txt").write_text("1.0\t1.5\tmarvin\n")
    out = refused("evaluate.py", model, "--stream", windows, "--rules", "mlperf")
    assert "the recordings say marvin, the model listens for yes, no" in out
    full = refused(
        *("prepare_data.py", "wake-mix", "yes", "--out", tmp_path / "mix"),
        *(part for name in ("takes", "speech", "noise") for part in (f"--{name}", wake / name)),
    )
    assert "already holds something" in full

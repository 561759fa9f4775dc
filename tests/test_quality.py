"""What is found wrong with a corpus: by clip, between clips, by label; its table, page and JSON."""

import base64
import io as bytes_io
import json
import os
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from conftest import refused, run_tool

from kws.audio.io import write
from kws.data import quality_corpus
from kws.data.manifest import Clip
from kws.data.manifest_file import write_manifest
from kws.data.quality import checks, measure
from kws.data.quality_corpus import (
    clip_name,
    content_of,
    list_words,
    measure_corpus,
    read_clip,
)
from kws.data.quality_findings import judge
from kws.errors import AudioError, DataError
from kws.report.quality_page import WORST, waveform, write_quality_page

RATE = 16000
TRAINING, VALIDATION = "0132a06d", "026290a7"
"""Speakers, by the published rule."""


def tone(hz: float, seconds: float = 1.0, level: float = 0.5, rate: int = RATE) -> np.ndarray:
    time_s = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def noise(seconds: float = 1.0, level: float = 1e-3, seed: int = 0) -> np.ndarray:
    samples = round(seconds * RATE)
    return np.random.default_rng(seed).normal(0, level, samples).astype(np.float32)


def word(hz: float = 700, seed: int = 0, level: float = 0.3, seconds: float = 1.0) -> np.ndarray:
    """A tone of 0.4 s, 0.2 s after the beginning, in faint noise of its own."""
    audio = noise(seconds, seed=seed)
    audio[3200:9600] += tone(hz, 0.4, level)
    return audio


def faults(audio: np.ndarray, rate: int = RATE) -> dict[str, str]:
    found = measure(audio, rate)
    return {check.name: check.text(found) for check in checks(RATE) if check.badness(found) > 0}


def test_a_good_clip_has_no_fault():
    assert faults(word()) == {}
    found = measure(word(), RATE)
    # 0.3 of full scale is -10.46 dB, a sine's root mean square 3.01 dB below; noise 0.001 is -60.
    assert found.speech_dbfs == pytest.approx(-13.47, abs=0.05)
    assert found.floor_dbfs == pytest.approx(-60.0, abs=1.0)
    assert found.snr_db == found.speech_dbfs - found.floor_dbfs
    assert (found.sample_rate_hz, found.duration_s, found.clipped_ms) == (RATE, 1.0, 0.0)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_levels_do_not_depend_on_the_rate(rate):
    found = measure(tone(1000, level=0.5, rate=rate), rate)
    assert found.speech_dbfs == pytest.approx(-9.03, abs=0.05)  # 20 log10(0.5 / sqrt 2)
    assert found.floor_dbfs == pytest.approx(-9.03, abs=0.1)
    assert found.duration_s == 1.0


@pytest.mark.parametrize(("length_s", "heard"), [(0.08, False), (0.1, True), (0.2, True)])
def test_a_click_is_no_word(length_s, heard):
    audio = noise()
    audio[3200 : 3200 + round(length_s * RATE)] += tone(1000, length_s)
    assert (measure(audio, RATE).snr_db > 40) == heard


def test_padding_is_no_quiet_room():
    bare = noise(0.5, 0.01)
    padded = np.concatenate([np.zeros(8000, np.float32), bare, np.zeros(8000, np.float32)])
    assert measure(bare, RATE).floor_dbfs == pytest.approx(-40, abs=1)
    assert measure(padded, RATE).floor_dbfs == pytest.approx(-40, abs=1)


def test_rumble_is_no_noise_floor():
    # A second-order high-pass at 80 Hz leaves 1 / sqrt(1 + (80 / 30)^4) of 30 Hz: -17.1 dB.
    found = measure(tone(30, level=0.3), RATE)
    assert found.speech_dbfs == pytest.approx(-13.47 - 17.1, abs=1.0)
    assert "noisy" not in faults(word() + tone(10, level=0.3))


@pytest.mark.parametrize("scale", [1.0, 0.4, -0.15])
def test_clipped_at_full_scale_or_made_softer_afterwards(scale):
    # Twice too loud: beyond 0.98 of the ceiling for 1 - 2/pi asin(0.49) = 67.4 % of the time.
    audio = np.clip(tone(200, level=2.0), -1, 1) * np.float32(scale)
    assert measure(audio, RATE).clipped_ms == pytest.approx(674, abs=8)
    assert faults(audio)["clipped"].endswith(" ms")


def test_one_side_clipped():
    audio = np.maximum(tone(200, level=0.9), -0.45)
    # Below -0.441 of 0.9: acos(0.49) / pi = 33.7 % of the time.
    assert measure(audio, RATE).clipped_ms == pytest.approx(337, abs=8)


def test_loud_is_not_clipped():
    assert measure(tone(200, level=0.97), RATE).clipped_ms == 0
    speechlike = np.random.default_rng(1).laplace(0, 1, RATE).astype(np.float32)
    speechlike /= np.abs(speechlike).max()
    assert measure(speechlike, RATE).clipped_ms < 0.5
    assert "clipped" not in faults(speechlike)


def test_a_ripple_on_flat_peaks_hides_nothing():
    rippled = np.clip(tone(200, level=2.0), -1, 1) * 0.95 + noise(level=0.004)
    assert measure(rippled.astype(np.float32), RATE).clipped_ms > 100


@pytest.mark.parametrize("offset", [0.05, -0.05])
def test_offset_with_and_without_padding(offset):
    audio = word() + np.float32(offset)
    padded = np.concatenate([audio, np.zeros(4000, np.float32)])
    for clip in (audio, padded):
        assert measure(clip, RATE).offset == pytest.approx(offset, abs=0.002)
        assert faults(clip) == {"DC offset": f"{offset:+.1%}"}


def test_a_slow_swing_is_no_offset():
    assert measure(word() + tone(2, level=0.2), RATE).offset == 0.0
    assert measure(word() + np.float32(0.005), RATE).offset == pytest.approx(0.005, abs=0.001)
    assert "DC offset" not in faults(word() + np.float32(0.005))


def test_silence_faintness_and_noise():
    assert faults(np.zeros(RATE, np.float32)) == {"silent or faint": "-100 dBFS"}
    assert list(faults(word(level=1e-3) * 0.1)) == ["silent or faint"]
    assert faults(word(level=0.005) * 10).keys() == set()  # faint, yet far above its noise
    # 0.11 is -19.2 dB; the quietest tenth of the frames lies half a decibel below the mean.
    assert list(faults(noise(level=0.11))) == ["noisy"]
    assert faults(noise(level=0.11))["noisy"].endswith("dB above -20 dBFS")


@pytest.mark.parametrize(
    ("seconds", "fault"), [(0.24, "too short"), (0.25, None), (2.0, None), (2.1, "too long")]
)
def test_lengths(seconds, fault):
    found = faults(word(seconds=3.0)[3000 : 3000 + round(seconds * RATE)])
    assert [name for name in found if name.startswith("too")] == ([fault] if fault else [])


def test_rate_is_named():
    assert faults(tone(300, rate=8000), 8000)["wrong rate"] == "8000 Hz"


@pytest.mark.parametrize("samples", [1, 2, 319, 320, 321])
@pytest.mark.parametrize("rate", [1, 100, RATE])
def test_the_shortest_clips_are_measured(samples, rate):
    found = measure(np.full(samples, 0.5, np.float32), rate)
    assert found.offset == pytest.approx(0.5)
    assert np.isfinite([found.speech_dbfs, found.floor_dbfs]).all()


def test_content_is_that_of_the_samples(tmp_path):
    audio = word()
    for name in ("a.wav", "a.flac"):
        write(tmp_path / name, audio, RATE)
    written, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    soundfile.write(tmp_path / "b.wav", np.stack([written, written], 1), RATE, "PCM_16")
    contents = {
        content_of(*read_clip(Clip(path, "yes", "a", "training"), RATE))
        for path in tmp_path.iterdir()
    }
    assert len(contents) == 1
    assert content_of(audio, RATE) in contents
    assert content_of(audio, 8000) not in contents
    assert content_of(audio + np.float32(1 / 32768), RATE) not in contents
    assert content_of(np.zeros(100, np.float32), RATE) == 0


@pytest.fixture
def root(tmp_path):
    """A small corpus with one of everything."""
    for number, (label, hz) in enumerate((("yes", 300), ("no", 600))):
        for take in range(4):
            for speaker in (TRAINING, VALIDATION):
                seed = 100 * number + 10 * take + (speaker == TRAINING)
                name = f"{speaker}_nohash_{take}.wav"
                write(tmp_path / label / name, word(hz, seed), RATE)
    yes, no = tmp_path / "yes", tmp_path / "no"
    write(
        yes / f"{TRAINING}_nohash_7.flac",
        soundfile.read(yes / f"{VALIDATION}_nohash_0.wav")[0],
        RATE,
    )
    shutil.copy(yes / f"{TRAINING}_nohash_1.wav", no / f"{TRAINING}_nohash_8.wav")
    shutil.copy(no / f"{TRAINING}_nohash_2.wav", no / f"{TRAINING}_nohash_9.wav")
    write(yes / f"{TRAINING}_nohash_20.wav", tone(300, rate=8000), 8000)
    write(yes / f"{TRAINING}_nohash_21.wav", np.clip(4 * word(seed=21), -1, 1), RATE)
    write(yes / f"{TRAINING}_nohash_22.wav", np.zeros(RATE), RATE)
    write(yes / f"{TRAINING}_nohash_23.wav", np.zeros(RATE), RATE)
    write(tmp_path / "silence" / f"{TRAINING}_nohash_0.wav", noise(level=0.1), RATE)
    (yes / f"{TRAINING}_nohash_30.wav").touch()
    (no / "take.wav").write_text("no sound")
    (no / "take.m4a").touch()
    (no / "deeper").mkdir()
    (tmp_path / "empty").mkdir()
    return tmp_path


def found_in(root):
    quality = judge(measure_corpus(root, RATE), RATE)
    return quality, {finding.name: finding for finding in quality.findings}


def described(finding):
    return [
        (" = ".join(f"{c.path.parent.name}/{c.path.name}" for c in case.clips), case.text)
        for case in finding.cases
    ]


def test_everything_is_found_the_serious_first(root):
    quality, found = found_in(root)
    assert list(found)[:4] == ["in two splits", "under two labels", "unreadable", "repeated"]
    assert [finding.serious for finding in quality.findings[:4]] == [True, True, True, False]
    one = TRAINING + "_nohash_"
    assert described(found["in two splits"]) == [
        (f"yes/{one}7.flac = yes/{VALIDATION}_nohash_0.wav", "2 clips: training, validation; yes")
    ]
    assert described(found["under two labels"]) == [
        (f"no/{one}8.wav = yes/{one}1.wav", "2 clips: training; no, yes")
    ]
    assert described(found["repeated"]) == [
        (f"no/{one}2.wav = no/{one}9.wav", "2 clips: training; no")
    ]
    unreadable = dict(described(found["unreadable"]))
    assert unreadable.keys() == {f"yes/{one}30.wav", "no/take.wav"}
    assert unreadable[f"yes/{one}30.wav"].startswith("an empty file")
    assert described(found["wrong rate"]) == [(f"yes/{one}20.wav", "8000 Hz")]
    assert [name for name, _ in described(found["clipped"])] == [f"yes/{one}21.wav"]
    # Zeros are no repeated content, but silent; recorded silence may be silent.
    assert len(found["silent or faint"].cases) == 2
    assert [name for name, _ in described(found["noisy"])] == [f"yes/{one}20.wav"]


def test_what_is_not_read_is_named(root):
    _, found = found_in(root)
    assert {case.text for case in found["left out"].cases} == {
        "1 × .m4a, such as no/take.m4a",
        "1 × folder in a word's folder, such as no/deeper",
        "1 × folder without a sound file, such as empty",
    }


def test_labels_are_counted(root):
    quality, found = found_in(root)
    yes, no, silence = quality.labels
    assert (yes.label, yes.clips, yes.splits, yes.speakers) == ("yes", 14, (10, 4, 0), 2)
    assert (no.label, no.clips) == ("no", 11)  # ten tones and a text
    assert silence.label == "silence"
    assert yes.seconds == 13.0  # all but the empty one
    assert yes.faulty == 5
    assert no.faulty == 1
    assert no.floor_dbfs == pytest.approx(-60, abs=1)
    assert no.snr_db == pytest.approx(46.5, abs=1)
    assert (quality.clips, quality.speakers, quality.seconds) == (26, 2, 24.0)
    assert [case.text for case in found["few speakers"].cases] == ["yes: 2", "no: 2"]
    assert "few clips" not in found
    assert "missing split" not in found


def test_balance_and_missing_splits(tmp_path):
    clips = [
        Clip(tmp_path / f"{number}.wav", label, "", split)
        for number, (label, split) in enumerate(
            [("yes", "training")] * 30
            + [("yes", "testing"), ("no", "training"), ("no", "training")]
        )
    ]
    for number, clip in enumerate(clips):
        soundfile.write(clip.path, word(seed=number), RATE)
    write_manifest(tmp_path / "manifest.csv", clips)
    quality, found = found_in(tmp_path)
    assert quality.speakers is None
    assert [case.text for case in found["few clips"].cases] == ["no: 2 clips, 16 times fewer"]
    assert [case.text for case in found["missing split"].cases] == ["no: no testing clips"]
    assert "few speakers" not in found


def test_pieces_of_a_recording(tmp_path):
    audio = np.concatenate([word(300, 1), word(600, 2), word(300, 1)])
    write(tmp_path / "session.wav", audio, RATE)
    path = tmp_path / "session.wav"
    clips = [Clip(path, "yes", "eva", "training", start, 1.0) for start in (0.0, 1.0, 2.0)]
    clips.append(Clip(path, "yes", "eva", "training", 2.5, 1.0))
    write_manifest(tmp_path / "own.csv", clips)
    quality, found = found_in(tmp_path / "own.csv")
    assert quality.seconds == 3.0
    assert [clip.start_s for clip in found["repeated"].cases[0].clips] == [0.0, 2.0]
    (case,) = found["unreadable"].cases
    assert "expected a piece of 1 s that begins at 2.5 s" in case.text
    assert clip_name(case.clips[0], tmp_path) == "session.wav (2.5–3.5 s) · training"


def test_all_cores_find_the_same(root, monkeypatch):
    alone = measure_corpus(root, RATE)
    monkeypatch.setattr(quality_corpus, "_CHUNK", 2)
    parallel = measure_corpus(root, RATE)
    assert np.array_equal(alone.table, parallel.table)
    assert list(alone.bad.items()) == list(parallel.bad.items())
    assert len(alone.bad) == 2


def test_folders_that_hold_no_corpus(tmp_path):
    with pytest.raises(DataError, match="no such data folder"):
        list_words(tmp_path / "gone")
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "a.txt").touch()
    with pytest.raises(
        DataError, match=r"no folder with a sound file \(\.wav.*expected one folder"
    ):
        list_words(tmp_path)


def test_a_pipe_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="a pipe"):
        read_clip(Clip(tmp_path / "a.wav", "yes", "a", "training"), RATE)


def test_names_that_are_no_text(tmp_path):
    name = os.fsdecode(b"t\xffe")
    write(tmp_path / "yes" / "a.wav", word(), RATE)
    (tmp_path / "yes" / "a.wav").rename(tmp_path / "yes" / f"{TRAINING}_nohash_{name}.wav")
    quality, found = found_in(tmp_path)
    assert [case.text for case in found["unreadable"].cases] == ["its name is not UTF-8; rename it"]
    write_quality_page(tmp_path / "page.html", quality)
    assert f"yes/{TRAINING}_nohash_t?e.wav" in (tmp_path / "page.html").read_text(encoding="utf-8")
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=r"t\?e: its name is not UTF-8; rename it"):
        list_words(tmp_path)


def test_waveform_in_its_scale():
    svg, scale = waveform(tone(5, level=0.02))
    assert scale == 0.03
    assert "edge" not in svg
    svg, scale = waveform(np.array([1.0, -1.0], np.float32))
    assert scale == 1.0
    # Two columns of 300; from 2 below the upper edge to 2 above the lower one, full scale there.
    assert 'd="M150.0 2.0L450.0 88.0L450.0 88.0L150.0 2.0Z" class="wave"' in svg
    assert svg.count('class="edge"') == 2
    assert waveform(np.array([4.0], np.float32))[1] == 4.0
    assert waveform(np.zeros(5, np.float32))[1] == 0.001


class Page(HTMLParser):
    """What a page shows: its tags, its sounds, its text, its addresses."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.sounds, self.words, self.addresses = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "data")]
        if tag == "audio":
            self.sounds.append(dict(attrs)["src"])

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_whole_and_can_be_heard(root):
    (root / "<b>&").mkdir()
    write(root / "<b>&" / f"{TRAINING}_nohash_0.wav", noise(level=0.2, seed=5), RATE)
    quality, found = found_in(root)
    write_quality_page(root / "q.html", quality)
    page = Page((root / "q.html").read_text(encoding="utf-8"))
    assert all(address.startswith("data:audio/flac;base64,") for address in page.addresses)
    assert "b" not in page.tags
    assert "<b>&" in page.words
    drawn = [
        case
        for finding in quality.findings
        if finding.name != "unreadable"
        for case in finding.cases[:WORST]
        if case.clips
    ]
    assert len(page.sounds) == page.tags.count("svg") == len(drawn)
    heard = base64.b64decode(page.sounds[0].partition(",")[2])
    samples, rate = soundfile.read(bytes_io.BytesIO(heard), dtype="int16")
    wanted, _ = soundfile.read(found["in two splits"].cases[0].clips[0].path, dtype="int16")
    assert rate == RATE
    assert np.array_equal(samples, wanted)
    text = " ".join(page.words)
    assert "an empty file, expected a recording" in text
    assert "in two splits: 1" in text


def test_a_page_of_a_corpus_in_order(tmp_path):
    for take in range(3):
        soundfile.write(tmp_path / f"{take}.wav", word(seed=take), RATE)
    clips = [Clip(tmp_path / f"{take}.wav", "yes", "", "training") for take in range(3)]
    write_manifest(tmp_path / "manifest.csv", clips)
    quality, found = found_in(tmp_path)
    write_quality_page(tmp_path / "q.html", quality)
    assert found == {}
    assert "Nothing that is looked for" in (tmp_path / "q.html").read_text()


def test_long_and_high_recordings_on_the_page(tmp_path):
    write(tmp_path / "yes" / "a.wav", tone(300, 4.0, 0.09, 96000), 96000)
    quality, _ = found_in(tmp_path)
    write_quality_page(tmp_path / "q.html", quality)
    text = (tmp_path / "q.html").read_text()
    assert "the first 3 s of 4.0 s, height ±0.1" in text
    heard = base64.b64decode(Page(text).sounds[0].partition(",")[2])
    samples, rate = soundfile.read(bytes_io.BytesIO(heard))
    assert (len(samples), rate) == (3 * RATE, RATE)


def test_the_program(root, tmp_path):
    page, table = tmp_path / "out" / "q.html", tmp_path / "out" / "q.json"
    result = run_tool("prepare_data.py", "check", root, "--html", page, "--json", table)
    lines = result.stdout.splitlines()
    assert lines[0] == (f"{root}: 26 clips, 0.01 h, 3 labels, 2 speakers; 6 clips with a fault")
    order = [result.stdout.index(name) for name in ("in two splits", "unreadable", "clipped")]
    assert order == sorted(order)
    assert f"yes/{TRAINING}_nohash_20.wav · training: 8000 Hz" in result.stdout
    assert page.read_text().startswith("<!DOCTYPE html>")
    found = json.loads(table.read_text())
    assert found["labels"][0]["splits"] == {"training": 10, "validation": 4, "testing": 0}
    wrong = next(one for one in found["findings"] if one["name"] == "wrong rate")
    assert wrong["cases"][0]["text"] == "8000 Hz"
    assert wrong["cases"][0]["clips"][0]["path"] == str(root / "yes" / f"{TRAINING}_nohash_20.wav")


def test_another_rate(root):
    quality = judge(measure_corpus(root, 8000), 8000)
    (wrong,) = (finding for finding in quality.findings if finding.name == "wrong rate")
    assert wrong.meaning.startswith("not 8000 Hz")
    assert len(wrong.cases) == 23  # of 26: two cannot be read, one is at 8000 Hz


def test_refusals(root, tmp_path):
    assert "no such data folder" in refused("prepare_data.py", "check", tmp_path / "gone")
    result = run_tool("prepare_data.py", "check", root, "--rate", "16", status=2)
    assert "expected 1000 to 384000" in result.stderr


def test_real_clips_are_judged_as_a_listener_would(speech_data, tmp_path):
    for name in ("bed", "happy"):
        (tmp_path / name).symlink_to(speech_data / "speech_commands" / name)
    quality, found = found_in(tmp_path)
    assert quality.clips == 400
    assert {"in two splits", "repeated", "unreadable", "too long"}.isdisjoint(found)
    names = {kind: [name for name, _ in described(one)] for kind, one in found.items()}
    # Looked at one by one: a waveform a fifth of full scale off the middle; words under a hum
    # louder than they are; a word cut off by the level of the recorder.
    assert names["DC offset"][0] == "happy/7014b07e_nohash_1.flac"
    assert {"happy/f5c3de1b_nohash_0.flac", "bed/84999496_nohash_0.flac"} <= set(names["noisy"])
    assert "happy/a42a88ff_nohash_0.flac" in names["clipped"]
    assert sum(one.faulty for one in quality.labels) < 0.06 * 400

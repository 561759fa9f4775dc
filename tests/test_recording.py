"""Recording at the microphone: the word is found, its take checked, kept under a free name."""

import csv
import functools
import io
import os
import pty
import random
import re
import signal
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soxr
from conftest import ROOT, refused, run_tool
from rich.console import Console

from kws.audio.io import read, write
from kws.audio.level import SILENT_DBFS, Meter, dbfs, envelope
from kws.audio.loudspeaker import play, stop
from kws.audio.noise import coloured_noise, loud_power
from kws.audio.take import judge
from kws.audio.word import find_words
from kws.data.espeak import Espeak
from kws.data.folder import read_folder
from kws.data.recording import AUTOMATIC_RETRIES, Session, State
from kws.data.recording_folder import RecordingFolder, check_word, speaker_name
from kws.data.speech_commands import split_of
from kws.errors import AudioError, DataError, StorageError

sys.path.insert(0, str(ROOT / "tools"))
from prepare.record_screen import BARS, PLAIN_BARS, Lines, Live, facts, waveform

RATE = 16000
TOOL = [sys.executable, str(ROOT / "tools" / "prepare_data.py"), "record"]


def room(seconds: float, noise_dbfs: float = -60.0, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 10 ** (noise_dbfs / 20), round(seconds * RATE))
    return noise.astype(np.float32)


def with_bursts(*bursts: tuple[float, float], level: float = 0.2, **how) -> np.ndarray:
    """2.5 s of room with tones of full amplitude ``level``, each from and to so many seconds."""
    audio = room(2.5, **how)
    at = np.arange(len(audio)) / RATE
    for start, end in bursts:
        inside = (at >= start) & (at < end)
        audio[inside] += (level * np.sin(2 * np.pi * 500 * at[inside])).astype(np.float32)
    return audio


GOOD = with_bursts((1.0, 1.4))


def kinds(audio: np.ndarray, clip_s: float = 1.0) -> list[str]:
    return [problem.kind for problem in judge(audio, RATE, clip_s).problems]


# --- finding the word ---


@pytest.mark.parametrize("noise_dbfs", [-200, -70, -50, -40])
def test_a_burst_is_found_where_it_is(noise_dbfs):
    (span,) = find_words(with_bursts((1.0, 1.4), noise_dbfs=noise_dbfs), RATE)
    assert 0.95 <= span.start / RATE <= 1.0
    assert 1.4 <= span.end / RATE <= 1.45


def test_a_short_silence_is_inside_a_word_and_a_long_one_parts_two():
    assert len(find_words(with_bursts((0.5, 0.8), (0.95, 1.1)), RATE)) == 1
    first, second = find_words(with_bursts((0.5, 0.8), (1.2, 1.5)), RATE)
    assert first.end / RATE == pytest.approx(0.8, abs=0.05)
    assert second.start / RATE == pytest.approx(1.2, abs=0.05)
    assert first.strength == pytest.approx(second.strength, rel=0.1)


def test_noise_digital_silence_and_a_click_hold_no_word():
    assert find_words(room(2.5), RATE) == []
    assert find_words(np.zeros(40000, np.float32), RATE) == []
    click = room(2.5)
    click[20000:20032] += 0.3
    assert find_words(click, RATE) == []


def test_a_faint_high_sound_is_found_beside_a_loud_hum():
    at = np.arange(40000) / RATE
    audio = room(2.5, -70) + (0.1 * np.sin(2 * np.pi * 150 * at)).astype(np.float32)
    hiss = np.diff(room(0.3, -45, seed=1), prepend=np.float32(0))  # 40 dB below the hum
    audio[16000 : 16000 + len(hiss)] += hiss
    (span,) = find_words(audio, RATE)
    assert span.start / RATE == pytest.approx(1.0, abs=0.05)
    assert span.end / RATE == pytest.approx(1.3, abs=0.05)


@functools.cache
def clean_clips(folder: Path, wanted: int) -> list[np.ndarray]:
    """Clips of real words whose own noise is 45 dB down, and which are not cut off."""
    paths = sorted(folder.glob("speech_commands/[a-z]*/*.flac"))
    random.Random(0).shuffle(paths)
    clips: list[np.ndarray] = []
    for path in paths:
        audio = read(path, RATE)
        if len(clips) == wanted:
            break
        frames = np.square(audio[: len(audio) // 160 * 160]).reshape(-1, 160).mean(axis=1)
        edges = max(np.square(audio[:400]).sum(), np.square(audio[-400:]).sum())
        quiet = np.percentile(frames, 10) < loud_power(audio, RATE) * 10**-4.5
        if len(audio) == RATE and quiet and edges < 0.002 * np.square(audio).sum():
            clips.append(audio)
    return clips


@pytest.mark.parametrize(
    ("exponent", "snr_db", "least", "usual"),
    # exponent of the noise's colour; share of the word's energy in all but 5 % and in the median
    [(0, 40, 0.99, 0.999), (1, 30, 0.98, 0.998), (2, 20, 0.98, 0.998), (0, 20, 0.96, 0.997)],
)
def test_real_words_in_noise_are_covered(speech_data, exponent, snr_db, least, usual):
    rng = np.random.default_rng(1)
    shares, lengths = [], []
    for clip in clean_clips(speech_data, 50):
        noise = coloured_noise(40000, exponent, rng, RATE)
        level = np.sqrt(loud_power(clip, RATE) / np.mean(np.square(noise)) * 10 ** (-snr_db / 10))
        at = int(rng.integers(800, 40000 - RATE - 800))
        audio = (noise * level).astype(np.float32)
        audio[at : at + RATE] += clip
        spans = find_words(audio, RATE)
        assert spans, "a word was not found"
        word = max(spans, key=lambda span: span.strength)
        energy = np.square(clip, dtype=np.float64)
        found = energy[max(0, word.start - at) : max(0, word.end - at)].sum() / energy.sum()
        shares.append(found)
        lengths.append((word.end - word.start) / RATE)
    assert np.percentile(shares, 5) > least
    assert np.median(shares) > usual
    assert 0.25 < np.median(lengths) < 0.75  # the word, and not all that was heard


# --- level ---


def test_levels():
    assert (dbfs(1.0), dbfs(0.1), dbfs(0.0)) == (0.0, -20.0, SILENT_DBFS)
    assert dbfs(1e-9) == SILENT_DBFS


def test_the_meter_holds_its_peak_for_a_second_and_a_half():
    meter = Meter(RATE)
    assert meter.held_dbfs == SILENT_DBFS
    meter.push(np.array([0.0, -0.1], np.float32))
    meter.push(np.full(23000, 0.01, np.float32))
    assert (round(meter.level_dbfs), round(meter.held_dbfs)) == (-40, -20)
    meter.push(np.full(2000, 0.001, np.float32))  # 25,000 samples later
    assert (round(meter.level_dbfs), round(meter.held_dbfs)) == (-60, -60)


def test_an_envelope_has_the_largest_of_each_part():
    assert envelope(np.array([0.1, -0.5, 0.0, 0.2]), 2).tolist() == [0.5, 0.2]
    assert envelope(np.array([0.3]), 2).tolist() == [0.3, 0.0]


# --- judging a take ---


def test_a_good_take_is_cut_with_its_word_in_the_middle():
    take = judge(GOOD, RATE, 1.0)
    assert take.passes
    assert np.array_equal(take.clip, GOOD[take_start(take) :][:RATE])
    start_s, end_s = take.word
    assert (start_s + end_s) / 2 == pytest.approx(0.5, abs=0.01)
    assert end_s - start_s == pytest.approx(0.4, abs=0.09)
    assert take.level_dbfs == pytest.approx(dbfs(0.2 / np.sqrt(2)), abs=0.3)
    assert take.peak_dbfs == pytest.approx(dbfs(0.2), abs=0.2)
    assert take.noise_dbfs == pytest.approx(-60, abs=0.5)
    assert take.snr_db == take.level_dbfs - take.noise_dbfs


def take_start(take) -> int:
    windows = np.lib.stride_tricks.sliding_window_view(take.recording, len(take.clip))
    (start,) = np.flatnonzero((windows == take.clip).all(axis=1))
    return int(start)


@pytest.mark.parametrize("start", [0.06, 2.0])
def test_a_word_near_an_end_stays_whole_though_not_in_the_middle(start):
    take = judge(with_bursts((start, start + 0.4)), RATE, 1.0)
    assert take.passes
    assert len(take.clip) == RATE
    middle_s = start + 0.2 - take_start(take) / RATE
    assert sum(take.word) / 2 == pytest.approx(middle_s, abs=0.02)


@pytest.mark.parametrize(
    ("audio", "kind", "sentence"),
    [
        (room(2.5), "no word", "nothing stands out of the noise: say the word"),
        (np.zeros(40000, np.float32), "no word", "digital silence: switch it on or unmute it"),
        (with_bursts((1, 1.4), level=0.005, noise_dbfs=-75), "too quiet", "speech at -49 dBFS"),
        (np.clip(5 * GOOD, -1, 1), "clipped", r"\d{3,} samples at full scale: step back"),
        (with_bursts((0, 0.4)), "cut off", "begins before the recording: wait for the signal"),
        (with_bursts((2.2, 2.5)), "cut off", "ends in the word: speak sooner"),
        (with_bursts((0.7, 1.9)), "too long", r"takes 1.2\d s, a clip holds 1 s: say it faster"),
        (with_bursts((0.4, 0.6), (1.2, 1.7)), "two words", r"from 0.3\d to 0.6\d s"),
        (with_bursts((1, 1.4), noise_dbfs=-25), "too noisy", r"only \d+ dB above the noise"),
    ],
)
def test_each_fault_is_said_in_a_sentence(audio, kind, sentence):
    (problem,) = judge(audio, RATE, 1.0).problems
    assert problem.kind == kind
    assert re.search(sentence, problem.sentence)


def test_a_faint_sound_beside_the_word_is_no_second_word():
    audio = GOOD + with_bursts((0.3, 0.6), level=0.008, noise_dbfs=-200)  # 28 dB weaker
    assert len(find_words(audio, RATE)) == 2
    assert kinds(audio) == []


def test_a_longer_clip_holds_a_longer_word():
    audio = with_bursts((0.7, 1.9))
    assert kinds(audio, 1.5) == []
    assert len(judge(audio, RATE, 1.5).clip) == 24000


# --- the session ---


class Saved(list):
    def __call__(self, word, take) -> Path:
        self.append((word, take))
        return Path(f"{word}{len(self)}.wav")


def session_of(*words: str) -> tuple[Session, Saved]:
    saved = Saved()
    return Session(words, RATE, 1.0, saved), saved


def hear(session: Session, audio: np.ndarray, lost: int = 0) -> None:
    """Let the countdown pass, then give what is recorded, in blocks of 20 ms."""
    for block in np.zeros((75, 320), np.float32):
        assert session.state is State.COUNTDOWN
        session.push(block)
    assert session.state is State.RECORDING
    for block in audio.reshape(-1, 320):
        assert session.state is State.RECORDING
        session.push(block, lost)
    assert session.state is State.REVIEW


def test_a_session_from_beginning_to_end():
    session, saved = session_of("yes", "no")
    session.push(np.ones(320, np.float32))
    assert (session.state, session.word, session.left_s) == (State.READY, "yes", 0)
    session.start()
    assert session.left_s == 1.5
    hear(session, GOOD)
    assert session.left_s == 0
    assert np.array_equal(session.take.recording, GOOD)  # nothing of the countdown is in it
    assert saved == []
    session.keep()
    assert (session.state, session.word) == (State.COUNTDOWN, "no")
    hear(session, GOOD)
    session.go_on()
    assert (session.state, session.word) == (State.DONE, "")
    assert [word for word, _ in saved] == ["yes", "no"]
    assert session.counted("kept") == {"yes": 1, "no": 1}
    assert [str(outcome.path) for outcome in session.outcomes] == ["yes1.wav", "no2.wav"]
    for act in (session.start, session.keep, session.retry, session.skip, session.go_on):
        act()
    session.push(GOOD)
    assert (session.state, len(saved), len(session.outcomes)) == (State.DONE, 2, 2)


def test_retry_skip_and_quit():
    session, saved = session_of("yes", "no", "up")
    session.start()
    hear(session, GOOD)
    session.retry()
    assert (session.state, session.word, session.retries) == (State.COUNTDOWN, "yes", 1)
    session.push(np.zeros(8000, np.float32))
    session.retry()  # in the countdown: it begins anew, and is no take
    assert (session.left_s, session.retries) == (1.5, 1)
    hear(session, GOOD)
    session.skip()
    assert (session.word, session.retries) == ("no", 0)
    session.skip()
    assert session.word == "up"
    session.quit()
    assert (session.state, saved) == (State.DONE, [])
    assert [outcome.decision for outcome in session.outcomes] == ["retried", "skipped", "skipped"]
    assert session.counted("skipped") == {"yes": 1, "no": 1}
    assert session.outcomes[2].take is None


def test_a_bad_take_is_kept_on_request_but_not_one_without_a_word():
    session, saved = session_of("yes", "no")
    session.start()
    hear(session, with_bursts((0, 0.4)))
    session.go_on()
    assert (session.state, session.retries, saved) == (State.COUNTDOWN, 1, [])
    hear(session, with_bursts((0, 0.4)))
    session.keep()
    assert [problem.kind for problem in saved[0][1].problems] == ["cut off"]
    hear(session, room(2.5))
    session.keep()
    assert (session.state, len(saved)) == (State.REVIEW, 1)


def test_alone_it_retries_three_times_and_then_skips():
    session, saved = session_of("yes", "no")
    session.decide_alone()
    for _ in range(1 + AUTOMATIC_RETRIES):
        assert session.word == "yes"
        hear(session, room(2.5))
        session.decide_alone()
    assert session.word == "no"
    hear(session, GOOD)
    session.decide_alone()
    assert session.state is State.DONE
    assert [word for word, _ in saved] == ["no"]
    assert session.counted("retried") == {"yes": 3}
    assert session.counted("skipped") == {"yes": 1}


def test_lost_sound_is_a_fault_of_the_take_in_which_it_was_lost():
    session, _ = session_of("yes")
    session.start()
    hear(session, GOOD, lost=2)
    (problem,) = session.take.problems
    assert (problem.kind, problem.sentence[:28]) == ("sound lost", "2 blocks of sound were lost:")
    session.retry()
    for block in np.zeros((75, 320), np.float32):
        session.push(block, 5)  # lost in the countdown: of no account
    for block in GOOD.reshape(-1, 320):
        session.push(block, 5)
    assert session.take.passes


def test_a_session_of_no_words_is_done():
    assert session_of()[0].state is State.DONE


# --- where takes go ---


def kept(root: Path, word: str = "yes", speaker: str = "anna", audio=GOOD) -> str:
    folder = RecordingFolder(root, [word], speaker, "s1")
    return folder.keep(word, judge(audio, RATE, 1.0), "desk", 48000).relative_to(root).as_posix()


def log_of(root: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((root / "recordings.csv").read_text())))


def test_takes_are_numbered_by_speaker_and_logged(tmp_path):
    names = [kept(tmp_path), kept(tmp_path), kept(tmp_path, speaker="ben"), kept(tmp_path, "no")]
    assert names == [
        *("yes/anna_nohash_0.wav", "yes/anna_nohash_1.wav"),
        *("yes/ben_nohash_0.wav", "no/anna_nohash_0.wav"),
    ]
    take = judge(GOOD, RATE, 1.0)
    np.testing.assert_allclose(read(tmp_path / names[0], RATE), take.clip, atol=2**-15)
    rows = log_of(tmp_path)
    assert [row["path"] for row in rows] == names
    expected = {
        "label": "yes",
        "speaker": "anna",
        "session": "s1",
        "device": "desk",
        "device_rate_hz": "48000",
        "rate_hz": "16000",
        "checks": "passed",
        "level_dbfs": f"{take.level_dbfs:.1f}",
        "word_start": f"{take.word[0]:.3f}",
    }
    assert {name: rows[0][name] for name in expected} == expected
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", rows[0]["time"])


def test_clips_are_read_with_speaker_and_split(tmp_path):
    kept(tmp_path)
    (clip,) = read_folder(tmp_path, ("yes", "unknown", "silence"))
    assert (clip.label, clip.speaker, clip.split) == ("yes", "anna", split_of("anna"))


@pytest.mark.parametrize(
    "there", ["anna_nohash_7.wav", "anna_nohash_7.flac", "Anna_NOHASH_7.WAV", "anna_nohash_07.ogg"]
)
def test_what_is_there_is_never_overwritten(tmp_path, there):
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / there).write_text("mine")
    (tmp_path / "yes" / "joanna_nohash_90.wav").write_text("another's")
    assert kept(tmp_path) == "yes/anna_nohash_8.wav"
    assert (tmp_path / "yes" / there).read_text() == "mine"


def test_all_faults_of_a_take_are_logged(tmp_path):
    kept(tmp_path, audio=np.clip(5 * with_bursts((0, 0.4), (1.2, 1.4)), -1, 1))
    assert log_of(tmp_path)[0]["checks"] == "cut off;two words;clipped"


def test_a_log_without_its_last_line_end_is_mended(tmp_path):
    kept(tmp_path)
    log = tmp_path / "recordings.csv"
    log.write_text(log.read_text().rstrip("\n"))
    kept(tmp_path)
    assert [row["path"][-5:] for row in log_of(tmp_path)] == ["0.wav", "1.wav"]


def test_another_table_of_that_name_is_refused_before_recording(tmp_path):
    (tmp_path / "recordings.csv").write_text("date;artist\n")
    with pytest.raises(DataError, match=r"not a log of recordings: begins with 'date;artist'"):
        RecordingFolder(tmp_path, ["yes"], "anna", "s1")
    assert not (tmp_path / "yes").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises((StorageError, DataError), match="data"):
        RecordingFolder(tmp_path / "data", ["yes"], "anna", "s1")


@pytest.mark.parametrize("word", ["yes", "HeyRobot", "hey-robot", "größe", "はい", "it's", "7up"])
def test_words(word):
    check_word(word)


@pytest.mark.parametrize("word", ["", "hey robot", "../up", "_noise_", ".git", "a/b", "x" * 65])
def test_words_that_are_none(word):
    with pytest.raises(DataError, match="not a word; expected letters"):
        check_word(word)


@pytest.mark.parametrize("word", ["unknown", "silence", "Silence"])
def test_labels_that_nobody_says(word):
    with pytest.raises(DataError, match=f"--label {word}: stands for other words and for none"):
        check_word(word)


def test_a_speaker_without_a_name_is_the_same_in_every_session(monkeypatch):
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "maria")
    code = speaker_name(None)
    assert code == speaker_name(None) == "8cecf6be"  # SHA-256 of "kws speaker maria"
    monkeypatch.setenv("LOGNAME", "ben")
    assert speaker_name(None) != code


def test_speaker_names():
    assert [speaker_name(name) for name in ("anna", "4f2c", "Jürgen-2")] == [
        *("anna", "4f2c", "Jürgen-2"),
    ]
    assert speaker_name("Ju\u0308rgen") == "J\u00fcrgen"  # one spelling, one split
    for name in ("", "a b", "../a", "_a", ".a", "a_nohash_b", "a/b", "x" * 65):
        with pytest.raises(DataError, match="not fit for a file name; expected letters"):
            speaker_name(name)


# --- what is shown ---


def shown(screen: Live) -> str:
    with screen.console.capture() as capture:
        screen.console.print(screen.picture())
    return capture.get()


def test_the_screen_tells_what_to_do():
    session, _ = session_of("hey-robot")
    screen = Live(session)
    screen.console = Console(width=80, file=io.StringIO())
    screen.meter.push(np.full(320, 0.1, np.float32))
    text = shown(screen)
    assert "H E Y   R O B O T" in text
    assert "-20 dBFS" in text
    assert "Enter begin · s skip · q quit" in text
    session.start()
    assert "get ready ... 3" in shown(screen)
    hear(session, GOOD)
    text = shown(screen)
    assert "✓ word 0.4" in text
    assert "Enter keep · r retry · p replay · s skip · q quit" in text
    session.retry()
    hear(session, with_bursts((0, 0.4)))
    text = shown(screen)
    assert "✗ cut off: the word begins before the recording: wait for the signal" in text
    assert "Enter retry · k keep all the same · p replay" in text
    session.quit()
    assert "1 of 1" in shown(screen)


def test_a_waveform_stands_where_the_word_is():
    take = judge(GOOD, RATE, 1.0)
    line = waveform(take, BARS).plain.removeprefix("take  ")
    assert len(line) == 60
    assert set(line[:14] + line[-14:]) == {"▁"}
    assert set(line[20:40]) == {"█"}
    assert waveform(take, PLAIN_BARS).plain.isascii()


def test_lines_tell_each_event_once(capsys):
    session, _ = session_of("yes", "no")
    with Lines(session) as screen:
        session.start()
        for audio, act in ((room(2.5), session.retry), (GOOD, session.keep)):
            for block in (*np.zeros((75, 320), np.float32), *audio.reshape(-1, 320)):
                session.push(block)
                screen.push(block)
            act()
        session.skip()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[2] == "1/2 say: yes"
    assert lines[1].startswith("    retried: no word: nothing stands out of the noise")
    assert lines[3:] == [f"    yes1.wav: {facts(judge(GOOD, RATE, 1.0))}", "    skipped"]
    assert re.search(r"word 0.4\d s at -17 dBFS, noise -60 dBFS$", lines[3])


def test_a_take_is_replayed_and_stopped(monkeypatch):
    played = []
    sound = types.SimpleNamespace(
        PortAudioError=RuntimeError,
        query_devices=lambda kind: {"kind": kind},
        play=lambda audio, rate: played.append((len(audio), rate)),
        stop=lambda: played.append("stopped"),
    )
    monkeypatch.setitem(sys.modules, "sounddevice", sound)
    play(GOOD, RATE)
    stop()
    assert played == [(40000, RATE), "stopped"]
    monkeypatch.delitem(sys.modules, "sounddevice")
    stop()  # nothing was begun, and nothing is loaded for it
    assert "sounddevice" not in sys.modules


def test_no_loudspeaker_is_said(monkeypatch):
    def nothing(kind):
        raise ValueError(f"no {kind} device")

    sound = types.SimpleNamespace(PortAudioError=RuntimeError, query_devices=nothing)
    monkeypatch.setitem(sys.modules, "sounddevice", sound)
    with pytest.raises(AudioError, match=r"no replay: no loudspeaker .*no output device"):
        play(GOOD, RATE)


# --- the program ---


def test_without_keys_it_asks_for_auto(tmp_path):
    line = refused(
        *("prepare_data.py", "record", "--label", "yes", "--out", tmp_path / "data"),
        stdin=subprocess.DEVNULL,
    )
    assert line == "error: no terminal to press keys at; give --auto to record without keys"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("option", [["--count", "0"], ["--clip-seconds", "nan"], ["--count", "x"]])
def test_bad_numbers(tmp_path, option):
    arguments = ["record", "--label", "yes", "--out", tmp_path / "data", *option]
    assert (
        f"argument {option[0]}: {option[1]}: expected"
        in run_tool("prepare_data.py", *arguments, status=2).stderr
    )


def test_a_missing_microphone_is_one_line(tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    arguments = ["record", "--auto", "--label", "yes", "--out", tmp_path / "data"]
    line = refused("prepare_data.py", *arguments, env=env)
    assert line.startswith("error: the microphone needs the PortAudio library, which is missing")


@pytest.fixture(scope="module")
def speech(tmp_path_factory) -> Path:
    """A word: a real one where there is real speech, else a synthesizer's."""
    real = os.environ.get("KWS_SPEECH_DATA")
    if real:
        audio = clean_clips(Path(real), 50)[0]
    else:
        with Espeak() as espeak:
            said = espeak.speak("seven", variant="f3")
        audio = np.pad(soxr.resample(said.audio, said.sample_rate_hz, RATE), 3000)
    path = tmp_path_factory.mktemp("speech") / "word.wav"
    write(path, audio * np.float32(0.5 / np.abs(audio).max()), RATE)
    return path


def assert_holds(clip: np.ndarray, wanted: np.ndarray) -> None:
    """The clip has the wanted sound's word in its middle, at its level, sample by sample."""
    size = 1 << 16
    spectrum = np.fft.rfft(clip, size) * np.conj(np.fft.rfft(wanted, size))
    lag = (int(np.argmax(np.fft.irfft(spectrum))) + size // 2) % size - size // 2
    low, high = max(0, lag), min(len(clip), lag + len(wanted))
    heard, played = clip[low:high], wanted[low - lag : high - lag]
    energy = np.square(wanted).sum()
    assert heard @ played / np.sqrt((heard @ heard) * (played @ played)) > 0.99
    assert np.square(heard).sum() == pytest.approx(energy, rel=0.02)  # all of it, and as loud
    share = np.cumsum(np.square(wanted, dtype=np.float64)) / energy
    middle = np.searchsorted(share, [0.002, 0.998]).mean() + lag
    assert middle == pytest.approx(len(clip) / 2, abs=0.06 * RATE)


def test_what_is_said_is_recorded(microphone, speech, tmp_path):
    """The first takes are too quiet; the program asks again, and then hears the word."""
    wanted = read(speech, RATE)
    write(tmp_path / "quiet.wav", wanted * np.float32(0.01), RATE)
    command = [*TOOL, "--auto", "--label", "yes", "--count", "1", "--out", tmp_path / "data"]
    command += ["--speaker", "anna", "--device", "0"]
    lines, asked = [], 0
    with subprocess.Popen(
        command, env=microphone.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        for line in child.stdout:
            lines.append(line.rstrip())
            if "say: yes" in line:
                asked += 1
                microphone.play(tmp_path / "quiet.wav" if asked == 1 else speech)
    assert child.returncode == 0
    assert lines[:3] == [
        "speaker anna: all clips are for validation",
        "validation clips train nothing; under another --speaker name they may",
        "microphone 'default' at 16000 Hz",
    ]
    assert re.search(r"retried: too quiet: speech at -\d\d dBFS, expected -40", lines[4])
    assert lines[-1] == f"kept 1 take in {tmp_path / 'data'}: yes 1 of 1"
    (path,) = (tmp_path / "data" / "yes").iterdir()
    clip = read(path, RATE)
    assert (path.name, len(clip)) == ("anna_nohash_0.wav", RATE)
    assert_holds(clip, wanted)
    (row,) = log_of(tmp_path / "data")
    assert (row["path"], row["checks"]) == ("yes/anna_nohash_0.wav", "passed")
    assert (row["device"], row["device_rate_hz"]) == ("default", "16000")
    loud = dbfs(np.sqrt(loud_power(wanted, RATE)))
    assert float(row["level_dbfs"]) == pytest.approx(loud, abs=0.5)


def test_keys_at_a_terminal_and_ctrl_c(microphone, speech, tmp_path):
    """Enter begins, p replays, Enter keeps, Ctrl-C ends: what was kept is there."""
    root = tmp_path / "data"
    command = [*TOOL, "--label", "yes", "--out", str(root), "--clip-seconds", "0.9"]
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        command,
        env={**microphone.env, "TERM": "xterm", "COLUMNS": "90", "LINES": "30"},
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    seen = ""

    def until(words: str) -> None:
        nonlocal seen
        seen = ""
        while words not in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen):
            seen += os.read(ours, 4096).decode(errors="replace")

    try:
        until("Enter begin")
        os.write(ours, b"\n")
        until("say it now")
        microphone.play(speech)
        until("Enter keep")
        os.write(ours, b"p")
        until("no replay: no loudspeaker")  # the virtual one has none, which is said
        os.write(ours, b"\n")
        until("get ready")
        assert len(list((root / "yes").iterdir())) == 1
        child.send_signal(signal.SIGINT)
        until("kept 1 take in")
        assert child.wait(timeout=30) == 130
    finally:
        child.kill()
        child.wait()
        os.close(ours)
    assert child.stderr.read().decode().endswith("interrupted\n")
    (path,) = (root / "yes").iterdir()
    assert path.name == f"{speaker_name(None)}_nohash_0.wav"
    clip = read(path, RATE)
    assert len(clip) == round(0.9 * RATE)
    assert len(log_of(root)) == 1

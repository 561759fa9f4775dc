"""Voices behind one interface: espeak-ng's, and Piper's with a program that stands in for it."""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from kws.data import piper
from kws.data.espeak import Espeak
from kws.data.manifest import SPLITS
from kws.data.phonemes import pronounce
from kws.data.speech_commands import split_of
from kws.data.voices import RATE_HZ, espeak_voices, in_turn, piper_voices
from kws.errors import DataError

pytest.importorskip("espeakng_loader", reason="espeak-ng has the languages")


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


# espeak-ng


@pytest.fixture(scope="module")
def voices():
    return espeak_voices(["en-us", "de", "fr"], seed=1)


def test_no_speaker_and_no_variant_is_in_two_splits(voices):
    assert len({voice.name for voice in voices}) == len(voices) == 240
    splits = defaultdict(set)
    for voice in voices:
        splits[voice.speaker.variant].add(voice.split)
        assert split_of(voice.name) == voice.split, "the file names alone tell it as well"
    assert all(len(found) == 1 for found in splits.values())
    assert Counter(voice.split for voice in voices) == dict(zip(SPLITS, (192, 24, 24), strict=True))


def test_every_language_is_spoken_in_every_split(voices):
    counts = Counter((voice.language, voice.split) for voice in voices)
    assert len(counts) == 9
    assert min(counts.values()) >= 4
    assert {voice.language for voice in espeak_voices([], 1)} >= {"en-us", "en-gb-scotland"}


def test_voices_taken_in_turn_are_of_all_splits(voices):
    french = in_turn([voice for voice in voices if voice.language == "fr"])
    for start in range(0, 50, 10):
        found = Counter(voice.split for voice in french[start : start + 20])
        assert found["training"] > 10
        assert set(found) == set(SPLITS)


def test_a_voice_says_a_text_and_tells_its_words(voices):
    speech = voices[0].say("Turn it off, computer!", generator())
    assert speech.audio.dtype == np.float32
    assert speech.sample_rate_hz == RATE_HZ
    assert speech.words[-1].text == "computer"
    word = speech.audio[speech.words[-1].start : speech.words[-1].end]
    assert 0.3 < len(word) / RATE_HZ < 1
    assert np.abs(word).max() > 0.02


def test_the_same_generator_gives_the_same_sound_and_others_others(voices):
    first, again = (voices[3].say("guten Tag", generator()).audio for _ in range(2))
    assert np.array_equal(first, again)
    other = voices[3].say("guten Tag", np.random.default_rng(1)).audio
    assert len(other) != len(first) or not np.array_equal(other, first)


def test_a_voice_says_phonemes_as_it_says_the_word(voices):
    assert voices[0].language == "en-us"
    with Espeak() as engine:
        spelled = pronounce(engine, "computer", "en-us")
    word = voices[0].say("computer", generator()).audio
    assert np.array_equal(voices[0].say(spelled, generator()).audio, word)


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("en-uk", "no language 'en-uk', did you mean 'en-us'"),
        ("DE", "no language 'DE', did you mean 'de'"),
        ("gmw/de", "no language 'gmw/de'"),
        ("", "no language ''"),
    ],
)
def test_an_unknown_language_is_refused(language, message):
    with pytest.raises(DataError, match=message):
        espeak_voices(["en-us", language], 1)


@pytest.mark.parametrize("text", ["...", ""])
def test_a_text_that_says_nothing_is_refused(voices, text):
    with pytest.raises(DataError, match="says nothing"):
        voices[0].say(text, generator())


# Piper


PROGRAM = """#!{python}
import argparse, json, sys, wave
from array import array
from math import sin
parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--output_file", required=True)
for name in ("--length_scale", "--noise_scale"):
    parser.add_argument(name, type=float)
parser.add_argument("--speaker", type=int)
how = parser.parse_args()
text = sys.stdin.read().strip()
if "fail" in text:
    sys.exit("a line before\\nRuntimeError: no such phoneme")
with open({log!r}, "a") as log:
    log.write(json.dumps([text, how.speaker, how.length_scale, how.noise_scale]) + "\\n")
if "vanish" in text:
    sys.exit()
if "text file" in text:
    open(how.output_file, "w").write("hello")
    sys.exit()
samples = round(22050 * 0.06 * len(text) * how.length_scale)
loud = 0 if "hush" in text else 9000
tone = [round(loud * sin(0.1 * n)) for n in range(samples)]
with wave.open(how.output_file, "wb") as file:
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(22050)
    file.writeframes(array("h", [0] * 2205 + tone + [0] * 2205).tobytes())
"""


@pytest.fixture
def no_piper(monkeypatch, tmp_path):
    """Neither the package nor the program."""
    monkeypatch.setattr(piper, "_has_package", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def said(no_piper, tmp_path) -> Path:  # noqa: ARG001
    """A program on the path that speaks tones; the file tells what it was asked."""
    program, log = tmp_path / "bin" / "piper", tmp_path / "log"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, log=str(log)))
    program.chmod(0o755)
    return log


def model(folder: Path, speakers: int, language: str = "de", name: str = "de_DE-tone") -> Path:
    path = folder / f"{name}.onnx"
    path.write_bytes(b"a model")
    facts = {"num_speakers": speakers, "espeak": {"voice": language}}
    path.with_name(f"{path.name}.json").write_text(json.dumps(facts))
    return path


def test_piper_speaks_through_its_program(said, tmp_path):
    voices = piper_voices([model(tmp_path, 10)])
    speech = voices[3].say("Guten Tag", generator())
    text, speaker, slowness, noise = json.loads(said.read_text())
    assert (text, speaker) == ("Guten Tag", 3)
    assert 0.8 <= slowness <= 1.25
    assert 0.4 <= noise <= 0.9
    assert speech.sample_rate_hz == RATE_HZ
    (word,) = speech.words
    assert (word.text, word.position) == ("Guten Tag", 0)
    assert word.start == pytest.approx(0.1 * RATE_HZ, rel=0.1)
    spoken_s = (word.end - word.start) / RATE_HZ
    assert spoken_s == pytest.approx(0.06 * len("Guten Tag") * slowness, rel=0.1)


def test_piper_is_given_phonemes_in_the_ipa(said, tmp_path):
    with Espeak() as engine:
        licht = pronounce(engine, "Licht", "de")
    piper_voices([model(tmp_path, 1)])[0].say(licht, generator())
    text, speaker, *_ = json.loads(said.read_text())
    assert (text, speaker) == ("[[lˈɪçt]]", None), "one speaker has no number"


@pytest.mark.usefixtures("no_piper")
def test_piper_speaks_through_its_package(tmp_path, monkeypatch):
    class Chunk:
        audio_float_array = np.full(8000, 0.5, np.float32)

    class Voice:
        config = type("Config", (), {"sample_rate": 16000})

        @staticmethod
        def load(path):
            assert path.name == "de_DE-tone.onnx"
            return Voice()

        def synthesize(self, text, how):
            assert (text, how["speaker_id"]) == ("Guten Tag. Hallo.", 1)
            return iter([Chunk, Chunk])

    package = type(sys)("piper")
    package.PiperVoice, package.SynthesisConfig = Voice, dict
    monkeypatch.setitem(sys.modules, "piper", package)
    monkeypatch.setattr(piper, "_has_package", lambda: True)
    piper._loaded.cache_clear()
    read = piper.read_model(model(tmp_path, 2))
    audio, rate_hz = piper.speak(read, 1, "Guten Tag. Hallo.", 1.0, 0.6)
    assert (len(audio), rate_hz) == (16000, 16000), "a chunk a sentence"


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize(
    ("speakers", "counts"), [(1, (1, 0, 0)), (2, (2, 0, 0)), (3, (1, 1, 1)), (30, (24, 3, 3))]
)
def test_pipers_speakers_are_in_one_split_each(tmp_path, speakers, counts):
    voices = piper_voices([model(tmp_path, speakers)])
    assert tuple(Counter(voice.split for voice in voices)[split] for split in SPLITS) == counts
    assert all(split_of(voice.name) == voice.split for voice in voices)
    assert len({voice.name for voice in voices}) == speakers
    assert {voice.language for voice in voices} == {"de"}


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fail", r"failed with .*de_DE-tone\.onnx \(status 1: RuntimeError: no such phoneme\)"),
        ("vanish", r"failed with .*\(status 0: it says nothing about why\)"),
        ("hush", "says nothing for 'hush'"),
        ("text file", "wrote no WAV file"),
    ],
)
def test_what_piper_cannot_say_is_refused(tmp_path, text, message):
    voice = piper_voices([model(tmp_path, 1)])[0]
    with pytest.raises(DataError, match=message):
        voice.say(text, generator())


@pytest.mark.usefixtures("no_piper")
def test_without_piper_the_message_tells_how_to_install_it(tmp_path):
    with pytest.raises(DataError, match=r"Piper is not installed.*pip install piper-tts"):
        piper_voices([model(tmp_path, 1)])


@pytest.mark.usefixtures("said")
def test_piper_needs_a_model():
    with pytest.raises(DataError, match="give --piper-model"):
        piper_voices([])


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (None, r"de_DE-tone\.onnx\.json: no such file"),
        ("{", "not the configuration of a Piper voice"),
        ("[]", "not the configuration of a Piper voice"),
        ('{"num_speakers": 1}', "not the configuration of a Piper voice"),
        ('{"num_speakers": 0, "espeak": {"voice": "de"}}', "num_speakers 0, expected"),
        ('{"num_speakers": 1, "espeak": {"voice": 3}}', "espeak.voice 3"),
    ],
)
def test_a_model_without_its_configuration_is_refused(tmp_path, facts, message):
    path = model(tmp_path, 1)
    beside = path.with_name(f"{path.name}.json")
    beside.unlink() if facts is None else beside.write_text(facts)
    with pytest.raises(DataError, match=message):
        piper_voices([path])
    with pytest.raises(DataError, match="no such file; expected a Piper voice"):
        piper_voices([tmp_path / "none.onnx"])

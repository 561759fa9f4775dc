"""Folders as people have them: listed whatever is broken in them, and made into a manifest."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from conftest import refused, run_tool

from kws.audio import io
from kws.data.folder import gather_folder
from kws.data.manifest_file import read_manifest
from kws.data.scan import scan
from kws.data.wake_word import cut, gather_wake_word
from kws.errors import AudioError, DataError

RATE = 8000
NOBODY = 65534


def sound(path: Path, seconds: float = 0.1) -> Path:
    """Noise that no other file has."""
    rng = np.random.default_rng(list(str(path).encode()))
    io.write(path, rng.uniform(-0.1, 0.1, round(RATE * seconds)), RATE)
    return path


@contextlib.contextmanager
def as_nobody():
    """Root may read everything; then be somebody else."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that anybody may enter; pytest's own is for its user alone."""
    folder = Path(tempfile.mkdtemp(prefix="kws"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def names(root: Path, files: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in files]


def test_all_depths_kinds_and_scripts(tmp_path):
    for name in ("yes/a.wav", "yes/deep/er/b.FLAC", "は い/ü ß.wav", "no/e.ogg", "no/f.Opus"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for name in ("no/.hidden.wav", "no/g.mp3", "top.wav", "no/notes.txt", "no/h.m4a", "no/LICENSE"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "_background_noise_").mkdir()
    (tmp_path / "_background_noise_" / "hum.wav").write_bytes(b"x")
    clips, notes = gather_folder(tmp_path)
    assert [(name, clip.label) for name, clip in zip(
        names(tmp_path, [clip.path for clip in clips]), clips, strict=True
    )] == [
        ("no/e.ogg", "no"),
        ("no/f.Opus", "no"),
        ("no/g.mp3", "no"),
        ("yes/a.wav", "yes"),
        ("yes/deep/er/b.FLAC", "yes"),
        ("は い/ü ß.wav", "は_い"),
    ]  # fmt: skip
    assert notes == [
        "not sound files, by their names: 1 without suffix, 1 .m4a, 1 .txt",
        "no clips, beside the folders or in one that begins with _: 2",
    ]


def test_links_in_loops_and_other_things_are_named(tmp_path):
    sound(tmp_path / "yes" / "a.wav")
    (tmp_path / "yes" / "up").symlink_to(tmp_path)
    (tmp_path / "ja").symlink_to(tmp_path / "yes")
    (tmp_path / "yes" / "self.wav").symlink_to(tmp_path / "yes" / "self.wav")
    (tmp_path / "yes" / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "yes" / "empty.wav").touch()
    os.mkfifo(tmp_path / "yes" / "pipe.wav")
    (tmp_path / "yes" / "b.wav").symlink_to(tmp_path / "yes" / "a.wav")
    (tmp_path / "yes" / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"x")
    found = scan(tmp_path)
    assert names(tmp_path, found.files) == ["yes/a.wav", "yes/b.wav"]
    yes = tmp_path / "yes"
    assert sorted(found.left_out.first) == sorted([
        f"{tmp_path / 'ja'}: a link to {yes}, listed already",
        f"{yes / 'up'}: a link to {tmp_path}, listed already",
        f"{yes / 'self.wav'}: cannot be opened (Too many levels of symbolic links)",
        f"{yes / 'gone.wav'}: cannot be opened (No such file or directory)",
        f"{yes / 'empty.wav'}: empty",
        f"{yes / 'pipe.wav'}: a pipe or a device",
        f"{yes}/caf\\udce9.wav: its name is not UTF-8; rename it",
    ])  # fmt: skip
    assert str(found.left_out).startswith("left out: 7\n  ")


def test_a_folder_linked_from_elsewhere_is_listed_under_its_link(tmp_path):
    sound(tmp_path / "disk" / "a.wav")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "yes").symlink_to(tmp_path / "disk")
    clips, notes = gather_folder(tmp_path / "data")
    assert [(clip.label, clip.path) for clip in clips] == [
        ("yes", tmp_path / "data" / "yes" / "a.wav")
    ]
    assert notes == []


def test_what_may_not_be_read_is_named(open_folder):
    for name in ("yes/a.wav", "yes/secret.wav", "closed/b.wav"):
        sound(open_folder / name)
    (open_folder / "yes" / "secret.wav").chmod(0)
    (open_folder / "closed").chmod(0)
    with as_nobody():
        found = scan(open_folder)
        with pytest.raises(AudioError, match=r"secret\.wav: .* \(no permission to read it\)"):
            io.read(open_folder / "yes" / "secret.wav", RATE)
        with pytest.raises(AudioError, match=r"b\.wav: cannot be read \(Permission denied\)"):
            io.read(open_folder / "closed" / "b.wav", RATE)
        with pytest.raises(DataError, match=r"closed: cannot be listed \(Permission denied\)"):
            scan(open_folder / "closed")
    assert names(open_folder, found.files) == ["yes/a.wav"]
    assert sorted(found.left_out.first) == [
        f"{open_folder / 'closed'}: cannot be listed (Permission denied)",
        f"{open_folder / 'yes' / 'secret.wav'}: no permission to read it",
    ]


def test_folders_that_hold_nothing(tmp_path):
    with pytest.raises(DataError, match=r"gone: cannot be listed \(No such file"):
        scan(tmp_path / "gone")
    sound(tmp_path / "a.wav")
    with pytest.raises(DataError, match=r"a\.wav: cannot be listed \(Not a directory"):
        scan(tmp_path / "a.wav")
    with pytest.raises(DataError, match=r"no sound files in a folder of a label; expected .*WORD"):
        gather_folder(tmp_path)


@pytest.mark.parametrize(
    ("length_s", "pieces"),
    [
        (0.4, [(0.0, None)]),
        (1.49, [(0.0, None)]),
        (1.5, [(0.0, 1.0), (0.5, 1.0)]),
        (3.0, [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]),
        (3.2, [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]),
        (3.75, [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (2.75, 1.0)]),
    ],
)
def test_long_negatives_are_cut(tmp_path, length_s, pieces):
    path = sound(tmp_path / "a.wav", length_s)
    clips = cut(path, 1.0)
    assert [(clip.start_s, clip.duration_s) for clip in clips] == pieces
    for clip in clips:  # every piece is there
        assert len(io.read(path, RATE, 2, clip.start_s, clip.duration_s)) > 0


def test_a_wake_word(tmp_path):
    sound(tmp_path / "with" / "s1" / "a.wav")
    sound(tmp_path / "without" / "talk.wav", 2.0)
    (tmp_path / "without" / "broken.wav").write_text("no sound")
    (tmp_path / "without" / "empty.wav").touch()
    sound(tmp_path / "without" / "_background_noise_" / "hum.wav", 2.0)
    clips, notes = gather_wake_word("alexa", [tmp_path / "with"], [tmp_path / "without"])
    assert [(clip.label, clip.path.name, clip.start_s) for clip in clips] == [
        ("alexa", "a.wav", 0.0),
        ("unknown", "talk.wav", 0.0),
        ("unknown", "talk.wav", 1.0),
    ]
    assert len(notes) == 1
    assert notes[0].startswith("left out: 3\n")
    assert "hum.wav: noise, to be mixed in" in notes[0]
    assert "empty.wav: empty" in notes[0]
    assert "broken.wav: not readable as audio" in notes[0]


def test_the_word_is_found_in_a_long_recording(tmp_path):
    """A chirp from 2.0 to 2.6 s in faint noise; in another file there is noise alone."""
    rng = np.random.default_rng(0)
    audio = rng.normal(0, 0.001, 4 * RATE)
    hum = audio.copy()
    at = np.arange(round(0.6 * RATE)) / RATE
    audio[2 * RATE : 2 * RATE + len(at)] += 0.3 * np.sin(2 * np.pi * (300 + 900 * at) * at)
    (tmp_path / "with").mkdir()
    io.write(tmp_path / "with" / "late.wav", audio.astype(np.float32), RATE)
    io.write(tmp_path / "with" / "noise.wav", hum.astype(np.float32), RATE)
    (tmp_path / "with" / "torn.wav").write_text("no sound")
    sound(tmp_path / "without" / "talk.wav")
    clips, notes = gather_wake_word("alexa", [tmp_path / "with"], [tmp_path / "without"])
    late, noise, _ = clips
    assert late.start_s == pytest.approx(2.3 - 0.5, abs=0.03)
    assert late.duration_s == 1.0
    assert (noise.path.name, noise.start_s, noise.duration_s) == ("noise.wav", 0.0, None)
    assert notes[0].startswith("left out: 1\n")
    assert "torn.wav" in notes[0]
    assert notes[1].startswith("nothing stands out, so the middle was taken: 1\n")


def test_wake_words_that_cannot_be_gathered(tmp_path):
    sound(tmp_path / "with" / "a.wav")
    (tmp_path / "none").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "b.wav").write_text("no sound")
    have = [tmp_path / "with"]
    for word in (" ", "unknown", "silence"):
        with pytest.raises(DataError, match="expected a word such as alexa"):
            gather_wake_word(word, have, have)
    with pytest.raises(DataError, match=r"none: no sound files among the negatives \(\.wav"):
        gather_wake_word("alexa", have, [tmp_path / "none"])
    with pytest.raises(DataError, match=r"not one negative recording can be read; .*b\.wav"):
        gather_wake_word("alexa", have, [tmp_path / "bad"])
    with pytest.raises(DataError, match=r"not one positive recording can be read; .*b\.wav"):
        gather_wake_word("alexa", [tmp_path / "bad"], have)
    with pytest.raises(DataError, match=r"a\.wav: among the positives and the negatives"):
        gather_wake_word("alexa", have, [tmp_path])


def test_the_tool_on_a_folder(tmp_path):
    for speaker in ("026290a7", "105a0eea", "abc"):
        sound(tmp_path / "yes" / f"{speaker}-1.wav")
        sound(tmp_path / "no" / "deep" / f"{speaker}-2.wav")
    sound(tmp_path / "no" / "hum.wav")
    tool = ("prepare_data.py", "folder", tmp_path, "--speaker-pattern", r"([^/]+)-\d[.]wav$")
    output = run_tool(*tool).stdout
    assert "7 clips of 2 labels" in output
    assert "clips of no known speaker, divided by file: 1\n  no/hum.wav" in output
    assert "no testing clips" not in output
    row = next(line for line in output.splitlines() if " yes " in line)
    assert row.count("1 (1)") == 3
    manifest = tmp_path / "manifest.csv"
    assert f"manifest: {manifest}" in output
    splits = {clip.speaker: clip.split for clip in read_manifest(manifest) if clip.speaker}
    assert splits == {"026290a7": "validation", "105a0eea": "testing", "abc": "training"}
    before = manifest.read_bytes()
    assert "is there already, perhaps edited; remove it, or give --out" in refused(*tool)
    assert manifest.read_bytes() == before


def test_the_tool_refuses_one_content_in_two_splits(tmp_path):
    sound(tmp_path / "yes" / "abc_nohash_0.wav")
    shutil.copy(tmp_path / "yes" / "abc_nohash_0.wav", tmp_path / "yes" / "105a0eea_nohash_0.wav")
    line = refused("prepare_data.py", "folder", tmp_path)
    assert "1 contents are in files of two splits" in line
    assert "105a0eea_nohash_0.wav (testing) = " in line
    assert "abc_nohash_0.wav (training); expected each recording once" in line
    assert not (tmp_path / "manifest.csv").exists()


def test_the_tool_on_a_wake_word(tmp_path):
    sound(tmp_path / "with" / "a.wav")
    sound(tmp_path / "without" / "talk.wav", 3.0)
    sides = ("--positives", tmp_path / "with", "--negatives", tmp_path / "without")
    out = tmp_path / "wake.csv"
    result = run_tool(
        "prepare_data.py",
        "folder",
        "--word",
        "hey alexa",
        *sides,
        "--clip-seconds",
        1.5,
        "--out",
        out,
    )
    assert "no testing clips: more speakers, or other --shares, give some" in result.stdout
    rows = [(clip.label, clip.start_s, clip.duration_s) for clip in read_manifest(out)]
    assert rows == [("hey_alexa", 0.0, None), ("unknown", 0.0, 1.5), ("unknown", 1.5, 1.5)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no DIR: expected a folder"),
        (["x", "--word", "alexa"], "a wake word needs --word, --positives, --negatives and --out"),
        (["gone"], "gone: cannot be listed"),
        (["x", "--shares", "50", "50", "50"], "expected percent for training"),
        (["x", "--speaker-pattern", "("], "no regular expression"),
    ],
)
def test_the_tool_refuses_in_one_line(tmp_path, arguments, message):
    sound(tmp_path / "x" / "yes" / "a.wav")
    assert message in refused("prepare_data.py", "folder", *arguments, cwd=tmp_path)

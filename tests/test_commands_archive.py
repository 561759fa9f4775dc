"""Getting the archives of Speech Commands, and the command that does it."""

import argparse
import csv
import hashlib
import importlib
import json
from collections import Counter

import pytest
from commands_corpus import SPEAKERS, corpus_files, lay, official_test_files, packed, sound
from conftest import ROOT, refused, run_tool
from file_server import serve

from kws.data import commands_archive
from kws.data.commands_archive import ARCHIVES, Official, get_corpus, get_test
from kws.data.corpus import read_clips
from kws.data.download import Remote
from kws.errors import DataError, StorageError

NAMES = ("speech_commands_v0.02.tar.gz", "speech_commands_test_set_v0.02.tar.gz")


def test_official_archives_are_pinned():
    remotes = [remote for official in ARCHIVES.values() for remote in vars(official).values()]
    assert [remote.name for remote in remotes] == [
        "speech_commands_v0.01.tar.gz",
        "speech_commands_test_set_v0.01.tar.gz",
        "speech_commands_v0.02.tar.gz",
        "speech_commands_test_set_v0.02.tar.gz",
    ]
    assert all(len(remote.sha256) == 64 and remote.size_bytes > 7 * 10**7 for remote in remotes)


def official(server, contents, pinned=(True, True)) -> dict[str, Official]:
    """The table of archives as the test's server has them."""
    remotes = []
    for name, data, known in zip(NAMES, contents, pinned, strict=True):
        facts = (len(data), hashlib.sha256(data).hexdigest()) if known else ()
        remotes.append(Remote(f"{server.base}/{name}", *facts))
    return {"v0.02": Official(*remotes), "v0.01": Official(*remotes[::-1])}


@pytest.fixture(scope="module")
def contents() -> tuple[bytes, bytes]:
    return packed(corpus_files()), packed(official_test_files(SPEAKERS["testing"][5]))


@pytest.fixture
def server(contents, monkeypatch):
    with serve(dict(zip(NAMES, contents, strict=True))) as server:
        monkeypatch.setattr(commands_archive, "ARCHIVES", official(server, contents))
        yield server


def test_archives_are_fetched_once(server, tmp_path, contents):
    root = tmp_path / "data"
    notes = get_corpus(root, "v0.02", None) + get_test(root, "v0.02", None)
    assert [note.partition(" (")[0] for note in notes] == [str(tmp_path / n) for n in NAMES]
    assert all(note.endswith("MB) is no longer needed and may be deleted") for note in notes)
    assert json.loads((root / "source.json").read_text()) == {
        "version_of": NAMES[0],
        "archive": NAMES[0],
        "sha256": hashlib.sha256(contents[0]).hexdigest(),
    }
    assert (root / "_test_" / "source.json").is_file()
    for name in NAMES:
        (tmp_path / name).unlink()
    assert get_corpus(root, "v0.02", None) + get_test(root, "v0.02", None) == []
    assert server.paths == [f"/{name}" for name in NAMES]
    with pytest.raises(DataError, match=r"data: made of speech_commands_v0\.02.*give another"):
        get_corpus(root, "v0.01", None)


def test_wrong_checksum_leaves_no_folder(server, tmp_path, contents):
    server.files[NAMES[0]] = contents[0][:-1] + b"\1"
    with pytest.raises(DataError, match=r"SHA-256 .*, expected .* for speech_commands_v0"):
        get_corpus(tmp_path / "data", "v0.02", None)
    assert list(tmp_path.iterdir()) == []


def test_archive_without_a_known_checksum_is_told(server, tmp_path, contents, monkeypatch):
    monkeypatch.setattr(commands_archive, "ARCHIVES", official(server, contents, (False, False)))
    notes = get_corpus(tmp_path / "data", "v0.02", None)
    sha256 = hashlib.sha256(contents[0]).hexdigest()
    assert notes[0].endswith(
        "not checked, no official checksum of speech_commands_v0.02.tar.gz is known; its SHA-256 "
        f"is {sha256}"
    )


def test_archive_cut_short_by_a_lie_about_its_length(server, tmp_path, contents, monkeypatch):
    monkeypatch.setattr(commands_archive, "ARCHIVES", official(server, contents, (False, False)))
    server.script = [f"length {len(contents[0]) // 2}"]
    with pytest.raises(DataError, match=r"v0\.02\.tar\.gz: not a whole \.tar\.gz .*delete it"):
        get_corpus(tmp_path / "data", "v0.02", None)
    assert [path.name for path in tmp_path.iterdir()] == [NAMES[0]]


def test_own_archive(server, tmp_path, contents):
    own = tmp_path / "own.tar.gz"
    own.write_bytes(contents[0])
    root = tmp_path / "data"
    assert get_corpus(root, "v0.02", own) == []
    assert get_corpus(root, "v0.02", own) == [f"{root}: there already, {own} is not read again"]
    own.write_bytes(packed(corpus_files(("yes", "tree"))))
    (note,) = get_corpus(tmp_path / "other", "v0.02", own)
    assert "own.tar.gz: its checksum is not the official one of speech_commands_v0.02" in note
    own.write_bytes(packed({"yes/a.wav": sound()}))
    with pytest.raises(DataError, match=r"own\.tar\.gz: no validation_list\.txt in it"):
        get_corpus(tmp_path / "third", "v0.02", own)
    with pytest.raises(DataError, match=r"gone\.tar\.gz: cannot be read"):
        get_corpus(tmp_path / "third", "v0.02", tmp_path / "gone.tar.gz")
    assert not (tmp_path / "third").exists()
    assert server.paths == []


def test_folders_that_cannot_be_used(server, tmp_path, contents):
    own = tmp_path / "own.tar.gz"
    own.write_bytes(contents[0])
    lay(tmp_path / "full", {"mine.txt": b"mine"})
    with pytest.raises(StorageError, match=r"full: holds other things already \(mine\.txt\)"):
        get_corpus(tmp_path / "full", "v0.02", own)
    with pytest.raises(StorageError, match=r"full: holds other things already"):
        get_corpus(tmp_path / "full", "v0.02", None)
    assert server.paths == []
    get_corpus(tmp_path / "data", "v0.02", own)
    (tmp_path / "data" / "source.json").write_text("{}")
    with pytest.raises(DataError, match=r"source\.json: damaged .*; delete .*data and run"):
        get_corpus(tmp_path / "data", "v0.02", own)


@pytest.fixture
def tool(monkeypatch, capsys):
    """Run the command in this process, with what `server` put for the official archives."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    command = importlib.import_module("prepare.speech_commands")
    parser = argparse.ArgumentParser()
    command.add(parser)

    def run(*arguments) -> tuple[str, str]:
        capsys.readouterr()
        command.main(parser.parse_args(list(map(str, arguments))))
        return capsys.readouterr()

    return run


def test_tool_from_server_to_manifest(server, tool, tmp_path):
    server.script = ["break 1000"]
    root = tmp_path / "data"
    out, err = tool("--out", root)
    assert server.ranges == [None, "bytes=1000-", None]
    with open(root / "manifest.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10 * 6 + 3 + 1 + 3 + 3
    yes = [row["split"] for row in rows if row["label"] == "yes"]
    assert Counter(yes) == {"training": 3, "validation": 1, "testing": 2}
    assert all((root / row["path"]).is_file() for row in rows)
    lines = [line.split()[1::2] for line in out.splitlines() if line.startswith("│")]
    assert lines[0] == ["yes", "3", "1", "2"]
    assert lines[-1] == ["all", "33", "11", "26"]
    recipe = "recipes/speech_commands_8/gru_stream.yaml"
    assert f"next: python tools/train.py {recipe} --data {root} --set 'data.keywords=[yes," in out
    assert "unpacking" in err
    clips = read_clips(root, ("yes", "no", "unknown", "silence"))
    assert {clip.label for clip in clips} == {"yes", "no", "unknown", "silence"}


def test_tool_a_second_time(server, tool, tmp_path):
    root = tmp_path / "data"
    tool("--out", root)
    before = (root / "manifest.csv").read_bytes()
    out, err = tool("--out", root)
    assert len(server.paths) == 2
    assert (root / "manifest.csv").read_bytes() == before
    assert not (root / "manifest.old.csv").exists()
    assert err == ""
    out, _ = tool("--out", root, "--keywords", "tree", "bird")
    assert f"was another one; it is kept as {root / 'manifest.old.csv'}" in out.replace("\n", "")
    assert (root / "manifest.old.csv").read_bytes() == before


def test_tool_with_files_of_ones_own(server, tool, tmp_path, contents):
    for name, data in zip(NAMES, contents, strict=True):
        (tmp_path / name).write_bytes(data)
    given = ("--archive", tmp_path / NAMES[0])
    out, _ = tool("--out", tmp_path / "a", *given)
    assert "the official test archive is not there; give it with --test-archive" in out
    assert "silence " not in out
    tests = ("--test-archive", tmp_path / NAMES[1])
    out, _ = tool("--out", tmp_path / "b", *given, *tests)
    assert "not there" not in out
    assert "silence " in out
    out, _ = tool("--out", tmp_path / "b", "--task", "35")
    assert "--set data.unknown=false" in out
    with pytest.raises(DataError, match=r"archive is of the ten commands.* leave --test-archive"):
        tool("--out", tmp_path / "b", "--task", "35", *tests)
    assert server.paths == []


def test_tool_refuses_in_one_line(tmp_path):
    gone = tmp_path / "gone.tar.gz"
    line = refused("prepare_data.py", "speech-commands", "--out", tmp_path, "--archive", gone)
    assert line == f"error: {gone}: cannot be read (No such file or directory)"
    arguments = ("--out", tmp_path, "--task", "12", "--keywords", "yes")
    both = run_tool("prepare_data.py", "speech-commands", *arguments, status=2)
    assert "not allowed with argument" in both.stderr

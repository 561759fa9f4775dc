"""Files are written whole or not at all, and a full disk is said in one line."""

import errno
import json
import resource
import subprocess
import sys

import pytest
from conftest import refused

from kws.errors import KwsError, StorageError
from kws.files import storage_error, whole, write_bytes, write_json, write_text


def small_disk() -> None:
    """In a child process: no file may grow beyond 20 KB, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_written_files_are_whole(tmp_path):
    write_bytes(tmp_path / "new" / "a.bin", b"\x00\x01")
    write_text(tmp_path / "b.txt", "größe")
    write_json(tmp_path / "c.json", {"label": "größe"})
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"\x00\x01"
    assert (tmp_path / "b.txt").read_text(encoding="utf-8") == "größe"
    assert json.loads((tmp_path / "c.json").read_text(encoding="utf-8")) == {"label": "größe"}


def test_a_failure_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "model.tflite"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="half way"):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path):
    with whole(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("half way")


def test_the_temporary_file_keeps_the_suffix(tmp_path):
    with whole(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras"
        temporary.write_text("x")


def test_a_full_disk_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    code = (
        "import sys\nfrom pathlib import Path\nfrom kws.errors import StorageError\n"
        "from kws.files import write_bytes\n"
        "try: write_bytes(Path(sys.argv[1]), bytes(100_000))\n"
        "except StorageError as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True, text=True, check=True, preexec_fn=small_disk,
    )  # fmt: skip
    assert "no space left on the disk; what was there before is untouched" in result.stdout
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_training_on_a_full_disk_says_so(tone_recipe, tone_data, tmp_path):
    out = tmp_path / "run"
    arguments = (tone_recipe, "--data", tone_data, "--out", out)
    message = refused("train.py", *arguments, preexec_fn=small_disk)
    assert "no space left on the disk" in message
    assert "--resume" in message


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "no space left on the disk"),
        (errno.EDQUOT, "no space left on the disk"),
        (errno.EACCES, "cannot be written"),
        (errno.EROFS, "cannot be written"),
    ],
)
def test_reasons(tmp_path, number, message):
    assert message in str(storage_error(OSError(number, "x"), tmp_path))


def test_a_file_in_the_way_of_a_folder(tmp_path):
    write_text(tmp_path / "runs", "a file")
    with pytest.raises(StorageError, match=r"cannot be written"):
        write_text(tmp_path / "runs" / "a" / "b.txt", "x")


def test_messages_are_one_line():
    assert str(KwsError("first\n   second")) == "first second"

"""Unpacking: whole or not at all, and nothing outside."""

import gzip
import io
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from kws.data import big_files
from kws.data.archive import unpacked
from kws.errors import DataError, StorageError

ROOT = Path(__file__).resolve().parents[1]
FILES = {"yes/a.wav": b"a" * 5000, "no/b.wav": b"", "LIST.txt": b"list\n"}


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def pack(path: Path, files: dict[str, bytes], *others: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, data in files.items():
            info = member(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for other in others:
            tar.addfile(other)
    return path


@pytest.fixture
def archive(tmp_path):
    return pack(tmp_path / "a.tar.gz", {f"./{name}": data for name, data in FILES.items()})


def unpack(archive: Path, target: Path) -> None:
    with unpacked(archive, target):
        pass


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def untouched(tmp_path: Path, *names: str) -> bool:
    """Nothing but the archive (and ``names``) is there."""
    return sorted(path.name for path in tmp_path.iterdir()) == sorted(("a.tar.gz", *names))


def test_all_files_and_what_the_block_adds(archive, tmp_path):
    target = tmp_path / "deep" / "target"
    with unpacked(archive, target) as folder:
        assert folder.parent == target.parent
        assert content(folder) == FILES
        assert not target.exists()
        (folder / "more.txt").write_bytes(b"more")
    assert content(target) == {**FILES, "more.txt": b"more"}
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_folders_and_permissions(tmp_path):
    directory, script = member("./empty", tarfile.DIRTYPE), member("./run")
    script.mode = 0o4777
    pack(tmp_path / "a.tar.gz", {}, member(".", tarfile.DIRTYPE), directory, script)
    unpack(tmp_path / "a.tar.gz", tmp_path / "target")
    assert (tmp_path / "target" / "empty").is_dir()
    assert (tmp_path / "target" / "run").stat().st_mode & 0o7111 == 0


def test_empty_folder_may_be_there(archive, tmp_path):
    (tmp_path / "target").mkdir()
    unpack(archive, tmp_path / "target")
    assert content(tmp_path / "target") == FILES


def test_target_that_is_taken(archive, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "full")
    for name, match in (
        ("full", r"full: holds other things already \(mine\.txt\), expected a new or empty"),
        ("file", "file: a file, expected a new or empty folder"),
        ("link", "link: a link or a mounted disk"),
    ):
        with pytest.raises(StorageError, match=match):
            unpack(archive, tmp_path / name)
    with pytest.raises(StorageError, match="/proc: a link or a mounted disk"):
        unpack(archive, Path("/proc"))
    assert content(tmp_path / "full") == {"mine.txt": b"mine"}
    assert untouched(tmp_path, "full", "file", "link")


@pytest.mark.parametrize(
    "name",
    [
        "/tmp/evil.txt",
        "../evil.txt",
        "yes/../../evil.txt",
        "./yes/..",
        "..",
        "..\\evil.txt",
        "yes\\evil.txt",
        "C:\\evil.txt",
        "C:evil.txt",
        "\\\\host\\share\\evil.txt",
        ".",
    ],
)
def test_names_that_lead_out(tmp_path, name):
    pack(tmp_path / "a.tar.gz", FILES, member(name))
    with pytest.raises(DataError, match=r"a\.tar\.gz: .* in the archive leads out of its folder"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "target")
    assert untouched(tmp_path)


def test_folder_that_leads_out(tmp_path):
    pack(tmp_path / "a.tar.gz", FILES, member("../evil", tarfile.DIRTYPE))
    with pytest.raises(DataError, match=r"'../evil' in the archive leads out"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "target")
    assert untouched(tmp_path)


@pytest.mark.parametrize(
    ("info", "kind"),
    [
        (member("l", tarfile.SYMTYPE, "/etc"), "a link"),
        (member("l", tarfile.SYMTYPE, "yes/a.wav"), "a link"),
        (member("l", tarfile.LNKTYPE, "../../etc/passwd"), "a link"),
        (member("l", tarfile.CHRTYPE), "a device"),
        (member("l", tarfile.BLKTYPE), "a device"),
        (member("l", tarfile.FIFOTYPE), "another special file"),
    ],
)
def test_links_and_devices(tmp_path, info, kind):
    through = member("l/evil.txt")
    pack(tmp_path / "a.tar.gz", FILES, info, through)
    with pytest.raises(DataError, match=f"'l' in the archive is .*{kind}.*nothing is unpacked"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "target")
    assert untouched(tmp_path)


def test_damaged_archives(archive, tmp_path):
    good = archive.read_bytes()
    plain = gzip.decompress(good)
    headers = (0, 512 + 5120, 512 + 5120 + 512)  # of 5000, 0 and 5 bytes
    flipped = bytearray(plain)
    flipped[headers[2] + 100] ^= 0xFF
    middle = bytearray(good)
    middle[len(good) // 2] ^= 0xFF
    for data, reason in (
        (good[: len(good) // 2], "ended before the end-of-stream"),
        (good[:-4], "ended before the end-of-stream"),
        (good[:-8] + bytes(4) + good[-4:], "CRC check failed"),
        (bytes(middle), "."),
        (gzip.compress(bytes(flipped)), "a damaged header in the middle"),
        (gzip.compress(plain[:3000]), "unexpected end of data"),
        (gzip.compress(plain[: headers[2] + 512]), "unexpected end of data"),
        (b"PK\x03\x04" + bytes(100), "Not a gzipped file"),
        (b"<html>", "Not a gzipped file"),
        (gzip.compress(b"hello"), "truncated header"),
        (b"", "empty file"),
    ):
        archive.write_bytes(data)
        with pytest.raises(DataError, match=rf"a\.tar\.gz: not a whole \.tar\.gz \(.*{reason}"):
            unpack(archive, tmp_path / "target")
        assert untouched(tmp_path), reason


def test_archive_that_is_not_there_or_holds_nothing(tmp_path):
    with pytest.raises(DataError, match=r"gone: cannot be read \(No such file"):
        unpack(tmp_path / "gone", tmp_path / "target")
    with pytest.raises(DataError, match="cannot be read"):
        unpack(tmp_path, tmp_path / "target")
    pack(tmp_path / "a.tar.gz", {}, member("yes", tarfile.DIRTYPE))
    with pytest.raises(DataError, match="an archive without a file"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "target")
    assert untouched(tmp_path)


def test_header_that_announces_a_name_of_gigabytes(tmp_path):
    long = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    long.size = 8 << 30
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(long.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))
    with pytest.raises(DataError, match="a header announces 8589934592 bytes of names"):
        unpack(path, tmp_path / "target")


def test_headers_with_a_negative_size(tmp_path):
    plain, by_name, sparse = member("b.wav"), member("b.wav"), member("b.wav")
    plain.size = sparse.size = -1024
    by_name.pax_headers = {"size": "-1024"}
    sparse.type = tarfile.GNUTYPE_SPARSE  # its file has another size: tarfile would go in circles
    for header in (
        plain.tobuf(tarfile.GNU_FORMAT),
        by_name.tobuf(tarfile.PAX_FORMAT),
        sparse.tobuf(tarfile.GNU_FORMAT),
    ):
        data = gzip.compress(member("a.wav").tobuf() * 3 + header + bytes(1024))
        (tmp_path / "a.tar.gz").write_bytes(data)
        with pytest.raises(DataError, match=r"not a whole \.tar\.gz"):
            unpack(tmp_path / "a.tar.gz", tmp_path / "target")
        assert untouched(tmp_path)


def test_disk_space_is_counted_in_blocks_and_checked_first(archive, tmp_path, monkeypatch):
    free = 3 * 4096 - 1  # a.wav has two blocks, LIST.txt one

    def usage(_):
        return shutil._ntuple_diskusage(10**9, 0, free)

    monkeypatch.setattr(big_files.shutil, "disk_usage", usage)
    with pytest.raises(StorageError, match=r"unpacking a\.tar\.gz needs 0\.0 MB of disk space"):
        unpack(archive, tmp_path / "target")
    assert untouched(tmp_path)
    free += 1
    unpack(archive, tmp_path / "target")


def test_files_that_cannot_be_written(tmp_path):
    clash = pack(tmp_path / "a.tar.gz", {"yes": b"a file", "yes/a.wav": b"in a folder"})
    with pytest.raises(StorageError, match="target: cannot be written"):
        unpack(clash, tmp_path / "target")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="target: cannot be written"):
        unpack(clash, tmp_path / "file" / "target")
    assert untouched(tmp_path, "file")


@pytest.mark.parametrize("error", [DataError("no list in it"), KeyboardInterrupt()])
def test_block_that_fails_leaves_nothing(archive, tmp_path, error):
    def fail():
        with unpacked(archive, tmp_path / "target") as folder:
            assert content(folder) == FILES
            raise error

    with pytest.raises(type(error)):
        fail()
    assert untouched(tmp_path)


def test_killed_run_leaves_no_target_and_the_next_cleans_up(archive, tmp_path):
    code = """
import os, signal, sys
from pathlib import Path
from kws.data import archive
def die(source, file, length):
    if source.read() == b"list\\n":  # the last of three
        os.kill(os.getpid(), signal.SIGKILL)
archive.shutil.copyfileobj = die
with archive.unpacked(Path(sys.argv[1]), Path(sys.argv[2])):
    pass
"""
    target = tmp_path / "target"
    killed = subprocess.run([sys.executable, "-c", code, archive, target], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert untouched(tmp_path, ".target.unpacking")
    assert sorted(content(tmp_path / ".target.unpacking")) == sorted(FILES)
    unpack(archive, target)
    assert content(target) == FILES
    assert untouched(tmp_path, "target")

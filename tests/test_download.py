"""Downloads that break, go on, lie and fail."""

import hashlib
import random
import shutil
import socket

import pytest
from file_server import serve

from kws.data import big_files
from kws.data.big_files import bytes_bar, check_space, megabytes, sha256_of
from kws.data.download import WAITS_S, Remote, download
from kws.errors import DataError, StorageError

DATA = random.Random(1).randbytes(700_000)  # more than two pieces of 256 kB
SHA256 = hashlib.sha256(DATA).hexdigest()
NO_WAITS = (0.0, 0.0, 0.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "data.bin"


def fetch(server, path, pinned=True, waits_s=NO_WAITS, **options):
    url = f"{server.base}/data.bin"
    remote = Remote(url, len(DATA), SHA256) if pinned else Remote(url)
    return download(remote, path, waits_s=waits_s, **options)


def names(path):
    return sorted(file.name for file in path.parent.iterdir())


@pytest.mark.parametrize("pinned", [True, False])
def test_whole_file_and_then_nothing_to_do(path, pinned):
    with serve({"data.bin": DATA}) as server:
        assert fetch(server, path, pinned) == SHA256
        assert path.read_bytes() == DATA
        assert names(path) == ["data.bin"]
        assert fetch(server, path, pinned) == SHA256
        assert server.ranges == [None]


@pytest.mark.parametrize("pinned", [True, False])
def test_break_goes_on_where_it_was(path, pinned):
    with serve({"data.bin": DATA}, "break 1000", "break 300000") as server:
        assert fetch(server, path, pinned) == SHA256
        assert server.ranges == [None, "bytes=1000-", "bytes=301000-"]
    assert path.read_bytes() == DATA


def test_every_break_with_something_new_is_forgiven(path):
    with serve({"data.bin": DATA}, *["break 50000"] * 13) as server:
        assert fetch(server, path, waits_s=(0.0, 0.0)) == SHA256
        assert len(server.ranges) == 14


def test_next_run_goes_on_with_what_this_one_left(path):
    gone = ["status 503"] * 3
    with serve({"data.bin": DATA}, "break 4000", *gone) as server:
        with pytest.raises(DataError, match=r"503 .*4,000 bytes are kept in .*data\.bin\.part"):
            fetch(server, path)
        assert names(path) == ["data.bin.part"]
        assert fetch(server, path) == SHA256
        assert server.ranges[-1] == "bytes=4000-"
    assert path.read_bytes() == DATA
    assert names(path) == ["data.bin"]


def test_server_that_knows_no_ranges_sends_all_anew(path):
    with serve({"data.bin": DATA}, "break 1000", "whole") as server:
        assert fetch(server, path) == SHA256
        assert server.ranges == [None, "bytes=1000-"]
    assert path.read_bytes() == DATA


def test_starting_anew_for_ever_is_given_up(path, monkeypatch):
    waited = []
    monkeypatch.setattr("kws.data.download.time.sleep", waited.append)
    with serve({"data.bin": DATA}, *["whole break 1000"] * 9) as server:
        with pytest.raises(
            DataError, match=r"broken off at 1,000 of 700,000 bytes; given up after"
        ):
            fetch(server, path, waits_s=(1.0, 2.0, 5.0))
        # One try with something new, three in a row without.
        assert len(server.ranges) == 4
    assert waited == [1.0, 2.0, 5.0]
    assert list(WAITS_S) == sorted(WAITS_S)


def test_content_length_too_short_is_not_believed_where_it_is_known(path):
    with serve({"data.bin": DATA}, "length 2000") as server:
        assert fetch(server, path) == SHA256
        assert server.ranges == [None, "bytes=2000-"]


def test_content_length_too_long(path):
    with serve({"data.bin": DATA}, "length 700100") as server:
        assert fetch(server, path) == SHA256
        assert server.ranges == [None]
    path.unlink()
    with serve({"data.bin": DATA}, "length 700100") as server:
        assert fetch(server, path, pinned=False) == SHA256
        assert server.ranges == [None, "bytes=700000-"]  # 416: that was all
    assert path.read_bytes() == DATA


def test_another_file_of_another_length(path):
    with (
        serve({"data.bin": DATA[:14]}, *["whole"] * 3) as server,
        pytest.raises(DataError, match=r"at 14 of 700,000 bytes \(the server announces 14\)"),
    ):
        fetch(server, path, waits_s=(0.0, 0.0))
    with (
        serve({"data.bin": DATA[:14]}) as server,
        pytest.raises(DataError, match=r"part: 14 bytes, expected 700,000; what came is removed"),
    ):
        fetch(server, path)
    assert names(path) == []


def test_login_page_is_not_taken_for_the_file(path):
    with serve({"data.bin": b"<html>"}, "page") as server:
        with pytest.raises(DataError, match="a page of text comes instead of the file"):
            fetch(server, path)
        assert len(server.ranges) == 1
    assert names(path) == []


def test_wrong_checksum_leaves_nothing(path):
    other = bytes(len(DATA))
    with serve({"data.bin": other}) as server:
        found = hashlib.sha256(other).hexdigest()
        with pytest.raises(DataError, match=f"SHA-256 {found}, expected {SHA256} for data.bin"):
            fetch(server, path)
    assert names(path) == []


def test_file_that_is_there_is_checked(path):
    path.parent.mkdir()
    path.write_bytes(bytes(len(DATA)))
    with serve({"data.bin": DATA}) as server:
        with pytest.raises(DataError, match=r"data\.bin: SHA-256 .*; delete it and run"):
            fetch(server, path)
        path.write_bytes(b"short")
        with pytest.raises(DataError, match=r"data\.bin: 5 bytes, expected 700,000; delete it"):
            fetch(server, path)
        assert server.ranges == []
    assert path.read_bytes() == b"short"


def test_refusals_that_stay_are_not_repeated(path):
    for status in (401, 403, 404, 410):
        with serve({"data.bin": DATA}, f"status {status}") as server:
            with pytest.raises(DataError, match=f"the server answers {status} .* --archive"):
                fetch(server, path)
            assert len(server.ranges) == 1


def test_refusals_that_pass_are_repeated(path):
    with serve({"data.bin": DATA}, "status 500", "status 429") as server:
        assert fetch(server, path) == SHA256
    path.unlink()
    with serve({"data.bin": DATA}, *["status 500"] * 9) as server:
        with pytest.raises(DataError, match=r"answers 500 .*given up after 3 tries"):
            fetch(server, path)
        assert len(server.ranges) == 3


def test_silent_server_is_left(path):
    with serve({"data.bin": DATA}, "stall 3000") as server:
        assert fetch(server, path, timeout_s=0.3) == SHA256
        assert server.ranges == [None, "bytes=3000-"]


def test_no_server(path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/data.bin"
    with pytest.raises(DataError, match=r"connection failed \(.*refused.*\); given up after 3"):
        download(Remote(url), path, waits_s=NO_WAITS)


def test_other_bytes_than_asked_for_are_not_taken(path):
    with serve({"data.bin": DATA}, "break 1000", "shifted") as server:
        assert fetch(server, path) == SHA256
        assert server.ranges == [None, "bytes=1000-", "bytes=1000-"]
    assert path.read_bytes() == DATA


def test_no_announced_length(path):
    with serve({"data.bin": DATA}, "no length") as server:
        assert fetch(server, path, pinned=False) == SHA256
    path.unlink()
    with serve({"data.bin": DATA}, "no length break 1000") as server:
        assert fetch(server, path) == SHA256
        assert server.ranges == [None, "bytes=1000-"]


def test_break_in_a_chunk_keeps_what_came(path):
    with serve({"data.bin": DATA}, "chunked break") as server:
        assert fetch(server, path) == SHA256
        assert server.ranges == [None, "bytes=150-"]


def test_part_that_is_too_long_is_dropped(path):
    path.parent.mkdir()
    part = path.with_name("data.bin.part")
    for pinned in (True, False):
        part.write_bytes(DATA + b"more")
        with serve({"data.bin": DATA}) as server:
            assert fetch(server, path, pinned) == SHA256
            assert server.ranges == ([None] if pinned else ["bytes=700004-", None])
        assert path.read_bytes() == DATA
        path.unlink()


def test_whole_part_needs_no_request(path):
    path.parent.mkdir()
    path.with_name("data.bin.part").write_bytes(DATA)
    with serve({"data.bin": DATA}) as server:
        assert fetch(server, path) == SHA256
        assert server.ranges == []
    assert names(path) == ["data.bin"]


@pytest.mark.parametrize("pinned", [True, False])
def test_disk_space_is_checked_first(path, pinned, monkeypatch):
    def usage(_):
        return shutil._ntuple_diskusage(10**9, 0, 1_000_000)

    monkeypatch.setattr(big_files.shutil, "disk_usage", usage)
    with serve({"data.bin": DATA}) as server:
        with pytest.raises(StorageError, match=r"data\.bin needs 1\.1 MB of disk .* 1\.0 MB are"):
            fetch(server, path, pinned, spare_bytes=400_000)
        assert names(path) == []
        assert fetch(server, path, pinned, spare_bytes=300_000) == SHA256


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file: cannot be written"):
        download(Remote("http://127.0.0.1:9/x"), tmp_path / "file" / "x")


def test_checksum_and_words(tmp_path, capsys):
    (tmp_path / "abc").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    assert sha256_of(tmp_path / "abc") == digest
    with pytest.raises(DataError, match="gone: cannot be read"):
        sha256_of(tmp_path / "gone")
    assert megabytes(2_428_923_189) == "2,428.9 MB"
    with pytest.raises(StorageError, match="it needs"):
        check_space(tmp_path, 10**18, "it")
    check_space(tmp_path, 0, "it")
    capsys.readouterr()
    with bytes_bar("reading", 2600) as count:
        for _ in range(4):
            count(650)
    assert capsys.readouterr().err.startswith("reading: 3 kB in")

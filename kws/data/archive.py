"""Unpacking a .tar.gz that came from elsewhere: nothing outside its folder, all of it or nothing.

Only plain files and folders are taken, and only their content: no owners, no permissions, no
links. The official archives of Speech Commands hold nothing else.
"""

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, cast

from kws.data.big_files import CHUNK_BYTES, bytes_bar, check_space
from kws.errors import DataError, StorageError
from kws.files import storage_error

_BLOCK_BYTES = 4096
"""A file fills whole blocks of the disk."""
_LONGEST_READ_BYTES = 1 << 20


@contextmanager
def unpacked(archive: Path, target: Path) -> Iterator[Path]:
    """Unpack into a folder beside ``target`` and rename it when the block ends well.

    The whole archive is looked through before the first file is written. On any failure the
    folder beside is removed and ``target`` is as it was; what a killed run left there is removed
    by the next.

    Parameters
    ----------
    archive : a .tar.gz.
    target : folder to be made; it must not be there yet, or be empty.

    Raises
    ------
    DataError
        When the archive is missing, damaged, or holds a link, a device, or a name that leads out
        of its folder.
    StorageError
        When ``target`` holds something, there is no room, or nothing can be written.
    """
    require_free(target)
    need_bytes = _survey(archive)
    folder = target.with_name(f".{target.name}.unpacking")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        check_space(target.parent, need_bytes, f"unpacking {archive.name}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        _write(archive, folder)
        yield folder
        if target.is_dir():
            target.rmdir()
        folder.rename(target)
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require_free(target: Path) -> None:
    """Refuse a target that could not be made by renaming, before any work is done.

    Raises
    ------
    StorageError
        When it is a link, a mounted disk, a file, or a folder that holds something.
    """
    if target.is_symlink() or target.is_mount():
        raise StorageError(
            f"{target}: a link or a mounted disk, expected a folder that can be made anew; "
            f"give a folder in it, such as {target / 'data'}"
        )
    if target.exists() and not target.is_dir():
        raise StorageError(f"{target}: a file, expected a new or empty folder; take another name")
    if target.is_dir() and (found := sorted(path.name for path in target.iterdir())):
        raise StorageError(
            f"{target}: holds other things already ({', '.join(found[:3])}), expected a new or "
            "empty folder; take another one"
        )


def _survey(archive: Path) -> int:
    """Read the whole archive once and check it; gives the disk space that its files need."""
    need_bytes = files = 0
    with _members(archive, "looking through") as members:
        for _, member in members:
            need_bytes += -(-member.size // _BLOCK_BYTES) * _BLOCK_BYTES
            files += member.isreg()
    if not files:
        raise DataError(f"{archive}: an archive without a file; expected sound files in folders")
    return need_bytes


def _write(archive: Path, folder: Path) -> None:
    with _members(archive, "unpacking") as members:
        for tar, member in members:
            path = folder / PurePosixPath(member.name)
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as file:
                shutil.copyfileobj(cast(IO[bytes], tar.extractfile(member)), file, CHUNK_BYTES)


Members = Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]


@contextmanager
def _members(archive: Path, doing: str) -> Iterator[Members]:
    """Open an archive and give its members, each checked, up to the archive's true end."""
    try:
        size = archive.stat().st_size
        raw = open(archive, "rb")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise DataError(f"{archive}: cannot be read ({error.strerror}); give a .tar.gz") from error
    try:
        with (
            raw,
            bytes_bar(f"{doing} {archive.name}", size) as count,
            _Unzipped(fileobj=raw, mode="rb") as unzipped,
            tarfile.open(fileobj=unzipped, mode="r:") as tar,
        ):
            yield _checked(archive, tar, unzipped, raw, count)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(
            f"{archive}: not a whole .tar.gz ({error}); delete it and fetch it again"
        ) from error


class _Unzipped(gzip.GzipFile):
    """Reads small pieces only, whatever length a member's header announces for a name."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _LONGEST_READ_BYTES:
            raise tarfile.ReadError(f"a header announces {size} bytes of names")
        return super().read(size)


def _checked(
    archive: Path,
    tar: tarfile.TarFile,
    unzipped: gzip.GzipFile,
    raw: IO[bytes],
    count: Callable[[int], None],
) -> Members:
    read = before = 0
    while (member := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined] # else all of them stay in memory
        if member.size < 0 or tar.offset <= before:
            raise tarfile.ReadError(f"{member.name} has a negative size")
        before = tar.offset
        _check(member, archive)
        yield tar, member
        count(raw.tell() - read)
        read = raw.tell()
    # tarfile takes a damaged header for the end. The true end is zeros, then gzip's checksum.
    unzipped.seek(tar.offset)
    while rest := unzipped.read(CHUNK_BYTES):
        if any(rest):
            raise tarfile.ReadError("a damaged header in the middle")
    count(raw.tell() - read)


def _check(member: tarfile.TarInfo, archive: Path) -> None:
    """Refuse what is no plain file or folder, and a name that leads out."""
    where = f"{archive}: {member.name!r:.200} in the archive"
    if not (member.isreg() or member.isdir()):
        kind = "a link" if member.issym() or member.islnk() else "a device or another special file"
        raise DataError(f"{where} is {kind}; expected files and folders only: nothing is unpacked")
    name = PureWindowsPath(member.name)  # knows drives and both slashes
    leads_out = name.anchor or ".." in name.parts or "\\" in member.name or "\0" in member.name
    if leads_out or (member.isreg() and not name.parts):
        raise DataError(f"{where} leads out of its folder; nothing is unpacked")

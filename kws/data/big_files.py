"""What downloading and unpacking share: room on the disk, bars that count bytes, checksums."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kws.errors import DataError, StorageError
from kws.progress import progress

CHUNK_BYTES = 1 << 18
"""Read and written at a time."""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits.

    Raises
    ------
    DataError
        When the file is missing or cannot be read.
    """
    digest = hashlib.sha256()
    try:
        size = path.stat().st_size
        with open(path, "rb") as file, bytes_bar(f"checksum of {path.name}", size) as count:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                count(len(chunk))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    return digest.hexdigest()


def check_space(folder: Path, need_bytes: int, what: str) -> None:
    """Refuse to begin what does not fit on the disk.

    Raises
    ------
    StorageError
        When the disk that ``folder`` is on has less room than ``need_bytes``.
    """
    free = shutil.disk_usage(folder).free
    if free < need_bytes:
        raise StorageError(
            f"{folder}: {what} needs {megabytes(need_bytes)} of disk space, {megabytes(free)} are "
            "free; free some space or take a folder on another disk"
        )


@contextmanager
def bytes_bar(title: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """A progress bar in kB whose callable is given bytes."""
    done = shown = 0
    with progress(title, round(total_bytes / 1000), "kB") as advance:

        def count(size_bytes: int) -> None:
            nonlocal done, shown
            done += size_bytes
            advance(round(done / 1000) - shown)
            shown = round(done / 1000)

        yield count


def megabytes(size_bytes: int) -> str:
    """Bytes in words, such as ``2,428.9 MB``."""
    return f"{size_bytes / 1e6:,.1f} MB"

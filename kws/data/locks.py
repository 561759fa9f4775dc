"""Locks between programs that share a cache: those that fill it, and one that clears it.

Whoever makes something holds the cache's lock together with others, and the lock of what it makes
alone: two programs make two things at once, and the same thing once.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kws.files import storage_error
from kws.progress import tell

_LOCK = ".lock"


@contextmanager
def filling(cache_root: Path, name: str) -> Iterator[None]:
    """Let one process at a time make ``name``; another waits, and says so.

    Raises
    ------
    StorageError
        When the folder cannot be written.
    """
    with _locked(cache_root, _LOCK, shared=True), _locked(cache_root, f".{name}{_LOCK}"):
        yield


@contextmanager
def clearing(cache_root: Path) -> Iterator[None]:
    """Let one process work while none makes anything.

    Raises
    ------
    StorageError
        When the folder cannot be written.
    """
    with _locked(cache_root, _LOCK):
        for left in cache_root.glob(f".*{_LOCK}"):
            left.unlink(missing_ok=True)
        yield


@contextmanager
def _locked(folder: Path, name: str, shared: bool = False) -> Iterator[None]:
    """Failures of the disk inside are the folder's too."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / name, "w") as lock:
            if os.name == "posix":
                _wait(lock, shared, folder)
            yield
    except OSError as error:
        raise storage_error(error, folder) from error


def _wait(lock: IO[str], shared: bool, folder: Path) -> None:
    import fcntl

    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        tell(f"waiting for another program that is at work in {folder}")
        fcntl.flock(lock, kind)

"""The sound files below a folder, in whatever state people's folders are."""

import os
import stat
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path

from kws.audio import io
from kws.errors import DataError


class Tally:
    """Counts things of a kind and remembers the names of the first."""

    def __init__(self, kind: str, shown: int = 10):
        self.kind, self.shown, self.count = kind, shown, 0
        self.first: list[str] = []

    def add(self, name: str) -> None:
        """Count one."""
        self.count += 1
        if self.count <= self.shown:
            self.first.append(_printable(name))

    def __str__(self) -> str:
        """How many, and a line for each of the first."""
        more = self.count - len(self.first)
        rest = [f"  and {more} more"] if more else []
        return "\n".join([f"{self.kind}: {self.count}", *(f"  {n}" for n in self.first), *rest])


@dataclass
class Scan:
    """What was found below a folder."""

    files: list[Path] = field(default_factory=list)
    """Sound files by their suffix, sorted"""
    left_out: Tally = field(default_factory=lambda: Tally("left out"))
    """Each with its reason"""
    other_suffixes: Counter[str] = field(default_factory=Counter)
    """Of files that are not sound, and how many"""

    def notes(self) -> list[str]:
        """What people should know of what is not among the files."""
        told = [str(self.left_out)] if self.left_out.count else []
        if self.other_suffixes:
            kinds = ", ".join(f"{n} {name}" for name, n in self.other_suffixes.most_common(8))
            told.append(f"not sound files, by their names: {kinds}")
        return told


def scan(*roots: Path) -> Scan:
    """List the sound files of folders and the folders below them.

    Links are followed, each folder is listed once: a link that leads back is named, not followed.
    Names that begin with a dot are left alone.

    Raises
    ------
    DataError
        When there is no such folder, or it cannot be listed.
    """
    found = Scan()
    seen: dict[tuple[int, int], Path] = {}
    pending = deque(roots)  # real folders before links: a folder is listed under its own name
    while pending:
        folder = pending.popleft()
        try:
            real, linked = _list(folder, found, seen)
        except OSError as error:
            problem = f"{folder}: cannot be listed ({error.strerror})"
            if folder in roots:
                raise DataError(f"{problem}; expected a folder of sound files") from error
            found.left_out.add(problem)
            continue
        pending.extendleft(reversed(real))
        pending.extend(linked)
    found.files.sort()
    return found


def _list(
    folder: Path, found: Scan, seen: dict[tuple[int, int], Path]
) -> tuple[list[Path], list[Path]]:
    """Sort one folder's entries into what was found; give the folders in it, real and linked."""
    status = folder.stat()
    before = seen.setdefault((status.st_dev, status.st_ino), folder)
    if before is not folder:
        found.left_out.add(f"{folder}: a link to {before}, listed already")
        return [], []
    real: list[Path] = []
    linked: list[Path] = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        path = folder / entry.name
        try:
            status = path.stat()
        except OSError as error:
            found.left_out.add(f"{path}: cannot be opened ({error.strerror})")
            continue
        if stat.S_ISDIR(status.st_mode):
            (linked if entry.is_symlink() else real).append(path)
        elif path.suffix.lower() not in io.SUFFIXES:
            found.other_suffixes[_printable(path.suffix) or "without suffix"] += 1
        elif reason := _why_not(path, status):
            found.left_out.add(f"{path}: {reason}")
        else:
            found.files.append(path)
    return real, linked


def _why_not(path: Path, status: os.stat_result) -> str:
    """Why a sound file cannot be used, or nothing."""
    if not stat.S_ISREG(status.st_mode):
        return "a pipe or a device"
    if status.st_size == 0:
        return "empty"
    if not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        return "no permission to read it"
    return "" if _is_utf8(str(path)) else "its name is not UTF-8; rename it"


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(name: str) -> str:
    """A name that can be shown, whatever its bytes."""
    return name.encode(errors="backslashreplace").decode()

"""What a cache of features holds, and how it is made smaller."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from kws.data.cache import VERSION
from kws.data.locks import clearing
from kws.errors import DataError
from kws.files import storage_error

_DAY_S = 86_400


@dataclass(frozen=True)
class Entry:
    """One set of features."""

    folder: Path
    state: str
    """``complete``, ``unfinished`` (a run goes on with it), or ``outdated`` (of older code)"""
    recipe: str
    """Of the first to make it; others with the same clips and features use it too"""
    data: str
    split: str
    clips: int
    copies: int
    file_bytes: int
    unused_days: float


def list_cache(root: Path) -> list[Entry]:
    """What lies in a cache folder, the last used first.

    Raises
    ------
    DataError
        When there is no such folder, or it holds what is no cache of features.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such cache folder; the default is runs/cache")
    folders = [path for path in root.iterdir() if path.is_dir()]
    strange = [path for path in folders if not _is_key(path.name)]
    if strange:
        raise DataError(
            f"{root}: no cache of features, it holds {strange[0].name}; the default is runs/cache"
        )
    return sorted(map(_entry, folders), key=lambda entry: entry.unused_days)


def prune_cache(root: Path, unused_days: float) -> list[Entry]:
    """Remove what was not used for so many days, and all that is outdated; gives what is gone.

    Raises
    ------
    DataError
        As :func:`list_cache`.
    StorageError
        When something cannot be removed.
    """
    list_cache(root)  # nothing is locked, or written, in a folder that is no cache
    with clearing(root):
        gone = [
            entry
            for entry in list_cache(root)
            if entry.unused_days >= unused_days or entry.state == "outdated"
        ]
        for entry in gone:
            try:
                # First the fact that it is complete: what is left after a kill is unfinished.
                (entry.folder / "info.json").unlink(missing_ok=True)
                shutil.rmtree(entry.folder)
            except OSError as error:
                raise storage_error(error, entry.folder) from error
    return gone


def _is_key(name: str) -> bool:
    return len(name) == 24 and set(name) <= set("0123456789abcdef")


def _entry(folder: Path) -> Entry:
    stats = [path.stat() for path in folder.rglob("*") if path.is_file()]
    info, state = _info(folder)
    marker = folder / "info.json"
    used = marker.stat().st_mtime if marker.is_file() else folder.stat().st_mtime
    return Entry(
        folder=folder,
        state=state,
        recipe=str(info.get("recipe", "")),
        data=str(info.get("data", "")),
        split=str(info.get("split", "")),
        clips=sum(info.get("shards", ())),
        copies=int(info.get("copies", 0)),
        file_bytes=sum(found.st_size for found in stats),
        unused_days=max(0.0, (time.time() - used) / _DAY_S),
    )


def _info(folder: Path) -> tuple[dict, str]:
    if not (folder / "info.json").is_file():
        return {}, "unfinished"
    try:
        info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
    except ValueError:
        return {}, "outdated"
    return (info, "complete") if info.get("version") == VERSION else ({}, "outdated")

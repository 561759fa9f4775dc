"""What is said in a recording, and when: read from and written to label files beside it."""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kws.errors import DataError
from kws.files import write_text

SUFFIXES = (".txt", ".csv")
"""Of label files: Audacity's label tracks, and tables with the columns start, end and label."""
WINDOWS = "_ww_windows.json"
"""Ends the name of MLPerf Tiny's list of windows: [[start, end], ...], in which its word is said"""
_COLUMNS = ("start", "end", "label")


@dataclass(frozen=True)
class SpokenWord:
    """A word, or several said in one breath ("on the"), and when it is said."""

    word: str
    """Empty where only the time is known"""
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Recording:
    """A long sound file, all that is said in it, and what it is like."""

    path: Path
    words: tuple[SpokenWord, ...] = ()
    """In order of time"""
    conditions: tuple[tuple[str, str], ...] = ()
    """Such as ("snr_db", "10")"""

    def known(self, name: str, value: str) -> "Recording":
        """The same, with one more condition, unless its own table tells that already."""
        if name in dict(self.conditions):
            return self
        return replace(self, conditions=(*self.conditions, (name, value)))


def write_words(path: Path, words: list[SpokenWord]) -> None:
    """Write the words as an Audacity label track, a line a word: start, end (seconds) and text."""
    write_text(path, "".join(f"{w.start_s:.3f}\t{w.end_s:.3f}\t{w.word}\n" for w in words))


def read_words(path: Path) -> list[SpokenWord]:
    """Read an Audacity label track, or a ``.csv`` with the columns start, end (seconds) and label.

    A list of windows (:data:`WINDOWS`) gives words without names. Lines of an Audacity track that
    begin with a backslash (frequencies of a label) are passed over.

    Raises
    ------
    DataError
        When the file is missing, or a line is not start, end and text, with start before end.
    """
    text = read_text(path, "the words of a recording")
    if path.name.endswith(WINDOWS):
        return _windows(text, path)
    rows = _table(text, path) if path.suffix.lower() == ".csv" else _track(text)
    return [_word(row, f"{path}, line {number}") for number, row in rows]


def read_text(path: Path, expected: str) -> str:
    """A text file as people's programs write it; a DataError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected {expected}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from error


def label_file(recording: Path) -> Path | None:
    """The label file beside a recording: its name, with one of :data:`SUFFIXES`, or
    :data:`WINDOWS`; None where there is none."""
    beside = [recording.with_suffix(suffix) for suffix in SUFFIXES]
    beside.append(recording.with_name(recording.stem + WINDOWS))
    return next((path for path in beside if path.is_file()), None)


def _windows(text: str, path: Path) -> list[SpokenWord]:
    try:
        windows = [(float(start), float(end)) for start, end in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: expected [[start, end], ...] in seconds ({error})") from error
    for start_s, end_s in windows:
        if not 0 <= start_s <= end_s < math.inf:
            raise DataError(f"{path}: found [{start_s}, {end_s}]; expected start before end")
    return [SpokenWord("", start_s, end_s) for start_s, end_s in windows]


def _track(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("\\"):
            yield number, line.split("\t")


def _table(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.DictReader(text.splitlines())
    found = reader.fieldnames or []
    if missing := [name for name in _COLUMNS if name not in found]:
        raise DataError(
            f"{path}: no column {', '.join(missing)} (found: {', '.join(found) or 'nothing'}); "
            "expected a header with start, end and label, times in seconds"
        )
    for row in reader:
        yield reader.line_num, [row[name] or "" for name in _COLUMNS]


def _word(row: list[str], where: str) -> SpokenWord:
    try:
        start, end, word = row
        start_s, end_s = float(start), float(end)
    except ValueError:
        start_s, end_s, word = math.nan, math.nan, ""
    if not 0 <= start_s <= end_s < math.inf or not word.strip():
        found = " ".join(row).strip()[:60]
        raise DataError(
            f"{where}: found {found!r}; expected start and end in seconds and a word: with tabs "
            "between, as Audacity exports labels, or in a .csv's columns start, end and label"
        )
    return SpokenWord(word.strip(), start_s, end_s)

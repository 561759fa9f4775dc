"""A manifest: the clips of a corpus as a table that people read and edit.

UTF-8 CSV, the columns in any order: ``path,label,speaker,split,start,duration``. A path is relative
to the manifest's folder, or absolute. An empty speaker is not known. Start and duration are in
seconds; empty, they mean from the beginning and to the end.
"""

import csv
import io
import math
import os
from collections.abc import Iterator
from pathlib import Path
from sys import intern

from kws.data.manifest import SPLITS, Clip
from kws.errors import DataError, StorageError
from kws.files import write_table

NAME = "manifest.csv"
COLUMNS = ("path", "label", "speaker", "split", "start", "duration")


def read_manifest(path: Path) -> list[Clip]:
    """Read a manifest, in its order.

    The sound files are not looked for: one that is gone is told by whoever reads it.

    Parameters
    ----------
    path : the CSV file.

    Returns
    -------
    Clips with absolute paths; the label is the word as the manifest has it, the speaker is ``""``
    where it is not known.

    Raises
    ------
    DataError
        When the file is missing, empty, not UTF-8 or not CSV; a column is missing or not known; a
        line has a bad value; a piece is listed twice; or a speaker, or a file of which no speaker
        is known, is in two splits. The message names the file and the line.
    """
    base = str(path.parent.absolute())
    clips: list[Clip] = []
    pieces: dict[tuple[str, float, float | None], int] = {}
    homes: dict[str, tuple[str, int]] = {}
    for line, row in _rows(path):
        name = os.path.join(base, row["path"])  # str(clip.path) would be kept with every clip
        clip = _clip(row, name, f"{path}: line {line}")
        before = pieces.setdefault((name, clip.start_s, clip.duration_s), line)
        if before != line:
            raise DataError(
                f"{path}: line {line}: the same piece of {row['path']} as in line {before}, "
                "expected each piece once; remove one of the lines"
            )
        split, first = homes.setdefault(clip.speaker or "/" + name, (clip.split, line))
        if split != clip.split:
            whose = f"speaker {clip.speaker!r}" if clip.speaker else f"file {row['path']!r}"
            raise DataError(
                f"{path}: line {line}: {whose} is in {clip.split}, but in {split} in line {first}; "
                f"expected one split a {whose.split()[0]}, else scores are too good: "
                "change the split of one, or the speaker if they are two people"
            )
        clips.append(clip)
    if not clips:
        raise DataError(f"{path}: no clips, only a header; expected a line a clip")
    return clips


def write_manifest(path: Path, clips: list[Clip]) -> None:
    """Write a manifest, whole or not at all; paths below its folder become relative to it.

    Raises
    ------
    StorageError
        When it cannot be written, or a file's name is not UTF-8.
    """
    base = os.path.join(path.parent.absolute(), "")
    rows = []
    for clip in clips:
        name = str(clip.path.absolute()).removeprefix(base)
        start = _written(clip.start_s) if clip.start_s else ""
        duration = "" if clip.duration_s is None else _written(clip.duration_s)
        rows.append((name, clip.label, clip.speaker, clip.split, start, duration))
    try:
        write_table(path, COLUMNS, rows)
    except UnicodeEncodeError as error:
        name = repr(error.object[error.start - 40 : error.end + 20])
        raise StorageError(
            f"{path}: cannot be written, a file's name is not UTF-8 (near {name}); rename that file"
        ) from error


def piece_in(row: dict[str, str], where: str) -> tuple[float, float | None]:
    """Start and duration in seconds, of a row that may have them.

    Raises
    ------
    DataError
        When one is no number, negative, or a duration of nothing.
    """
    start = _number(row.get("start", ""), where, "start")
    duration = _number(row.get("duration", ""), where, "duration")
    if start is not None and start < 0:
        raise DataError(f"{where}: start {start:g} s, expected 0 or more, or nothing")
    if duration is not None and duration <= 0:
        raise DataError(
            f"{where}: duration {duration:g} s, expected more than 0, or nothing (to the end)"
        )
    return start or 0.0, duration


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number (of the row's end) and values by column, of every row that is not blank."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header)
        for values in reader:
            if not values:
                continue
            if len(values) != len(header):
                raise DataError(
                    f"{path}: line {reader.line_num}: {len(values)} values, expected "
                    f"{len(header)} ({','.join(header)}); put quotes around a value with a comma"
                )
            yield reader.line_num, dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: not CSV ({error}); mend it") from error


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if not data.strip():
        raise DataError(f"{path}: an empty file; expected the header {','.join(COLUMNS)}")
    try:
        return data.decode("utf-8-sig")  # spreadsheets put a byte order mark before it
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: line {line}: not UTF-8 (byte 0x{data[error.start]:02x}); save it as UTF-8"
        ) from error


def _check_header(path: Path, header: list[str]) -> None:
    expected = f"expected {','.join(COLUMNS)}"
    for name in COLUMNS:
        if name not in header:
            raise DataError(
                f"{path}: line 1: no column {name!r} in {','.join(header)!r:.200}; {expected}, "
                "with commas between them"
            )
    for name in header:
        if name not in COLUMNS:
            raise DataError(f"{path}: line 1: unknown column {name!r:.100}; {expected}; remove it")
    if len(header) != len(COLUMNS):
        raise DataError(f"{path}: line 1: a column twice in {','.join(header)}; {expected}")


def _clip(row: dict[str, str], name: str, where: str) -> Clip:
    label, speaker, split = row["label"].strip(), row["speaker"].strip(), row["split"].strip()
    if not row["path"].strip() or "\0" in name:
        raise DataError(f"{where}: path {row['path']!r:.100}, expected the name of a sound file")
    if not label:
        raise DataError(f"{where}: no label, expected the word that {row['path']} holds")
    if split not in SPLITS:
        raise DataError(f"{where}: split {split!r:.100}, expected one of {', '.join(SPLITS)}")
    start, duration = piece_in(row, where)
    return Clip(Path(name), intern(label), intern(speaker), intern(split), start, duration)


def _number(text: str, where: str, column: str) -> float | None:
    text = text.strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: {column} {text!r:.100}, expected seconds such as 1.25") from None
    return value


def _written(seconds: float) -> str:
    return repr(float(seconds)).removesuffix(".0")

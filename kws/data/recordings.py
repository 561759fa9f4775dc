"""Long recordings to test a detector on: sound files, label files beside them, their conditions."""

import csv
from pathlib import Path

from kws.audio.annotation import SUFFIXES, Recording, SpokenWord, label_file, read_text, read_words
from kws.data.folder import sound_files
from kws.errors import DataError

TABLE = "recordings.csv"
"""In a folder: a column ``path``, and any others, which are conditions (snr_db, distance_m ...)"""


def read_recordings(place: Path, words_beside: bool = True) -> list[Recording]:
    """List the recordings of a folder, or the one of a file, with what is said in each.

    Where the folder has a :data:`TABLE`, those in it, with their conditions; else all sound files.

    Parameters
    ----------
    words_beside : each has a label file (an empty one where nothing is said). If not, label files
        are left alone: no keyword is said in any of the recordings.

    Raises
    ------
    DataError
        When there are none, one of the table is missing, or a label file is missing or wrong.
    """
    if place.is_file():
        listed: dict[Path, dict[str, str]] = {place: {}}
    elif (place / TABLE).is_file():
        listed = _read_table(place / TABLE)
    else:
        listed = {path: {} for path in sound_files(place)}
    if not listed:
        raise DataError(f"{place}: no sound files; expected recordings such as WAV or FLAC")
    return [
        Recording(path, _words(path) if words_beside else (), tuple(conditions.items()))
        for path, conditions in listed.items()
    ]


def _words(path: Path) -> tuple[SpokenWord, ...]:
    labels = label_file(path)
    if labels is None:
        names = " or ".join(path.with_suffix(suffix).name for suffix in SUFFIXES)
        raise DataError(
            f"{path}: no label file beside it; expected {names} with the words and their times "
            "(empty where nothing is said), or give recordings without keywords by --negatives"
        )
    return tuple(sorted(read_words(labels), key=lambda word: word.start_s))


def _read_table(table: Path) -> dict[Path, dict[str, str]]:
    reader = csv.DictReader(read_text(table, "a table of recordings").splitlines())
    if "path" not in (reader.fieldnames or []):
        raise DataError(f"{table}: no column path; expected a header with path and conditions")
    listed: dict[Path, dict[str, str]] = {}
    for row in reader:
        path = table.parent / (row.pop("path") or "")
        if not path.is_file():
            raise DataError(f"{table}, line {reader.line_num}: {path}: no such recording")
        listed[path] = {key: value for key, value in row.items() if key and value}
    return listed

"""Clips from someone's table: Common Voice, the Multilingual Spoken Words Corpus, one's own.

| table | columns used |
| --- | --- |
| Common Voice (``train.tsv``, ``validated.tsv`` …) | client_id, path, sentence |
| Multilingual Spoken Words (``en_splits.csv`` …) | LINK, WORD, VALID, SPEAKER, SET |
| one's own | path, label, and where there are: speaker, split, start, duration |

A file named ``train``, ``dev`` or ``test``, or ending in ``_train`` …, gives its clips that split.
"""

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from kws.audio import io
from kws.data.manifest import SPLITS, TESTING, TRAINING, VALIDATION, Clip
from kws.data.manifest_file import piece_in
from kws.data.scan import Tally
from kws.data.splits import UNDECIDED
from kws.errors import DataError

_SPLITS = {"train": TRAINING, "dev": VALIDATION, "valid": VALIDATION, "test": TESTING}
_SPLITS |= {name: name for name in SPLITS}
_PUNCTUATION = re.compile(r"^[\W_]+|[\W_]+$")


@dataclass
class Table:
    """The clips of some tables, and what did not become a clip."""

    clips: list[Clip] = field(default_factory=list)
    missing: Tally = field(default_factory=lambda: Tally("no such sound file"))
    several_words: Tally = field(default_factory=lambda: Tally("sentences of several words"))
    not_valid: Tally = field(default_factory=lambda: Tally("not valid, by the table itself"))
    again: Tally = field(default_factory=lambda: Tally("listed again"))

    def notes(self) -> list[str]:
        """What people should know of the rows that did not become clips."""
        tallies = (self.missing, self.several_words, self.not_valid, self.again)
        return [str(tally) for tally in tallies if tally.count]


@dataclass(frozen=True)
class _Row:
    where: str
    values: dict[str, str]
    split: str
    """That the table's name gives"""


def read_tables(paths: list[Path], root: Path, keywords: tuple[str, ...] = ()) -> Table:
    """Read the clips that tables name.

    Parameters
    ----------
    paths : tables with a header, .tsv or .csv.
    root : folder of the sound files; they may be in ``clips`` below it, and have another suffix of
        a sound file than the table says (converted corpora).
    keywords : sentences of several words that are labels, too: ``hey marvin`` becomes
        ``hey_marvin``.

    Raises
    ------
    DataError
        When a table cannot be read, has other columns or a bad value, or no row becomes a clip.
    """
    table = Table()
    wanted = {_spoken(word.replace("_", " ")) for word in keywords}
    pieces: dict[tuple[Path, float], Clip] = {}
    for path in paths:
        folders = [root / "clips", root, path.parent / "clips", path.parent]
        for row in _rows(path):
            clip = _clip(row, table, folders, wanted)
            if clip is not None:
                _keep(clip, pieces, table, row.where)
    table.clips += pieces.values()
    if not table.clips:
        reasons = " ".join(table.notes()) or "no rows"
        raise DataError(f"{', '.join(map(str, paths))}: not one clip ({reasons})")
    return table


def _clip(row: _Row, table: Table, folders: list[Path], keywords: set[str]) -> Clip | None:
    """Make a clip of a row, or count why it is none."""
    values, columns = row.values, row.values.keys()
    split, start, duration = row.split, 0.0, None
    if {"LINK", "WORD"} <= columns:
        name, label, speaker = values["LINK"], values["WORD"], values.get("SPEAKER", "")
        split = _split(values.get("SET", ""), row) or split
        if values.get("VALID", "").lower() == "false":
            table.not_valid.add(name)
            return None
        speaker = "" if speaker == "NA" else speaker
    elif {"path", "sentence"} <= columns:
        name, speaker = values["path"], values.get("client_id", "")
        label = _spoken(values["sentence"])
        if " " in label and label not in keywords:
            table.several_words.add(f"{name}: {values['sentence']}")
            return None
    else:
        name, label, speaker = values["path"], values["label"], values.get("speaker", "")
        split = _split(values.get("split", ""), row) or split
        start, duration = piece_in(values, row.where)
    if not name or not label:
        raise DataError(f"{row.where}: no {'label' if name else 'path'}; correct or remove the row")
    found = _find(name, folders)
    if found is None:
        table.missing.add(name)
        return None
    return Clip(found, "_".join(label.split()), speaker, split, start, duration)


def _keep(clip: Clip, pieces: dict[tuple[Path, float], Clip], table: Table, where: str) -> None:
    """Keep a clip once; Common Voice lists those of train.tsv in validated.tsv, too."""
    before = pieces.get((clip.path, clip.start_s))
    if before is None:
        pieces[clip.path, clip.start_s] = clip
        return
    if replace(before, split=clip.split) != clip:
        raise DataError(
            f"{where}: {clip.path} is {clip.label!r} of speaker {clip.speaker!r} here, but "
            f"{before.label!r} of speaker {before.speaker!r} before; correct one of the rows"
        )
    if clip.split and before.split not in (UNDECIDED, clip.split):
        raise DataError(f"{where}: {clip.path} is in {clip.split} and in {before.split}")
    if before.split == UNDECIDED:
        pieces[clip.path, clip.start_s] = clip
    table.again.add(str(clip.path))


def _rows(path: Path) -> Iterator[_Row]:
    tabs = path.suffix.lower() == ".tsv"
    split = _SPLITS.get(path.stem.rpartition("_")[2].lower(), UNDECIDED)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            if tabs:  # Common Voice's quotes are part of the text
                reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header)
            for values in reader:
                where = f"{path}: line {reader.line_num}"
                if len(values) != len(header) and values:
                    raise DataError(f"{where}: {len(values)} values, expected {len(header)}")
                if values:
                    stripped = (value.strip() for value in values)
                    yield _Row(where, dict(zip(header, stripped, strict=True)), split)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error.reason}); save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: not a table ({error})") from error


def _check_header(path: Path, header: list[str]) -> None:
    known = ({"LINK", "WORD"}, {"path", "sentence"}, {"path", "label"})
    if not any(columns <= set(header) for columns in known):
        raise DataError(
            f"{path}: columns {', '.join(header)[:200] or 'none'}; expected path and label "
            "(and speaker, split), or client_id, path, sentence (Common Voice), or LINK, WORD, "
            "SPEAKER (Multilingual Spoken Words); .tsv has tabs, .csv commas"
        )


def _split(name: str, row: _Row) -> str:
    if name and name.lower() not in _SPLITS:
        raise DataError(f"{row.where}: split {name!r:.60}, expected one of {', '.join(_SPLITS)}")
    return _SPLITS.get(name.lower(), UNDECIDED)


def _spoken(sentence: str) -> str:
    """The words of a sentence in small letters, without the punctuation around them."""
    words = (_PUNCTUATION.sub("", word) for word in sentence.lower().split())
    return " ".join(word for word in words if word)


def _find(name: str, folders: list[Path]) -> Path | None:
    if "\0" in name:
        return None
    stem = os.path.splitext(name)[0]
    for candidate in (name, *(stem + suffix for suffix in io.SUFFIXES)):
        for folder in folders:
            if os.path.isfile(path := os.path.join(folder, candidate)):
                return Path(path)
    return None

"""A clip, the splits, and how a list of clips is divided among them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kws.errors import DataError

TRAINING, VALIDATION, TESTING = "training", "validation", "testing"
SPLITS = (TRAINING, VALIDATION, TESTING)
ALL = "all"
"""Not a split: every clip, whatever its split."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording of one word, or a piece of one; a speaker's clips are all in one split."""

    path: Path
    label: str
    speaker: str
    """``""``: not known"""
    split: str
    start_s: float = 0.0
    duration_s: float | None = None
    """None: to the file's end"""
    word: str = ""
    """What is said, where the label does not tell"""


def of_split(clips: list[Clip], split: str, where: Path) -> list[Clip]:
    """The clips of one split, or all of them for ``all``, in their order.

    Raises
    ------
    DataError
        When there are none; the message tells how many the other splits have.
    ValueError
        When there is no such split.
    """
    if split not in (*SPLITS, ALL):
        raise ValueError(f"no split {split!r}, expected one of {', '.join((*SPLITS, ALL))}")
    chosen = [clip for clip in clips if split in (ALL, clip.split)]
    if not chosen:
        counts = Counter(clip.split for clip in clips)
        found = ", ".join(f"{name} {counts[name]}" for name in SPLITS)
        raise DataError(
            f"{where}: no clips in the {split} split (found: {found}); "
            "a speaker's clips are all in one split: take another split, or all"
        )
    return chosen


def require_labels(clips: list[Clip], labels: tuple[str, ...], split: str, where: Path) -> None:
    """Make sure that every label has a clip.

    Raises
    ------
    DataError
        When a label has none; the message names the first such label.
    """
    there = {clip.label for clip in clips}
    for label in labels:
        if label not in there:
            raise DataError(
                f"{where}: no {split} clips of {label!r}, expected some for every label; "
                f"add recordings{_folder_hint(label, where)}"
            )


def _folder_hint(label: str, where: Path) -> str:
    if label == "unknown":
        return " of words that are not keywords, a folder a word"
    place = where if where.suffix == ".csv" else where / label
    return f" to {place}, or take the keyword out of the recipe"

"""Which detection belongs to which word that was said."""

from collections.abc import Sequence
from dataclasses import dataclass

from kws.audio.annotation import SpokenWord
from kws.spotting.decoder import Detection


@dataclass(frozen=True)
class Tolerance:
    """A detection hits a word of its keyword within this time, in seconds."""

    early_s: float = 0.1
    """After the word's start, at the earliest: nobody knows a word from less"""
    late_s: float = 0.75
    """After the word's end, at the latest"""

    def holds(self, detection: Detection, word: SpokenWord) -> bool:
        """Whether a detection is within a word's time."""
        return word.start_s + self.early_s <= detection.time_s <= word.end_s + self.late_s


@dataclass(frozen=True)
class Matched:
    """Words and detections of one recording, each of them once."""

    hits: tuple[tuple[SpokenWord, Detection], ...]
    missed: tuple[SpokenWord, ...]
    false: tuple[Detection, ...]
    """Detections of no word, and further ones of a word that was hit already"""
    confused: tuple[tuple[SpokenWord, Detection], ...] = ()
    """Of the missed, those that a false detection, of another keyword, would have hit"""


def match(
    detections: Sequence[Detection],
    words: Sequence[SpokenWord],
    keywords: Sequence[str],
    tolerance: Tolerance | None = None,
) -> Matched:
    """Pair each said keyword with the first detection of it in time that is not taken yet.

    Parameters
    ----------
    words : all that is said, in order of time; those that are no keywords are passed over.
    """
    tolerance = tolerance or Tolerance()
    left = sorted(detections, key=lambda detection: detection.time_s)
    hits: list[tuple[SpokenWord, Detection]] = []
    missed: list[SpokenWord] = []
    for word in words:
        if word.word not in keywords:
            continue
        heard = next((d for d in left if d.keyword == word.word and tolerance.holds(d, word)), None)
        if heard:
            left.remove(heard)
            hits.append((word, heard))
        else:
            missed.append(word)
    return Matched(tuple(hits), tuple(missed), tuple(left), _confused(missed, left, tolerance))


def _confused(
    missed: Sequence[SpokenWord], false: Sequence[Detection], tolerance: Tolerance
) -> tuple[tuple[SpokenWord, Detection], ...]:
    """Pair each missed keyword with the first false detection in its time, each of them once."""
    left, found = list(false), []
    for word in missed:
        taken_for = next((one for one in left if tolerance.holds(one, word)), None)
        if taken_for:
            left.remove(taken_for)
            found.append((word, taken_for))
    return tuple(found)

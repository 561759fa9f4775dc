"""Which detection belongs to which word that was said."""

from collections.abc import Callable, Sequence
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
    confused: tuple[tuple[SpokenWord, Detection], ...]
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
    said = [word for word in words if word.word in keywords]
    in_order = sorted(detections, key=lambda detection: detection.time_s)
    hits, missed, false = _pair(
        said, in_order, lambda word, one: one.keyword == word.word and tolerance.holds(one, word)
    )
    confused, _, _ = _pair(missed, false, lambda word, one: tolerance.holds(one, word))
    return Matched(tuple(hits), tuple(missed), tuple(false), tuple(confused))


def _pair(
    words: Sequence[SpokenWord],
    detections: Sequence[Detection],
    fits: Callable[[SpokenWord, Detection], bool],
) -> tuple[list[tuple[SpokenWord, Detection]], list[SpokenWord], list[Detection]]:
    """Pair each word with the first detection that fits it; and the words and detections left."""
    left, pairs, without = list(detections), [], []
    for word in words:
        found = next((one for one in left if fits(word, one)), None)
        if found:
            left.remove(found)
            pairs.append((word, found))
        else:
            without.append(word)
    return pairs, without, left

"""What a classifier does with words that it never heard, at the plain maximum and at thresholds.

Scheirer et al., "Toward open set recognition", IEEE Transactions on Pattern Analysis and Machine
Intelligence 35 (2013): a detector in the world is asked about classes that training had not.
"""

from dataclasses import dataclass

import numpy as np

from kws.recipe import DecoderConfig
from kws.recipe_data import SILENCE, UNKNOWN
from kws.spotting.metrics import Share, share

COST = 0.005
"""The chosen threshold costs at most this much accuracy: half a point."""
_STEPS = 256
"""Thresholds that are tried: the steps of an int8 posterior."""


@dataclass(frozen=True)
class WordTaken:
    """Clips of one word never heard, and those that were taken for a keyword."""

    word: str
    taken: Share


@dataclass(frozen=True)
class OperatingPoint:
    """What comes of one way to decide."""

    name: str
    threshold: float | None
    """Of the largest keyword posterior; None: the label of the largest posterior of all. Where
    keywords have thresholds of their own, that of the others."""
    accuracy: Share
    """Of the split's clips, in which no such word is; a keyword below the threshold is unknown"""
    taken: Share
    """Of the clips of words never heard, those taken for a keyword"""
    words: tuple[WordTaken, ...]
    """The same by word; words of which there is no clip are left out"""


@dataclass(frozen=True)
class OpenSet:
    """All figures of words never heard; ``dataclasses.asdict`` makes JSON of it."""

    maximum: OperatingPoint
    decoder: OperatingPoint
    """At the decoder's threshold. That is a clip's answer, without the decoder's smoothing."""
    chosen: OperatingPoint
    """At :func:`choose_threshold` of the split's clips"""

    @property
    def points(self) -> tuple[OperatingPoint, ...]:
        """The three, in this order."""
        return self.maximum, self.decoder, self.chosen


def measure_open_set(
    posteriors: np.ndarray,
    truth: np.ndarray,
    unseen_posteriors: np.ndarray,
    unseen_truth: np.ndarray,
    labels: tuple[str, ...],
    unseen_words: tuple[str, ...],
    decoder: DecoderConfig,
) -> OpenSet:
    """Judge a model's answers to clips and to words that it never heard.

    Parameters
    ----------
    posteriors : (clips, labels), of clips that it is scored on; ``truth``: int (clips,).
    unseen_posteriors : (others, labels), of words never heard; there may be none.
    unseen_truth : int (others,), indices in ``unseen_words``.
    decoder : whose thresholds are judged.
    """

    def point(name: str, at: float | None, each: np.ndarray | None = None) -> OperatingPoint:
        by = at if each is None else each
        right = answers(posteriors, labels, by) == truth
        taken = is_keyword(answers(unseen_posteriors, labels, by), labels)
        return OperatingPoint(
            name,
            at,
            accuracy=share(int(right.sum()), len(right)),
            taken=share(int(taken.sum()), len(taken)),
            words=tuple(
                WordTaken(word, share(int(taken[mine].sum()), int(mine.sum())))
                for index, word in enumerate(unseen_words)
                if (mine := unseen_truth == index).any()
            ),
        )

    thresholds = np.array([decoder.threshold_of(label) for label in labels])
    return OpenSet(
        point("plain maximum", None),
        point("decoder's threshold", decoder.threshold, thresholds),
        point("chosen threshold", choose_threshold(posteriors, truth, labels)),
    )


def answers(
    posteriors: np.ndarray, labels: tuple[str, ...], threshold: float | np.ndarray | None
) -> np.ndarray:
    """Label indices, int (clips,), that (clips, labels) posteriors stand for.

    Without a threshold, that of the largest posterior. With one, or one for each label, the most
    probable of the keywords that reach theirs, as the decoder decides; else the label of the
    largest posterior, but ``unknown`` where that is a keyword, and -1, no label, where the model
    has no ``unknown``.
    """
    top = posteriors.argmax(axis=1)
    if threshold is None:
        return top
    none = labels.index(UNKNOWN) if UNKNOWN in labels else -1
    keyword = is_keyword(np.arange(len(labels)), labels)
    reached = keyword & (posteriors >= np.float32(threshold))
    best = np.where(reached, posteriors, -1).argmax(axis=1)
    below = np.where(is_keyword(top, labels), none, top)
    return np.where(reached.any(axis=1), best, below)


def is_keyword(given: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Which of (clips,) label indices stand for keywords: bool (clips,)."""
    keyword = np.array([label not in (UNKNOWN, SILENCE) for label in labels] + [False])
    return keyword[given]  # -1 is the last


def choose_threshold(
    posteriors: np.ndarray, truth: np.ndarray, labels: tuple[str, ...], cost: float = COST
) -> float:
    """The highest threshold of keywords that costs at most ``cost`` of the plain accuracy.

    The higher it is, the fewer words never heard are taken for a keyword; what it costs is seen on
    clips of the words that training had. Words never heard have no part in the choice, so that
    they may judge it. Where every threshold costs more, it is the one that costs least.

    Parameters
    ----------
    posteriors : (clips, labels), of validation clips. truth : int (clips,).
    """
    plain = int((answers(posteriors, labels, None) == truth).sum())
    thresholds = np.arange(1, _STEPS) / _STEPS
    right = np.array([(answers(posteriors, labels, at) == truth).sum() for at in thresholds])
    cheap = np.flatnonzero(right >= min(plain - cost * len(truth), right.max()))
    return float(thresholds[cheap[-1]])

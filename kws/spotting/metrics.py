"""Figures of a classifier: accuracy, confusion, precision and recall, with their intervals."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

Z_95 = 1.959963984540054
"""Half width of the central 95 % of a normal distribution, in standard deviations."""


@dataclass(frozen=True)
class Share:
    """``count`` of ``total``, with its 95 % interval."""

    count: int
    total: int
    value: float | None
    """``count / total``, or None of nothing"""
    low: float
    high: float


@dataclass(frozen=True)
class ClassScore:
    """How one label fares."""

    label: str
    precision: Share
    """Of the clips that were given this label, those that are it"""
    recall: Share
    """Of the clips that are it, those that were given this label"""


@dataclass(frozen=True)
class Scores:
    """All figures of one evaluation; ``dataclasses.asdict`` makes JSON of it."""

    accuracy: Share
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Row: what it was; column: what it was taken for; both in the order of ``classes``."""


def score(truth: np.ndarray, answers: np.ndarray, labels: tuple[str, ...]) -> Scores:
    """Compare answers with the truth.

    Parameters
    ----------
    truth, answers : int (clips,), indices in ``labels``; may be empty.

    Raises
    ------
    ValueError
        When the two differ in length, or an index is not one of a label.
    """
    return scores_of(confusion_matrix(truth, answers, len(labels)), labels)


def scores_of(matrix: np.ndarray, labels: tuple[str, ...]) -> Scores:
    """The same from counts, (labels, labels), truth along the rows."""
    given, there, right = matrix.sum(axis=0), matrix.sum(axis=1), matrix.diagonal()
    return Scores(
        accuracy=share(int(right.sum()), int(matrix.sum())),
        classes=tuple(
            ClassScore(
                label,
                precision=share(int(right[i]), int(given[i])),
                recall=share(int(right[i]), int(there[i])),
            )
            for i, label in enumerate(labels)
        ),
        confusion=tuple(tuple(row) for row in matrix.tolist()),
    )


def confusion_matrix(truth: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Count the pairs of truth and answer: int64 (classes, classes), truth along the rows.

    Raises
    ------
    ValueError
        When the two differ in shape, or an index is outside 0..classes - 1.
    """
    truth, answers = np.asarray(truth, np.int64), np.asarray(answers, np.int64)
    if truth.ndim != 1 or truth.shape != answers.shape:
        raise ValueError(f"truth {truth.shape} and answers {answers.shape} are not two equal lists")
    for name, values in (("truth", truth), ("answers", answers)):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            raise ValueError(f"{name}: an index outside 0..{classes - 1}")
    pairs = np.bincount(truth * classes + answers, minlength=classes * classes)
    return pairs.reshape(classes, classes)


def share(count: int, total: int) -> Share:
    """``count`` of ``total`` with its 95 % Wilson interval."""
    low, high = wilson_interval(count, total)
    return Share(count, total, count / total if total else None, low, high)


def wilson_interval(count: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Interval of a probability of which ``count`` in ``total`` trials were seen, 0..1.

    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927): the probabilities from which the observed share is
    at most ``z`` standard deviations away. Right for shares near 0 and 1 and for few trials too.
    Without trials it is 0..1.

    Raises
    ------
    ValueError
        When ``count`` is not in 0..total.
    """
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is not a share")
    if total == 0:
        return 0.0, 1.0
    observed, spread = count / total, z * z / total
    middle = (observed + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(observed * (1 - observed) / total + spread / (4 * total))
    low = 0.0 if count == 0 else max(0.0, middle - half)
    return low, 1.0 if count == total else min(1.0, middle + half)


@dataclass(frozen=True)
class Det:
    """Detection error trade-off of one keyword on clips, a point a threshold, from the lowest."""

    thresholds: np.ndarray
    """(points,): every score that was seen, then infinity; a score that reaches it accepts"""
    miss_rate: np.ndarray
    """(points,), 0 to 1: of the keyword's clips, those that are not accepted"""
    false_accept_rate: np.ndarray
    """(points,), 1 to 0: of the other clips, those that are accepted"""

    @property
    def equal_error_rate(self) -> float:
        """Where both rates are the same, between two points on the line that joins them."""
        distance = self.miss_rate - self.false_accept_rate
        after = int(np.argmax(distance >= 0))
        before = after - 1
        way = -distance[before] / (distance[after] - distance[before])
        return float((1 - way) * self.miss_rate[before] + way * self.miss_rate[after])


def detection_trade_off(scores: np.ndarray, is_keyword: np.ndarray) -> Det:
    """Miss rate against false-accept rate as the threshold on a score varies.

    Martin et al., "The DET curve in assessment of detection task performance", Eurospeech (1997).

    Parameters
    ----------
    scores : float (clips,), a keyword's posteriors. is_keyword : bool (clips,).

    Raises
    ------
    ValueError
        When the two differ in shape, or there is no clip of the keyword, or no other.
    """
    scores, is_keyword = np.asarray(scores), np.asarray(is_keyword, bool)
    if scores.ndim != 1 or scores.shape != is_keyword.shape:
        raise ValueError(f"scores {scores.shape} and truth {is_keyword.shape}: not two equal lists")
    there, others = np.sort(scores[is_keyword]), np.sort(scores[~is_keyword])
    if not len(there) or not len(others):
        raise ValueError("clips of the keyword and other clips are both needed")
    thresholds = np.append(np.unique(scores), np.inf)
    return Det(
        thresholds,
        miss_rate=np.searchsorted(there, thresholds) / len(there),
        false_accept_rate=1 - np.searchsorted(others, thresholds) / len(others),
    )

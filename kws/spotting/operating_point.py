"""Thresholds for a wanted rate of false accepts, chosen on a development recording."""

import math
from dataclasses import dataclass

import numpy as np

from kws.recipe import DecoderConfig
from kws.spotting.stream_score import (
    THRESHOLDS,
    StreamJudge,
    StreamScores,
    poisson_interval,
    with_thresholds,
)
from kws.tflite.metadata import ThresholdChoice

_PRICES = (0.0, *np.geomspace(0.01, 100, 81))
"""Misses that a false accept is as bad as; tried in turn, until false accepts are rare enough"""


@dataclass(frozen=True)
class Chosen:
    """The thresholds that were chosen, and what they give where they were chosen."""

    wanted_per_hour: float
    decoder: DecoderConfig
    scores: StreamScores
    reached: bool
    """Whether the false accepts are as rare as was wanted; if not, all thresholds are highest"""

    @property
    def fault(self) -> str:
        """Why a detector should not have these thresholds, as a sentence; empty where it may."""
        false, wanted = self.scores.false_accepts, self.wanted_per_hour
        if not self.reached:
            return (
                f"no thresholds give {wanted:g} false accepts an hour, the highest still "
                f"{false.per_hour:.2g} ({false.count} in {false.hours:.2g} hours); keep their "
                "sound by --save-false-accepts and train on it, or ask for more an hour"
            )
        if unsaid := [one.keyword for one in self.scores.keywords if not one.missed.total]:
            return (
                f"{', '.join(unsaid)}: never said in the recordings, so that nothing speaks "
                "against the highest threshold; expected each keyword in them, add some"
            )
        if deaf := [one.keyword for one in self.scores.keywords if one.missed.value == 1]:
            return (
                f"{', '.join(deaf)}: never heard at thresholds for {wanted:g} false accepts an "
                "hour; ask for more an hour, or train on the sound that --save-false-accepts keeps"
            )
        return ""

    @property
    def note(self) -> str:
        """What the hours of audio do not show, as a sentence; empty where they do."""
        false, wanted = self.scores.false_accepts, self.wanted_per_hour
        at_most = poisson_interval(0, false.hours)[1]
        if at_most > wanted:
            needed_h = poisson_interval(0, 1.0)[1] / wanted
            return (
                f"{false.hours:.2g} hours of audio cannot show {wanted:g} false accepts an hour: "
                f"none at all would mean at most {at_most:.2g} (95 %); {needed_h:.2g} hours could"
            )
        if self.reached and false.high > wanted:
            return (
                f"{false.count} false accepts in {false.hours:.2g} hours mean {false.low:.2g} to "
                f"{false.high:.2g} an hour (95 %): more than {wanted:g} cannot be ruled out; take "
                "more hours, or choose for fewer an hour"
            )
        return ""

    @property
    def choice(self) -> ThresholdChoice:
        """The figures, as they go into the model's file."""
        missed, false = self.scores.missed, self.scores.false_accepts
        return ThresholdChoice(
            wanted_per_hour=self.wanted_per_hour,
            hours=_brief(false.hours),
            false_accepts=false.count,
            false_accepts_per_hour=(_brief(false.low), _brief(false.high)),
            said=missed.total,
            missed=missed.count,
            missed_share=(_brief(missed.low), _brief(missed.high)),
        )


def choose_thresholds(judge: StreamJudge, false_accepts_per_hour: float) -> Chosen:
    """Choose a threshold a keyword: fewest misses at no more false accepts than wanted.

    Each keyword's threshold is the one of least cost, where a false accept costs the same number
    of misses for all; that price is raised until the decoder with all thresholds has few enough
    (Lagrange's way to share out the false accepts among the keywords). Those that are left over
    are spent one by one.

    Raises
    ------
    ValueError
        When the rate is not above 0.
    """
    if not false_accepts_per_hour > 0:
        raise ValueError(f"{false_accepts_per_hour} false accepts an hour: expected more than 0")
    points = [point.scores for point in judge.trade_off()]
    missed = np.array([[one.missed.count for one in scores.keywords] for scores in points])
    false = np.array([[one.false_accepts.count for one in scores.keywords] for scores in points])
    seconds = sum(one.seconds for one in judge.heard)
    allowed = math.floor(false_accepts_per_hour * seconds / 3600 + 1e-9)
    for price in (*_PRICES, math.inf):
        # The last of equals: the highest threshold.
        cost = false if price == math.inf else missed + price * false
        best = len(THRESHOLDS) - 1 - cost[::-1].argmin(axis=0)
        decoder, scores = _score(judge, best)
        if scores.false_accepts.count <= allowed:
            found = _spend(judge, best, (decoder, scores), missed, false, allowed)
            return Chosen(false_accepts_per_hour, *found, reached=True)
    return Chosen(false_accepts_per_hour, decoder, scores, reached=False)


def _spend(
    judge: StreamJudge,
    best: np.ndarray,
    found: tuple[DecoderConfig, StreamScores],
    missed: np.ndarray,
    false: np.ndarray,
    allowed: int,
) -> tuple[DecoderConfig, StreamScores]:
    """Lower thresholds for the false accepts that are left: a price finds no point within the
    trade-off's hull.

    The lowering that saves most misses for a false accept comes first; one that, with all others,
    gives too many false accepts or saves nothing is not done.

    Parameters
    ----------
    best : int (keywords,), index of each threshold. found : what they give.
    missed, false : (thresholds, keywords).
    """
    keywords = np.arange(len(best))
    lowest, rows = np.zeros_like(best), np.arange(len(missed))[:, None]
    while True:
        scores = found[1]
        left = allowed - scores.false_accepts.count
        saved = missed[best, keywords] - missed
        more = np.maximum(false - false[best, keywords], 0)
        possible = (rows >= lowest) & (rows < best) & (saved > 0) & (more <= left)
        worth = np.where(possible, saved / (more + 0.5), 0)  # what costs nothing comes first
        if not worth.any():
            return found
        row, keyword = divmod(int(worth[::-1].argmax()), len(best))
        lower = best.copy()
        lower[keyword] = len(missed) - 1 - row  # of equals the highest
        decoder, now = _score(judge, lower)
        few = now.false_accepts.count <= allowed
        if few and now.missed.count < scores.missed.count:
            best, found = lower, (decoder, now)
        else:
            lowest[keyword] = lower[keyword] + 1


def _score(judge: StreamJudge, best: np.ndarray) -> tuple[DecoderConfig, StreamScores]:
    """What thresholds, by their indices, give together."""
    chosen = dict(zip(judge.keywords, (THRESHOLDS[at] for at in best), strict=True))
    decoder = with_thresholds(judge.config, max(chosen.values()), chosen)
    return decoder, judge.score(decoder)


def _brief(value: float) -> float:
    return float(f"{value:.4g}")

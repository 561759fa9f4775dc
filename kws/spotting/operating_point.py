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
    def note(self) -> str:
        """What the hours of audio cannot show, as a sentence; empty where they can."""
        hours, wanted = self.scores.false_accepts.hours, self.wanted_per_hour
        at_most = poisson_interval(0, hours)[1]
        if at_most <= wanted:
            return ""
        needed_h = poisson_interval(0, 1.0)[1] / wanted
        return (
            f"{hours:.2g} hours of audio cannot show {wanted:g} false accepts an hour: none at all "
            f"would mean at most {at_most:.2g} (95 %); {needed_h:.2g} hours could"
        )


def choose_thresholds(judge: StreamJudge, false_accepts_per_hour: float) -> Chosen:
    """Choose a threshold a keyword: fewest misses at no more false accepts than wanted.

    Each keyword's threshold is the one of least cost, where a false accept costs the same number
    of misses for all; that price is raised until the decoder with all thresholds has few enough
    (Lagrange's way to share out the false accepts among the keywords).

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
        chosen = dict(zip(judge.keywords, (THRESHOLDS[at] for at in best), strict=True))
        decoder = with_thresholds(judge.config, max(chosen.values()), chosen)
        scores = judge.score(decoder)
        if scores.false_accepts.count <= allowed:
            return Chosen(false_accepts_per_hour, decoder, scores, reached=True)
    return Chosen(false_accepts_per_hour, decoder, scores, reached=False)

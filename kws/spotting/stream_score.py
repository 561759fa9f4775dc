"""A detector on long recordings: misses, and false accepts per hour.

A share of misses says nothing without the rate of false accepts that it is bought with, so both
come together, each with the interval that the number of words and the hours of audio allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from kws.recipe import DecoderConfig
from kws.recipe_data import SILENCE, UNKNOWN
from kws.spotting.decoder import (
    STEPS,
    Detection,
    detect,
    needed_sums,
    refractory_steps,
    smoothed_sums,
    smoothing_steps,
)
from kws.spotting.hearing import Heard
from kws.spotting.matching import Matched, Tolerance, match
from kws.spotting.metrics import Share, share

THRESHOLDS = tuple(step / 128 for step in range(26, 128))
"""Those of a trade-off: 0.2 to 0.99"""


@dataclass(frozen=True)
class Rate:
    """``count`` in ``hours``, with the 95 % interval of the rate behind it."""

    count: int
    hours: float
    per_hour: float | None
    """None of no time"""
    low: float
    high: float


@dataclass(frozen=True)
class KeywordScore:
    """How one keyword fares."""

    keyword: str
    missed: Share
    """Of the times it is said"""
    false_accepts: Rate


@dataclass(frozen=True)
class Latency:
    """From a word's end to its detection, in seconds; negative where the word was not over yet."""

    median_s: float
    p90_s: float
    largest_s: float
    within_250_ms: Share
    """Of the words that were hit, those detected at most this long after their end"""


@dataclass(frozen=True)
class StreamScores:
    """All figures of some recordings; ``dataclasses.asdict`` makes JSON of it."""

    missed: Share
    false_accepts: Rate
    confused: Share
    """Of the keywords that are said, those taken for another: missed, and a false accept"""
    keywords: tuple[KeywordScore, ...]
    latency: Latency | None
    """None where nothing was hit"""


@dataclass(frozen=True)
class TradePoint:
    """What one threshold for all keywords gives."""

    threshold: float
    scores: StreamScores


class StreamJudge:
    """Decodes recordings with any thresholds, and counts.

    Parameters
    ----------
    heard : the recordings. labels : in the order of the posteriors.
    calls_per_second : of the model. config : smoothing and refractory time of the decoder.
    """

    def __init__(
        self,
        heard: Sequence[Heard],
        labels: tuple[str, ...],
        config: DecoderConfig,
        calls_per_second: float,
        tolerance: Tolerance | None = None,
    ):
        self.heard, self.labels, self.config = heard, labels, config
        self.keywords = tuple(label for label in labels if label not in (UNKNOWN, SILENCE))
        self.tolerance = tolerance or Tolerance()
        self._smoothing = smoothing_steps(config, calls_per_second)
        self._refractory = refractory_steps(config, calls_per_second)
        self._alike: dict[float, StreamScores] = {}
        self._sums = [smoothed_sums(one.posteriors, self._smoothing) for one in heard]

    def detections(self, config: DecoderConfig) -> list[list[Detection]]:
        """What the decoder detects in each recording at the thresholds of ``config``."""
        needed = needed_sums(self.labels, config, self._smoothing)
        scale = STEPS * self._smoothing
        return [
            [
                Detection(self.labels[at], float(one.times_s[call]), float(sums[call, at] / scale))
                for call, at in detect(sums, needed, self._refractory)
            ]
            for one, sums in zip(self.heard, self._sums, strict=True)
        ]

    def match(self, config: DecoderConfig) -> list[Matched]:
        """Hits, misses and false accepts of each recording."""
        return [
            match(found, one.recording.words, self.keywords, self.tolerance)
            for one, found in zip(self.heard, self.detections(config), strict=True)
        ]

    def score(self, config: DecoderConfig | None = None) -> StreamScores:
        """Figures of all recordings at the thresholds of ``config``, or at the decoder's own."""
        seconds = sum(one.seconds for one in self.heard)
        return score_matched(self.match(config or self.config), self.keywords, seconds)

    @property
    def conditions(self) -> list[str]:
        """Names of the conditions in which the recordings differ, in their order."""
        named = dict.fromkeys(name for one in self.heard for name, _ in one.recording.conditions)
        return [name for name in named if len(set(self._values(name)) - {""}) > 1]

    def score_by(self, condition: str, config: DecoderConfig) -> dict[str, StreamScores]:
        """Figures of the recordings of each value of a condition; "" is of those without."""
        matched = self.match(config)
        found = {}
        for value in self._values(condition):
            some = [
                i
                for i, one in enumerate(self.heard)
                if dict(one.recording.conditions).get(condition, "") == value
            ]
            seconds = sum(self.heard[i].seconds for i in some)
            found[value] = score_matched([matched[i] for i in some], self.keywords, seconds)
        return found

    def _values(self, condition: str) -> list[str]:
        """In order of their numbers where all are numbers, else as they come."""
        values = list(
            dict.fromkeys(dict(one.recording.conditions).get(condition, "") for one in self.heard)
        )
        try:
            return sorted(values, key=lambda value: float(value) if value else float("inf"))
        except ValueError:
            return values

    def trade_off(self, thresholds: Sequence[float] = THRESHOLDS) -> list[TradePoint]:
        """The figures at each threshold, the same for all keywords."""
        for threshold in thresholds:  # asked for by tables, plots and choices: decoded once
            if threshold not in self._alike:
                self._alike[threshold] = self.score(with_thresholds(self.config, threshold))
        return [TradePoint(threshold, self._alike[threshold]) for threshold in thresholds]


def with_thresholds(
    config: DecoderConfig, threshold: float, keyword_thresholds: dict[str, float] | None = None
) -> DecoderConfig:
    """The same decoder with other thresholds."""
    changed = {"threshold": threshold, "keyword_thresholds": keyword_thresholds or {}}
    return config.model_copy(update=changed)


def score_matched(
    matched: Sequence[Matched], keywords: tuple[str, ...], seconds: float
) -> StreamScores:
    """Count what was hit, missed and falsely accepted in ``seconds`` of audio."""
    hits = [pair for one in matched for pair in one.hits]
    missed = [word.word for one in matched for word in one.missed]
    false = [detection.keyword for one in matched for detection in one.false]
    said = [word.word for word, _ in hits] + missed
    late_s = np.array([detection.time_s - word.end_s for word, detection in hits])
    return StreamScores(
        missed=share(len(missed), len(said)),
        false_accepts=rate(len(false), seconds),
        confused=share(sum(len(one.confused) for one in matched), len(said)),
        keywords=tuple(
            KeywordScore(
                keyword,
                share(missed.count(keyword), said.count(keyword)),
                rate(false.count(keyword), seconds),
            )
            for keyword in keywords
        ),
        latency=_latency(late_s) if len(hits) else None,
    )


def rate(count: int, seconds: float) -> Rate:
    """``count`` in ``seconds``, by the hour, with its 95 % interval."""
    hours = seconds / 3600
    low, high = poisson_interval(count, hours)
    return Rate(count, hours, count / hours if hours else None, low, high)


def poisson_interval(count: int, hours: float, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the rate behind ``count`` events in ``hours``, per hour.

    Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28 (1936): exact. Of no
    time it is 0 to infinity; of no events it ends at 3.69 / hours.

    Raises
    ------
    ValueError
        When the count or the time is negative.
    """
    if count < 0 or hours < 0:
        raise ValueError(f"{count} events in {hours} hours")
    if hours == 0:
        return 0.0, float("inf")
    tail = (1 - confidence) / 2
    low = gammaincinv(count, tail) if count else 0.0
    return float(low) / hours, float(gammaincinv(count + 1, 1 - tail)) / hours


def _latency(late_s: np.ndarray) -> Latency:
    in_time = int(np.sum(late_s <= 0.25 + 1e-9))  # times are sums of floats
    return Latency(
        float(np.median(late_s)),
        float(np.quantile(late_s, 0.9)),
        float(late_s.max()),
        share(in_time, len(late_s)),
    )

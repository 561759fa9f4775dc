"""Posteriors in, detections out: a moving average, a threshold and a refractory time.

The scheme of Chen, Parada and Heigold (2014), "Small-footprint keyword spotting using deep neural
networks", with one posterior a keyword. All lengths are whole numbers of posteriors, so that a
device counts as the desk does.
"""

import math
from dataclasses import dataclass

import numpy as np

from kws.recipe import DecoderConfig
from kws.recipe_data import SILENCE, UNKNOWN

STEPS = 256
"""Steps of a posterior from 0 to 1"""
NEVER = 2**31 - 1
"""More than any sum of posteriors: what ``unknown`` and ``silence`` need to be detected"""


@dataclass(frozen=True)
class Detection:
    """A keyword that was heard: when its score was reached, in seconds of audio, and that score."""

    keyword: str
    time_s: float
    score: float
    """Average posterior, from the threshold to 1."""


class Decoder:
    """Posteriors, one vector after the other, to detections.

    The score of a label is the average of its last :attr:`smoothing_steps` posteriors, each rounded
    to steps of 1/256, those of an int8 model: sums of whole numbers are the same on every machine.
    Before the first one, zeros are taken to have been heard, so that a stream's first posteriors
    cannot fire alone. The best of the keywords whose score reaches their threshold is detected;
    then it is not for :attr:`refractory_steps`, and not before its score was below the threshold: a
    word said once is heard once. In that time another keyword is detected only if its score is no
    lower than any that the first one has had since: the rest of a word seldom is, a word taken for
    another at its beginning, or the next word, can be. ``unknown`` and ``silence`` are never
    detected, and while the score of one of them is higher than any keyword's nothing is.

    >>> decoder = Decoder(("yes", "unknown"), DecoderConfig(), posteriors_per_second=50)
    >>> decoder.push(np.array([0.9, 0.1]), time_s=0.032)      # a Detection or None

    Parameters
    ----------
    labels : in the order of the posteriors.
    posteriors_per_second : how many vectors a second of audio gives.
    """

    def __init__(
        self, labels: tuple[str, ...], config: DecoderConfig, posteriors_per_second: float
    ):
        self.labels, self.config = labels, config
        self.smoothing_steps = smoothing_steps(config, posteriors_per_second)
        self.refractory_steps = refractory_steps(config, posteriors_per_second)
        self._needed = needed_sums(labels, config, self.smoothing_steps)
        self.reset()

    def reset(self) -> None:
        """Forget all posteriors and the last detection."""
        self._recent = np.zeros((self.smoothing_steps, len(self.labels)), np.int64)
        self._sums = np.zeros(len(self.labels), np.int64)
        self._at = 0
        self._last, self._held = -1, False  # detected last, and whether its score stayed up since
        self._peak, self._quiet = 0, 0  # its highest sum since, and how long it is to rest

    @property
    def scores(self) -> np.ndarray:
        """Average posteriors after the last push, (labels,)."""
        return self._sums / (STEPS * self.smoothing_steps)

    def push(self, posteriors: np.ndarray, time_s: float) -> Detection | None:
        """Take (labels,) posteriors, 0..1, that audio up to ``time_s`` gave."""
        if posteriors.shape != (len(self.labels),):
            raise ValueError(f"{posteriors.shape} are not posteriors of {len(self.labels)} labels")
        new = as_steps(posteriors)
        self._sums += new - self._recent[self._at]
        self._recent[self._at] = new
        self._at = (self._at + 1) % self.smoothing_steps
        reached = self._sums >= self._needed
        self._held = self._held and bool(reached[self._last])
        self._peak = max(self._peak, int(self._sums[self._last]))
        self._quiet = max(0, self._quiet - 1)
        if not reached.any():
            return None
        best = int(np.where(reached, self._sums, -1).argmax())
        score, resting = int(self._sums[best]), self._quiet > 0
        waits = self._held or resting if best == self._last else resting and score < self._peak
        if waits or score < _rivals(self._sums, self._needed):
            return None
        self._last, self._held = best, True
        self._peak, self._quiet = score, self.refractory_steps
        return Detection(self.labels[best], time_s, float(self.scores[best]))


def smoothed_sums(posteriors: np.ndarray, smoothing: int) -> np.ndarray:
    """A whole recording's scores: (calls, labels) posteriors to sums of the last ``smoothing``.

    Returns
    -------
    int64 (calls, labels), in steps of 1/256, as :class:`Decoder` counts them.
    """
    total = np.cumsum(as_steps(posteriors), axis=0)
    total[smoothing:] -= total[:-smoothing].copy()
    return total


def detect(sums: np.ndarray, needed: np.ndarray, refractory: int) -> list[tuple[int, int]]:
    """What :class:`Decoder` would detect, at once: pairs of a call and a label.

    Parameters
    ----------
    sums : of :func:`smoothed_sums`. needed : of :func:`needed_sums`.
    refractory : of :func:`refractory_steps`.
    """
    reached = sums >= needed
    best, rivals = np.where(reached, sums, -1).argmax(axis=1), _rivals(sums, needed)
    found: list[tuple[int, int]] = []
    before, last, held, peak, free = -1, -1, False, 0, 0
    for call in np.flatnonzero(reached.any(axis=1)).tolist():
        held = held and call == before + 1 and bool(reached[call, last])
        peak = max(peak, int(sums[call, last]))
        before, label = call, int(best[call])
        score, resting = int(sums[call, label]), call < free
        waits = held or resting if label == last else resting and score < peak
        if not waits and score >= rivals[call]:
            found.append((call, label))
            last, held, peak, free = label, True, score, call + refractory
    return found


def as_steps(posteriors: np.ndarray) -> np.ndarray:
    """Posteriors, 0..1, in whole steps of 1/256, int64; what is no number counts as 0."""
    return np.rint(np.where(np.isfinite(posteriors), posteriors, 0.0) * STEPS).astype(np.int64)


def needed_sums(labels: tuple[str, ...], config: DecoderConfig, smoothing: int) -> np.ndarray:
    """The sum of ``smoothing`` posteriors in steps from which each label is detected, (labels,)."""
    return np.array(
        [
            NEVER
            if label in (UNKNOWN, SILENCE)
            else math.ceil(config.threshold_of(label) * STEPS * smoothing - 1e-6)
            for label in labels
        ]
    )


def _rivals(sums: np.ndarray, needed: np.ndarray) -> np.ndarray:
    """The highest sum of what is never detected: (..., labels) to (...,)."""
    return sums[..., needed == NEVER].max(axis=-1, initial=0)


def smoothing_steps(config: DecoderConfig, posteriors_per_second: float) -> int:
    """Posteriors in the moving average: as many as ``smoothing_ms`` hold, at least one."""
    return max(1, round(config.smoothing_ms * posteriors_per_second / 1000))


def refractory_steps(config: DecoderConfig, posteriors_per_second: float) -> int:
    """Posteriors from a detection to the next at the earliest; 0, like 1, is the next posterior."""
    return math.ceil(config.refractory_ms * posteriors_per_second / 1000 - 1e-9)

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


@dataclass(frozen=True)
class Detection:
    """A keyword that was heard: when its score was reached, in seconds of audio, and that score."""

    keyword: str
    time_s: float
    score: float
    """Average posterior, from the threshold to 1."""


class Decoder:
    """Posteriors, one vector after the other, to detections.

    The score of a label is the average of its last :attr:`smoothing_steps` posteriors. Before the
    first one, zeros are taken to have been heard, so that a stream's first posteriors cannot fire
    alone. The best keyword is detected when its score reaches the threshold; then nothing is for
    :attr:`refractory_steps`, and the same keyword not before its score was below the threshold: a
    word said once is heard once. ``unknown`` and ``silence`` are never detected.

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
        self._keywords = [i for i, name in enumerate(labels) if name not in (UNKNOWN, SILENCE)]
        self.reset()

    def reset(self) -> None:
        """Forget all posteriors and the last detection."""
        self._recent = np.zeros((self.smoothing_steps, len(self.labels)), np.float32)
        self._at, self._quiet, self._held = 0, 0, -1
        self.scores = np.zeros(len(self.labels), np.float32)
        """Average posteriors after the last push, (labels,)."""

    def push(self, posteriors: np.ndarray, time_s: float) -> Detection | None:
        """Take (labels,) posteriors, 0..1, that audio up to ``time_s`` gave."""
        if posteriors.shape != self.scores.shape:
            raise ValueError(f"{posteriors.shape} are not posteriors of {len(self.labels)} labels")
        self._recent[self._at] = posteriors
        self._at = (self._at + 1) % self.smoothing_steps
        self.scores = self._recent.mean(axis=0)
        threshold = np.float32(self.config.threshold)
        if self._held >= 0 and self.scores[self._held] < threshold:
            self._held = -1
        if self._quiet > 0:
            self._quiet -= 1
        if self._quiet > 0 or not self._keywords:
            return None
        best = max(self._keywords, key=lambda index: self.scores[index])
        if not self.scores[best] >= threshold or best == self._held:
            return None
        self._quiet, self._held = self.refractory_steps, best
        return Detection(self.labels[best], time_s, float(self.scores[best]))


def smoothing_steps(config: DecoderConfig, posteriors_per_second: float) -> int:
    """Posteriors in the moving average: as many as ``smoothing_ms`` hold, at least one."""
    return max(1, round(config.smoothing_ms * posteriors_per_second / 1000))


def refractory_steps(config: DecoderConfig, posteriors_per_second: float) -> int:
    """Posteriors from a detection to the next at the earliest; 0, like 1, is the next posterior."""
    return math.ceil(config.refractory_ms * posteriors_per_second / 1000 - 1e-9)

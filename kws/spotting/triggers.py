"""The sound around detections and near misses, kept in files: to be heard, sorted, trained on."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kws.audio.io import write
from kws.files import write_text
from kws.recipe import DecoderConfig
from kws.spotting.live import Moment

BEFORE_S, AFTER_S = 1.5, 0.5
"""Sound that is kept on either side"""
NEAR = 0.6
"""A score that reaches this share of its threshold, and is not detected, is a near miss"""
_QUIET_S = 1.0
"""At least so long between two near misses"""
_HEADER = "time_s,kind,keyword,score,path\n"


@dataclass
class _Pending:
    kind: str
    keyword: str
    score: float
    time_s: float
    share: float = 1.0
    """Of the keyword's threshold"""


class Triggers:
    """Keeps what a spotter nearly or really detected.

    ``<folder>/detections/<keyword>/<time>.wav``, ``<folder>/near_misses/<keyword>/<time>.wav``, and
    a line for each in ``triggers.csv``. A folder that has some gets more.

    Parameters
    ----------
    keywords : in the order of the scores. decoder : whose thresholds count.
    """

    def __init__(
        self, folder: Path, keywords: tuple[str, ...], decoder: DecoderConfig, sample_rate_hz: int
    ):
        self.folder, self.keywords, self.rate = folder, keywords, sample_rate_hz
        self._needed = np.array([decoder.threshold_of(keyword) for keyword in keywords])
        self._kept: deque[np.ndarray] = deque()
        self._kept_samples, self._heard = 0, 0
        self._pending: list[_Pending] = []
        self._near: _Pending | None = None
        self._sounding = np.zeros(len(keywords), bool)
        """Keywords that were detected, and whose scores have not fallen yet"""
        self._quiet_until_s = 0.0
        table = folder / "triggers.csv"
        self._lines = table.read_text(encoding="utf-8") if table.is_file() else _HEADER
        self.saved = 0
        """Files written so far"""

    def push(self, moment: Moment) -> None:
        """Take a moment; write what has enough sound after it.

        Raises
        ------
        StorageError
            When a file cannot be written.
        """
        self._keep(moment.block)
        for found in moment.detections:
            self._pending.append(_Pending("detections", found.keyword, found.score, moment.time_s))
            self._near, self._quiet_until_s = None, moment.time_s + _QUIET_S
            self._sounding[self.keywords.index(found.keyword)] = True
        self._watch_near(moment)
        while self._pending and moment.time_s >= self._pending[0].time_s + AFTER_S:
            self._write(self._pending.pop(0))

    def finish(self) -> None:
        """Write what still waits for sound after it."""
        if self._near:
            self._pending.append(self._near)
        for pending in self._pending:
            self._write(pending)
        self._pending, self._near = [], None

    def _watch_near(self, moment: Moment) -> None:
        """A near miss is at the peak of its score: known once the score has fallen from it, or has
        stayed below it for a second.

        What a detected word scores until it has fallen is no near miss; a second word that the
        decoder, resting from the first, lets pass is one.
        """
        scores = moment.scores[: len(self.keywords)]
        share = scores / self._needed
        self._sounding &= share >= NEAR
        share[self._sounding] = 0.0
        best = int(share.argmax())
        let_pass = share[best] >= 1 and scores[best] == scores.max()
        near = let_pass or (share[best] >= NEAR and moment.time_s >= self._quiet_until_s)
        if near and (self._near is None or share[best] > self._near.share):
            found = self.keywords[best], float(scores[best]), moment.time_s, float(share[best])
            self._near = _Pending("near_misses", *found)
        elif self._near and (share[best] < NEAR or moment.time_s >= self._near.time_s + _QUIET_S):
            self._pending.append(self._near)
            self._pending.sort(key=lambda pending: pending.time_s)
            self._near, self._quiet_until_s = None, moment.time_s + _QUIET_S

    def _keep(self, block: np.ndarray) -> None:
        self._kept.append(block)
        self._kept_samples += len(block)
        self._heard += len(block)
        most = round(2 * (BEFORE_S + AFTER_S) * self.rate)
        while self._kept_samples - len(self._kept[0]) > most:
            self._kept_samples -= len(self._kept.popleft())

    def _write(self, pending: _Pending) -> None:
        audio = np.concatenate(self._kept)
        start_of_kept = self._heard - self._kept_samples
        first = round((pending.time_s - BEFORE_S) * self.rate) - start_of_kept
        last = round((pending.time_s + AFTER_S) * self.rate) - start_of_kept
        name = f"{pending.kind}/{pending.keyword}/{self._number():06d}.wav"
        write(self.folder / name, audio[max(0, first) : last], self.rate)
        self._lines += (
            f"{pending.time_s:.2f},{pending.kind},{pending.keyword},{pending.score:.3f},{name}\n"
        )
        write_text(self.folder / "triggers.csv", self._lines)
        self.saved += 1

    def _number(self) -> int:
        return self._lines.count("\n")

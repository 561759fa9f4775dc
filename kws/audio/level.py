"""How loud sound is, in dB of full scale, and a meter that shows it as it comes."""

import numpy as np

SILENT_DBFS = -120.0
"""The level of digital silence, which has none."""
HOLD_S = 1.5
"""How long a meter holds the loudest sample it has seen."""


def dbfs(amplitude: float) -> float:
    """Level of an amplitude, dB relative to full scale (1.0); at least ``SILENT_DBFS``."""
    return max(SILENT_DBFS, 20.0 * float(np.log10(amplitude))) if amplitude > 0 else SILENT_DBFS


class Meter:
    """The peak level of the sound that is pushed in, now and held: dBFS."""

    def __init__(self, sample_rate_hz: int):
        self.sample_rate_hz = sample_rate_hz
        self.level_dbfs = self.held_dbfs = SILENT_DBFS
        self._age = 0

    def push(self, block: np.ndarray) -> None:
        """Take the next (samples,) of sound."""
        self.level_dbfs = dbfs(float(np.abs(block).max(initial=0.0)))
        self._age += len(block)
        if self.level_dbfs >= self.held_dbfs or self._age > HOLD_S * self.sample_rate_hz:
            self.held_dbfs, self._age = self.level_dbfs, 0


def envelope(audio: np.ndarray, columns: int) -> np.ndarray:
    """The outline of (samples,) sound: its largest amplitude in each of ``columns`` parts."""
    parts = np.array_split(np.abs(audio), columns)
    return np.array([part.max(initial=0.0) for part in parts])

"""Where words are in a recording: sound that stands out of the noise around it."""

from dataclasses import dataclass

import numpy as np

from kws.audio.features import StreamingFeatures
from kws.recipe import FeatureConfig

ONSET_DB, OFFSET_DB = 8.0, 3.0
"""A word begins to count this far above the noise, and reaches as far as it stays above."""
RANGE_DB = 50.0
"""What is so far below the loudest moment is no part of a word, however quiet the room."""
LONGEST_GAP_MS = 250.0
"""Longest silence inside a word (before the t of "right"); a longer one parts two words."""
SHORTEST_MS = 60.0
"""Shorter sounds are clicks: an impulse, smoothed, takes 50 ms."""
HOP_MS, _WINDOW_MS = 10.0, 20.0
_BANDS, _LOW_HZ = 24, 100.0
_NOISE_PERCENTILE, _NOISE_CORRECTION_DB = 20.0, 2.0
_SMOOTH = 3


@dataclass(frozen=True)
class Span:
    """A stretch of sound, in samples of the recording: ``start`` up to but without ``end``."""

    start: int
    end: int
    strength: float
    """How far it stands out: its dB above the noise, added over its frames of 10 ms."""


def find_words(audio: np.ndarray, sample_rate_hz: int) -> list[Span]:
    """Find what stands out of the noise, by its energy over time, with hysteresis.

    A recording must have noise alone for a fifth of its length or more: that is what the words are
    measured against, each frequency band against its own noise. So a faint ``s`` is found beside
    a humming fan.

    Parameters
    ----------
    audio : float32 (samples,), full scale -1..1; 0.1 s or more.

    Returns
    -------
    the spans in their order; none where nothing stands out. Each is some 30 ms wider than the
        sound on either side (the window and the smoothing).
    """
    hop = round(HOP_MS * sample_rate_hz / 1000)
    reach = round(_WINDOW_MS * sample_rate_hz / 1000) - hop
    excess_db = _above_noise_db(_band_power(audio, sample_rate_hz))
    return [
        Span(start * hop, min(len(audio), end * hop + reach), float(excess_db[start:end].sum()))
        for start, end in _stretches(excess_db)
    ]


def _band_power(audio: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Power in each band, smoothed over time: (frames, bands)."""
    window = round(_WINDOW_MS * sample_rate_hz / 1000)
    config = FeatureConfig(
        sample_rate_hz=sample_rate_hz,
        window_ms=_WINDOW_MS,
        hop_ms=HOP_MS,
        fft_size=2 ** (window - 1).bit_length(),
        mel_bands=_BANDS,
        low_hz=_LOW_HZ,
        high_hz=0.475 * sample_rate_hz,
        log_floor=1e-9,  # about the rounding to 16 bits
    )
    power = 10.0 ** (StreamingFeatures(config).push(audio).astype(np.float64) / 10.0)
    side = _SMOOTH // 2
    padded = np.pad(power, ((side, side), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, _SMOOTH, axis=0).mean(axis=-1)


def _above_noise_db(power: np.ndarray) -> np.ndarray:
    """How far each frame is above the noise, the mean over the bands: (frames,)."""
    level_db = 10.0 * np.log10(power)
    noise_db = np.percentile(level_db, _NOISE_PERCENTILE, axis=0) + _NOISE_CORRECTION_DB
    noise_db = np.maximum(noise_db, level_db.max() - RANGE_DB)
    return 10.0 * np.log10(np.mean(10.0 ** ((level_db - noise_db) / 10.0), axis=1))


def _stretches(excess_db: np.ndarray) -> list[tuple[int, int]]:
    """First frame, and the one behind the last, of each word."""
    changes = np.flatnonzero(np.diff(excess_db > OFFSET_DB, prepend=False, append=False))
    joined: list[tuple[int, int]] = []
    for start, end in changes.reshape(-1, 2).tolist():
        if np.sum(excess_db[start:end] > ONSET_DB) * HOP_MS < SHORTEST_MS:
            continue
        if joined and (start - joined[-1][1]) * HOP_MS < LONGEST_GAP_MS:
            start = joined.pop()[0]
        joined.append((start, end))
    return joined

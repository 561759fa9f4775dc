"""Speed of playing, and pitch on its own."""

import math

import numpy as np
import soxr

_HALF_MS = 16.0
"""Half of a window, and the step from one to the next."""
_REACH_MS = 8.0
"""How far a window may lie from where it should: half a period of 62.5 Hz."""
_COARSE = 4


def change_speed(audio: np.ndarray, speed: float) -> np.ndarray:
    """Play (samples,) audio faster or slower, pitch and formants with it: samples / speed."""
    if speed == 1.0 or len(audio) == 0:
        return audio
    return soxr.resample(audio, speed, 1.0, quality="MQ")


def change_pitch(audio: np.ndarray, semitones: float, sample_rate_hz: int) -> np.ndarray:
    """Make (samples,) audio higher or lower, formants with it, as long and as fast as before.

    It is stretched by :func:`stretch`, then played faster by as much.

    Returns
    -------
    float32 (samples,).
    """
    ratio = 2.0 ** (semitones / 12.0)
    changed = change_speed(stretch(audio, ratio, sample_rate_hz), ratio)
    return np.pad(changed[: len(audio)], (0, max(0, len(audio) - len(changed))))


def stretch(audio: np.ndarray, factor: float, sample_rate_hz: int) -> np.ndarray:
    """Make (samples,) audio longer (factor above 1) or shorter, its pitch as before.

    WSOLA (Verhelst & Roelands 1993): windows are laid over each other at even steps. Each is taken
    from near its due place in the sound, there where it resembles best what followed the window
    before it: waves go on without a break. It is sought in a fourth of the samples, then around
    the best of these in all.

    Returns
    -------
    float32 (samples * factor,).
    """
    half = max(_COARSE, round(_HALF_MS * sample_rate_hz / 1000) // _COARSE * _COARSE)
    reach = max(_COARSE, round(_REACH_MS * sample_rate_hz / 1000) // _COARSE * _COARSE)
    size, samples = 2 * half, round(len(audio) * factor)
    steps = math.ceil(samples / half)
    padded = np.pad(audio.astype(np.float32), (half + reach, 2 * size + reach))
    seek = _Seeker(padded, size, reach)
    window = np.float32(0.5) - np.float32(0.5) * np.cos(
        2 * np.pi * (np.arange(size, dtype=np.float32) + 0.5) / size
    )
    out = np.zeros((steps + 2) * half, np.float32)
    place = reach
    for step in range(steps + 1):
        if step:
            place = seek(reach + round(step * half / factor), place + half)
        out[step * half : step * half + size] += padded[place : place + size] * window
    return out[half : half + samples]


class _Seeker:
    """Finds the window that goes on best from where another ended."""

    def __init__(self, audio: np.ndarray, size: int, reach: int):
        self.audio, self.size, self.reach = audio, size, reach
        self.last = len(audio) - size - _COARSE
        self.coarse = audio[: len(audio) // _COARSE * _COARSE].reshape(-1, _COARSE).mean(axis=1)
        self.energy = np.concatenate(([0.0], np.cumsum(np.square(self.coarse, dtype=np.float64))))

    def __call__(self, due: int, follows: int) -> int:
        """The place within reach of ``due`` that resembles the sound at ``follows`` best."""
        due = min(due, self.last - self.reach)
        follows = min(follows, self.last)
        length, first = self.size // _COARSE, (due - self.reach) // _COARSE
        there = self.coarse[first : first + length + 2 * self.reach // _COARSE]
        start = round(follows / _COARSE)
        likeness = np.correlate(there, self.coarse[start : start + length], "valid")
        ends = self.energy[first + length : first + length + len(likeness)]
        power = ends - self.energy[first : first + len(likeness)]
        near = _COARSE * (first + int(np.argmax(likeness / np.sqrt(power + 1e-9))))
        near += follows - _COARSE * start
        low = max(0, near - _COARSE + 1)
        there = self.audio[low : low + 2 * (_COARSE - 1) + self.size]
        wanted = self.audio[follows : follows + self.size]
        return low + int(np.argmax(np.correlate(there, wanted, "valid")))

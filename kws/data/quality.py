"""What can be measured of one clip without knowing its word, and what of it is a fault.

Levels are in dB of full scale (dBFS): 20 log10 of the root mean square, so that a full-scale square
wave has 0 dB. They are taken above ``RUMBLE_HZ`` and from frames of ``FRAME_MS`` side by side.
Frames of nothing but zeros are padding, not sound of a room, and are left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

FRAME_MS = 20.0
RUMBLE_HZ = 80.0
"""Below the lowest voices; the rumble of wind and tables there would hide how quiet a room is."""
LOWEST_DBFS = -100.0
"""Of a frame without sound: rounding to 16 bits alone makes -101 dB."""

CEILING = 0.98
"""Share of full scale, or of a clip's own extreme, from which a sample is at the ceiling."""
BELOW_CEILING = 0.90
FAINTEST_CEILING = 0.1
"""Quieter extremes are not taken for a ceiling, their few steps lie too far apart."""
CLIPPED_MS = 2.0
"""Time at the ceiling, in total, that makes a clip clipped; loud speech that is not stays < 1."""
OFFSET = 0.01
"""Of full scale, -40 dB."""
SILENT_DBFS = -55.0
"""A clip whose speech level is lower is hardly heard at any usual volume."""
WORD_MS = 100.0
"""What lasts shorter is a click, not a word: the speech level is reached for this long."""
FLOOR_PERCENTILE = 10.0
NOISY_DB = 8.0
"""Of speech over the noise floor: with less, a word does not stand out of what is around it."""
SHORT_S = 0.25
"""Words of one syllable take about 0.3 s."""
LONG_S = 2.0
"""Twice the second that recipes take, which they cut out of the middle of a clip."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one clip, or with arrays in place of numbers, of many."""

    sample_rate_hz: int
    duration_s: float
    clipped_ms: float
    """time at the ceiling"""
    offset: float
    """mean that at least nine tenths of the frames have, with its sign; -1..1"""
    speech_dbfs: float
    """level that the clip reaches for ``WORD_MS`` in total"""
    floor_dbfs: float
    """level below which the quietest tenth of the clip is"""

    @property
    def snr_db(self) -> float:
        """How far speech stands above the noise floor."""
        return self.speech_dbfs - self.floor_dbfs


@dataclass(frozen=True)
class Check:
    """One kind of fault."""

    name: str
    meaning: str
    badness: Callable[[Measures], Any]
    """Above 0 where the fault is, the higher the worse; of many clips at once too."""
    text: Callable[[Measures], str]
    """What was found in one clip that has the fault."""
    of_speech: bool = False
    """Clips of recorded silence cannot have it."""


def measure(audio: np.ndarray, sample_rate_hz: int) -> Measures:
    """Measure a clip.

    Noise floor and speech level are percentiles of the frames' levels, in the manner of the quick
    method of NIST's ``stnr``; the upper one is a time, not a share, so that neither a click nor the
    padding around a word decides it.

    Parameters
    ----------
    audio : float32 (samples,), at least one, as recorded: not resampled.
    """
    size = min(len(audio), max(1, round(FRAME_MS * sample_rate_hz / 1000)))
    frames = _frames(audio, size)
    live = frames.any(axis=1)
    offset = speech_dbfs = floor_dbfs = 0.0
    if live.any():
        low, high = np.percentile(frames[live].mean(axis=1, dtype=np.float64), [10, 90])
        offset = float(max(low, 0.0) + min(high, 0.0))
        voice = _frames(_above_rumble(audio, sample_rate_hz), size)[live]
        power = np.mean(np.square(voice, dtype=np.float64), axis=1)
        levels_dbfs = np.sort(10.0 * np.log10(np.maximum(power, 10.0 ** (LOWEST_DBFS / 10.0))))
        longest = min(len(levels_dbfs), round(WORD_MS / FRAME_MS))
        speech_dbfs = float(levels_dbfs[-longest])
        floor_dbfs = float(np.percentile(levels_dbfs, FLOOR_PERCENTILE))
    else:
        speech_dbfs = floor_dbfs = LOWEST_DBFS
    return Measures(
        sample_rate_hz=sample_rate_hz,
        duration_s=len(audio) / sample_rate_hz,
        clipped_ms=1000.0 * _at_ceiling(audio) / sample_rate_hz,
        offset=offset,
        speech_dbfs=speech_dbfs,
        floor_dbfs=floor_dbfs,
    )


def checks(sample_rate_hz: int) -> tuple[Check, ...]:
    """All checks of single clips, for a corpus that should be at ``sample_rate_hz``."""
    return (
        Check(
            "wrong rate",
            f"not {sample_rate_hz} Hz: resampled whenever it is read; below, high sounds are gone",
            lambda m: abs(m.sample_rate_hz - sample_rate_hz),
            lambda m: f"{m.sample_rate_hz} Hz",
        ),
        Check(
            "silent or faint",
            f"no sound above {SILENT_DBFS:g} dBFS for {WORD_MS:g} ms",
            lambda m: SILENT_DBFS - m.speech_dbfs,
            lambda m: f"{m.speech_dbfs:.0f} dBFS",
            of_speech=True,
        ),
        Check(
            "noisy",
            f"speech less than {NOISY_DB:g} dB above the noise floor, or no speech",
            lambda m: np.where(m.speech_dbfs < SILENT_DBFS, 0.0, NOISY_DB - m.snr_db),
            lambda m: f"{m.snr_db:.1f} dB above {m.floor_dbfs:.0f} dBFS",
            of_speech=True,
        ),
        Check(
            "clipped",
            f"waveform cut flat at its highest or lowest for {CLIPPED_MS:g} ms or more in total",
            lambda m: m.clipped_ms - CLIPPED_MS,
            lambda m: f"{m.clipped_ms:.1f} ms",
        ),
        Check(
            "DC offset",
            f"waveform off the middle by more than {OFFSET:.0%} of full scale throughout",
            lambda m: abs(m.offset) - OFFSET,
            lambda m: f"{m.offset:+.1%}",
        ),
        Check(
            "too short",
            f"shorter than {SHORT_S:g} s, no room for a word",
            lambda m: SHORT_S - m.duration_s,
            lambda m: f"{m.duration_s:.2f} s",
        ),
        Check(
            "too long",
            f"longer than {LONG_S:g} s: training takes a recipe's data.clip_ms from the middle",
            lambda m: m.duration_s - LONG_S,
            lambda m: f"{m.duration_s:.1f} s",
        ),
    )


def _at_ceiling(audio: np.ndarray) -> int:
    """Count the samples at the ceiling, each side for itself.

    A side has a ceiling where it reaches full scale, or where the topmost ``1 - CEILING`` of its
    range holds more samples than the four times wider band below: speech has ever fewer samples
    towards its extremes, unless something cut them off (Eaton and Naylor 2013, "Detection of
    clipping in coded speech signals", find it by the histogram of amplitudes too). Lossy coding
    leaves a ripple on what was flat, so equal samples in a row are not asked for.
    """
    count = 0
    for side in (audio, -audio):
        extreme = float(side.max())
        if extreme < FAINTEST_CEILING:
            continue
        top = int(np.count_nonzero(side >= CEILING * min(extreme, 1.0)))
        below = int(np.count_nonzero(side >= BELOW_CEILING * min(extreme, 1.0))) - top
        if extreme >= CEILING or top > below:
            count += top
    return count


def _above_rumble(audio: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Audio without offset and rumble, (samples,): a Butterworth's slope, without its delay."""
    frequency_hz = np.fft.rfftfreq(len(audio), 1.0 / sample_rate_hz)
    slope = frequency_hz**2 / np.sqrt(frequency_hz**4 + RUMBLE_HZ**4)
    return np.fft.irfft(np.fft.rfft(audio) * slope, len(audio))


def _frames(audio: np.ndarray, size: int) -> np.ndarray:
    return audio[: len(audio) // size * size].reshape(-1, size)

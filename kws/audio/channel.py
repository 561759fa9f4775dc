"""The way from a microphone's membrane to a number: equalizer, band, overdrive."""

from collections.abc import Callable

import numpy as np

from kws.audio.noise import loud_part

TILT_AROUND_HZ = 1000.0
_LOWEST_HZ = 31.25
"""Curves go on level below: no octave is of interest there."""
_SLOPE = 8
"""Power of a band's edges: 24 dB an octave."""
_RINGING_S = 0.1


def tilt(octave_db: np.ndarray, db_per_octave: float) -> np.ndarray:
    """The gains of :func:`equalize`, tilted: so many dB more an octave above 1000 Hz."""
    return octave_db + db_per_octave * np.log2(octaves_hz(len(octave_db)) / TILT_AROUND_HZ)


def octaves_hz(count: int) -> np.ndarray:
    """The frequencies of :func:`equalize`: 62.5 Hz, 125 Hz, 250 Hz and so on, float (count,)."""
    return 2 * _LOWEST_HZ * 2.0 ** np.arange(count)


def equalize(audio: np.ndarray, octave_db: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Give each octave of (samples,) audio a gain; nothing moves in time.

    Parameters
    ----------
    octave_db : gains at 62.5 Hz, 125 Hz, 250 Hz and so on; straight lines over the logarithm of
        the frequency in between, level beyond the ends.

    Returns
    -------
    float32 (samples,).
    """
    octaves = np.log2(octaves_hz(len(octave_db)))

    def gains(hertz: np.ndarray) -> np.ndarray:
        place = np.log2(np.maximum(hertz, _LOWEST_HZ))
        return 10.0 ** (np.interp(place, octaves, octave_db) / 20)

    return _filtered(audio, gains, sample_rate_hz)


def band_pass(audio: np.ndarray, low_hz: float, high_hz: float, sample_rate_hz: int) -> np.ndarray:
    """Keep a band of (samples,) audio: -3 dB at its edges, 24 dB an octave outside.

    Returns
    -------
    float32 (samples,); nothing moves in time.
    """

    def gains(hertz: np.ndarray) -> np.ndarray:
        below = (low_hz / np.maximum(hertz, 1.0)) ** _SLOPE
        return 1 / np.sqrt((1 + below) * (1 + (hertz / high_hz) ** _SLOPE))

    return _filtered(audio, gains, sample_rate_hz)


def overdrive(audio: np.ndarray, share: float, sample_rate_hz: int) -> np.ndarray:
    """Cut off the peaks of (samples,) audio as an overdriven microphone does, at its own level.

    Parameters
    ----------
    share : of the loud part's samples (:func:`kws.audio.noise.loud_part`), how many are at the
        limit afterwards.
    """
    loud = np.abs(loud_part(audio, sample_rate_hz)).ravel()
    if loud.size == 0:
        return audio
    kept = min(loud.size - 1, int(loud.size * (1.0 - share)))
    limit = np.partition(loud, kept)[kept]
    return np.clip(audio, -limit, limit)


def fast_length(samples: int) -> int:
    """A length from ``samples`` up that is quick to transform: 8 to 16 times a power of two."""
    step = 1 << max(0, samples.bit_length() - 4)
    return max(2, -(-samples // step) * step)


def _filtered(
    audio: np.ndarray, gains: Callable[[np.ndarray], np.ndarray], sample_rate_hz: int
) -> np.ndarray:
    """Weigh the spectrum with gains at frequencies in Hz; a pause keeps the end off the start."""
    length = fast_length(len(audio) + round(_RINGING_S * sample_rate_hz))
    weights = gains(np.fft.rfftfreq(length, 1 / sample_rate_hz)).astype(np.float32)
    return np.fft.irfft(np.fft.rfft(audio, length) * weights, length)[: len(audio)].astype(
        np.float32
    )

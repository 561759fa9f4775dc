"""Where the vowels of a spoken word are: what is before them begins it, what is after them ends it.

Most of what people say is told apart by just these: "dough" from "go", "us" from "up".
"""

import numpy as np

LOW_HZ, HIGH_HZ = 300.0, 3400.0
"""Where vowels are strong: above what nasals and voiced stops have, below the hiss of an ``s``."""
DROP_DB = 9.0
"""A vowel is at most so far below the loudest moment of this range."""
LONGEST_GAP_MS = 200.0
"""Between the vowels of two syllables; what is further away is no part of the word."""
HOP_MS = 5.0
_WINDOW_MS = 20.0
_SMOOTH = 3


def vowel_span(audio: np.ndarray, sample_rate_hz: int) -> tuple[int, int]:
    """Where the first vowel of a clip's word begins, and where the last one ends, in samples.

    By energy alone: ``r``, ``l``, ``w`` and the ``y`` of "yes" count as vowels. Of several
    stretches of sound it is the one with most energy.

    Parameters
    ----------
    audio : float32 (samples,), a clip of one word, 0.1 s or more.
    """
    hop = round(HOP_MS * sample_rate_hz / 1000)
    power = _power(audio, sample_rate_hz, hop)
    loud = np.flatnonzero(power >= power.max() * 10.0 ** (-DROP_DB / 10))
    apart = np.flatnonzero(np.diff(loud) * HOP_MS > LONGEST_GAP_MS) + 1
    word = max(np.split(loud, apart), key=lambda frames: power[frames].sum())
    return int(word[0]) * hop, min(len(audio), (int(word[-1]) + 1) * hop)


def _power(audio: np.ndarray, sample_rate_hz: int, hop: int) -> np.ndarray:
    """Power between ``LOW_HZ`` and ``HIGH_HZ`` around every hop, smoothed: (frames,)."""
    size = round(_WINDOW_MS * sample_rate_hz / 1000)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(audio, size // 2), size)[::hop]
    spectra = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    hz = np.fft.rfftfreq(size, 1 / sample_rate_hz)
    power = spectra[:, (hz >= LOW_HZ) & (hz <= HIGH_HZ)].sum(axis=1)
    return np.convolve(
        np.pad(power, _SMOOTH // 2, mode="edge"), np.full(_SMOOTH, 1 / _SMOOTH), "valid"
    )

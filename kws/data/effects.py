"""Rooms, lines and crowds for synthetic speech, made from numbers alone."""

import numpy as np

VOICES_AT_ONCE = 12


def reverberate(audio: np.ndarray, rng: np.random.Generator, sample_rate_hz: int) -> np.ndarray:
    """Put (samples,) audio into a small room: the direct sound and a tail of decaying noise.

    The tail falls by 60 dB in 0.15 to 0.45 s; its energy is 6 to 16 dB below the direct sound's.
    What rings on after the end of ``audio`` is cut off.
    """
    decay_s = rng.uniform(0.15, 0.45)
    time_s = np.arange(1, round(decay_s * sample_rate_hz)) / sample_rate_hz
    tail = rng.standard_normal(len(time_s)) * 10.0 ** (-3 * time_s / decay_s)
    tail *= 10.0 ** (-rng.uniform(6, 16) / 20) / np.sqrt(np.sum(tail**2))
    response = np.concatenate([[1.0], tail])
    length = 1 << (len(audio) + len(tail)).bit_length()  # a fast size, long enough not to wrap
    wet = np.fft.irfft(np.fft.rfft(audio, length) * np.fft.rfft(response, length), length)
    return wet[: len(audio)].astype(np.float32)


def band_limit(audio: np.ndarray, rng: np.random.Generator, sample_rate_hz: int) -> np.ndarray:
    """Send (samples,) audio over a line or a poor microphone: 24 dB an octave outside its band.

    The band begins at 80 to 300 Hz and ends at 2800 to 6000 Hz.
    """
    low_hz, high_hz = rng.uniform(80, 300), rng.uniform(2800, 6000)
    at_hz = np.maximum(np.fft.rfftfreq(len(audio), 1 / sample_rate_hz), 1.0)
    gain = 1 / np.sqrt((1 + (low_hz / at_hz) ** 8) * (1 + (at_hz / high_hz) ** 8))
    return np.fft.irfft(np.fft.rfft(audio) * gain, len(audio)).astype(np.float32)


def babble(speech: list[np.ndarray], samples: int, rng: np.random.Generator) -> np.ndarray:
    """Lay pieces of speech over each other until no word is heard.

    Returns
    -------
    float32 (samples,), root mean square 0.1, about ``VOICES_AT_ONCE`` voices at any time.
    """
    mixed = np.zeros(samples)
    laid = 0
    while laid < VOICES_AT_ONCE * samples:
        piece = speech[rng.integers(len(speech))]
        piece = piece / np.sqrt(np.mean(piece**2)) * rng.uniform(0.5, 1.0)
        np.add.at(mixed, (rng.integers(samples) + np.arange(len(piece))) % samples, piece)
        laid += len(piece)
    return (0.1 * mixed / np.sqrt(np.mean(mixed**2))).astype(np.float32)

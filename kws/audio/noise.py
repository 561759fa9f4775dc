"""Noise: coloured or cut from recordings, hum, the voices of others; mixed in at a ratio."""

from collections.abc import Sequence

import numpy as np

SYNTHETIC_SHARE = 0.25
"""Share of noise that is made from numbers where there are recordings to cut from."""
_FRAME_MS = 20.0
_LOUD_DB = 20.0


def mix(audio: np.ndarray, noise: np.ndarray, snr_db: float, sample_rate_hz: int) -> np.ndarray:
    """Add noise of the same length at a signal-to-noise ratio in dB; not clipped.

    The signal's power is that of its loud part (:func:`loud_power`), the noise's that of the whole
    cut. Audio without a signal, or noise without one, is left as it is.
    """
    signal_power = loud_power(audio, sample_rate_hz)
    noise_power = float(np.mean(np.square(noise, dtype=np.float64)))
    if signal_power == 0.0 or noise_power == 0.0:
        return audio
    scale = np.sqrt(signal_power / noise_power / 10.0 ** (snr_db / 10.0))
    return audio + noise * np.float32(scale)


def loud_power(audio: np.ndarray, sample_rate_hz: int) -> float:
    """Mean power of the frames (20 ms) that are within 20 dB of the loudest.

    The mean over a whole clip would depend on how much padding stands around the word.
    """
    frames = loud_part(audio, sample_rate_hz)
    if frames.size == 0:
        return 0.0
    return float(np.mean(np.square(frames, dtype=np.float64), axis=1).mean())


def at_level(audio: np.ndarray, level_db: float, sample_rate_hz: int) -> np.ndarray:
    """Scale speech so that its loud part has a root mean square of ``level_db`` dB of full scale.

    Less where it would clip. Silence is left silent.
    """
    power = loud_power(audio, sample_rate_hz)
    if power == 0.0:
        return audio
    gain = 10 ** (level_db / 20) / np.sqrt(power)
    return audio * np.float32(min(gain, 0.95 / np.abs(audio).max()))


def loud_part(audio: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """The frames (20 ms) of (samples,) audio that are within 20 dB of the loudest.

    Returns
    -------
    (frames, samples a frame); samples that fill no whole frame are left out.
    """
    size = min(len(audio), max(1, round(_FRAME_MS * sample_rate_hz / 1000)))
    if size == 0:
        return audio.reshape(0, 1)
    frames = audio[: len(audio) // size * size].reshape(-1, size)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    return frames[power >= power.max() * 10.0 ** (-_LOUD_DB / 10.0)]


def cut_noise(
    noises: Sequence[np.ndarray], samples: int, rng: np.random.Generator, sample_rate_hz: int
) -> np.ndarray:
    """A piece of noise at its own level: mostly cut from a recording, otherwise synthetic.

    Returns
    -------
    float32 (samples,); a recording that is too short is repeated.
    """
    if not noises or rng.random() < SYNTHETIC_SHARE:
        return synthetic_noise(samples, rng, sample_rate_hz)
    recording = noises[int(rng.integers(len(noises)))]
    start = int(rng.integers(max(1, len(recording) - samples + 1)))
    piece = recording[start : start + samples]
    return piece if len(piece) == samples else np.resize(piece, samples)


def synthetic_noise(samples: int, rng: np.random.Generator, sample_rate_hz: int) -> np.ndarray:
    """Coloured noise between white and brown, one time in five with mains hum in it.

    Returns
    -------
    float32 (samples,), of a root mean square near 0.1.
    """
    noise = coloured_noise(samples, rng.uniform(0.0, 2.0), rng, sample_rate_hz)
    if rng.random() < 0.2:
        noise = noise * np.float32(rng.uniform(0.1, 1.0)) + hum(samples, rng, sample_rate_hz)
    return noise


def coloured_noise(
    samples: int, exponent: float, rng: np.random.Generator, sample_rate_hz: int
) -> np.ndarray:
    """Noise whose power falls as ``1 / frequency ** exponent``: 0 is white, 1 pink, 2 brown.

    White noise shaped in the frequency domain; flat below 20 Hz, where brown noise would have
    nearly all its power.

    Returns
    -------
    float32 (samples,), root mean square 0.1.
    """
    if samples < 2:
        return np.zeros(samples, np.float32)
    # Half a spectrum of complex Gaussian bins is the transform of white noise.
    bins = samples // 2 + 1
    spectrum = rng.standard_normal(2 * bins, dtype=np.float32).view(np.complex64)
    frequency_hz = np.maximum(np.arange(bins) * (sample_rate_hz / samples), 20.0)
    spectrum[0] = 0.0
    noise = np.fft.irfft(spectrum * (frequency_hz / 20.0) ** (-exponent / 2), samples)
    return at_rms(noise, 0.1)


def hum(samples: int, rng: np.random.Generator, sample_rate_hz: int) -> np.ndarray:
    """Mains hum, 50 or 60 Hz with seven overtones: float32 (samples,), root mean square 0.1."""
    time_s = np.arange(samples) / sample_rate_hz
    mains_hz = rng.choice((50.0, 60.0)) * rng.uniform(0.995, 1.005)
    orders = np.arange(1, 9)[:, None]
    weights = rng.uniform(0.2, 1.0, orders.shape) / orders
    phases = rng.uniform(0.0, 2 * np.pi, orders.shape)
    tones = weights * np.sin(2 * np.pi * mains_hz * orders * time_s + phases)
    return at_rms(tones.sum(axis=0), 0.1)


def babble(
    voices: Sequence[np.ndarray],
    count: int,
    samples: int,
    rng: np.random.Generator,
    sample_rate_hz: int,
) -> np.ndarray:
    """Let several voices talk at once, each its clip over and over from a random place.

    Parameters
    ----------
    voices : clips, float32 (at least one); ``count`` of them are drawn, or all where there are
        fewer. Their loud parts are brought to levels within 6 dB of each other.

    Returns
    -------
    float32 (samples,), root mean square 0.1; zeros where all that was drawn is silent.
    """
    mixed = np.zeros(samples, np.float32)
    for index in rng.choice(len(voices), min(count, len(voices)), replace=False):
        power = loud_power(voices[index], sample_rate_hz)
        level = 10.0 ** (-rng.uniform(0.0, 6.0) / 20.0)
        start = int(rng.integers(max(1, len(voices[index]))))
        if power > 0.0:
            said = np.resize(np.roll(voices[index], -start), samples)
            mixed += said * np.float32(level / np.sqrt(power))
    return at_rms(mixed, 0.1)


def at_rms(audio: np.ndarray, wanted: float) -> np.ndarray:
    """Scale (samples,) to a root mean square; float32. Silence is left silent."""
    found = np.sqrt(np.mean(np.square(audio))) if audio.size else 0.0
    return (audio * (wanted / found if found else 0.0)).astype(np.float32)

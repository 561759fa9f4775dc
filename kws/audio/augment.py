"""Training clips varied as the world varies them: moved in time, louder or softer, in noise.

Also SpecAugment on batches of features. All randomness comes from the generator passed in.
"""

import numpy as np
import soxr

from kws.recipe import AugmentConfig

SYNTHETIC_SHARE = 0.25
"""Share of noise that is made from numbers where there are recordings to cut from."""
_FRAME_MS = 20.0
_LOUD_DB = 20.0


def augment(
    audio: np.ndarray,
    config: AugmentConfig,
    noises: list[np.ndarray],
    rng: np.random.Generator,
    sample_rate_hz: int,
) -> np.ndarray:
    """Vary one clip: speed, time shift, noise at a random signal-to-noise ratio, gain.

    Parameters
    ----------
    audio : float32 (samples,), full scale -1..1.
    config : the ranges from which speed, shift, ratio and gain are drawn, uniformly (the last two
        in dB).
    noises : recordings to cut noise from, float32 at the same rate; may be empty.
    rng : decides everything; the same state gives the same samples.
    sample_rate_hz : of ``audio`` and ``noises``.

    Returns
    -------
    float32, as many samples as the speed leaves, clipped to -1..1 as a converter would.
    """
    audio = change_speed(audio, rng.uniform(*config.speed))
    most = round(config.shift_ms * sample_rate_hz / 1000)
    audio = shift(audio, int(rng.integers(-most, most + 1)))
    if rng.random() < config.noise_probability:
        noise = cut_noise(noises, len(audio), rng, sample_rate_hz)
        audio = mix(audio, noise, rng.uniform(*config.snr_db), sample_rate_hz)
    return np.clip(gain(audio, rng.uniform(*config.gain_db)), -1.0, 1.0)


def change_speed(audio: np.ndarray, speed: float) -> np.ndarray:
    """Play (samples,) audio faster or slower, pitch and formants with it: samples / speed."""
    if speed == 1.0 or len(audio) == 0:
        return audio
    return soxr.resample(audio, speed, 1.0, quality="MQ")


def shift(audio: np.ndarray, samples: int) -> np.ndarray:
    """Move (samples,) audio later, or earlier where negative; zeros fill what it leaves."""
    moved = np.zeros_like(audio)
    kept = max(0, len(audio) - abs(samples))
    if samples >= 0:
        moved[len(audio) - kept :] = audio[:kept]
    else:
        moved[:kept] = audio[len(audio) - kept :]
    return moved


def gain(audio: np.ndarray, gain_db: float) -> np.ndarray:
    """Scale audio by an amplitude gain in dB; not clipped."""
    return audio * np.float32(10.0 ** (gain_db / 20.0))


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
    size = min(len(audio), max(1, round(_FRAME_MS * sample_rate_hz / 1000)))
    if size == 0:
        return 0.0
    frames = audio[: len(audio) // size * size].reshape(-1, size)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    return float(power[power >= power.max() * 10.0 ** (-_LOUD_DB / 10.0)].mean())


def cut_noise(
    noises: list[np.ndarray], samples: int, rng: np.random.Generator, sample_rate_hz: int
) -> np.ndarray:
    """A piece of noise at its own level: mostly cut from a recording, otherwise synthetic.

    Returns
    -------
    float32 (samples,); a recording that is too short is repeated.
    """
    if not noises or rng.random() < SYNTHETIC_SHARE:
        return synthetic_noise(samples, rng, sample_rate_hz)
    recording = noises[rng.integers(len(noises))]
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
    return _at_rms(noise, 0.1)


def hum(samples: int, rng: np.random.Generator, sample_rate_hz: int) -> np.ndarray:
    """Mains hum, 50 or 60 Hz with seven overtones: float32 (samples,), root mean square 0.1."""
    time_s = np.arange(samples) / sample_rate_hz
    mains_hz = rng.choice((50.0, 60.0)) * rng.uniform(0.995, 1.005)
    orders = np.arange(1, 9)[:, None]
    weights = rng.uniform(0.2, 1.0, orders.shape) / orders
    phases = rng.uniform(0.0, 2 * np.pi, orders.shape)
    tones = weights * np.sin(2 * np.pi * mains_hz * orders * time_s + phases)
    return _at_rms(tones.sum(axis=0), 0.1)


def spec_augment(
    features: np.ndarray, config: AugmentConfig, rng: np.random.Generator
) -> np.ndarray:
    """Mask stretches of time and of bands, each clip its own (Park et al. 2019, "SpecAugment").

    What is masked takes the mean of its band over the batch, which normalisation makes zero.

    Parameters
    ----------
    features : float (batch, frames, size), raw.
    config : numbers and widest widths of the masks; widths are uniform from 0 up.

    Returns
    -------
    a new array of the same shape and type; ``features`` itself where there are no masks to set.
    """
    batch, frames, size = features.shape
    masked = np.zeros((batch, frames, size), dtype=bool)
    for _ in range(config.time_masks):
        masked |= _stretches(batch, frames, config.time_mask_frames, rng)[:, :, None]
    for _ in range(config.band_masks):
        masked |= _stretches(batch, size, config.band_mask_bands, rng)[:, None, :]
    if not masked.any():
        return features
    mean = features.mean(axis=(0, 1), dtype=np.float64).astype(features.dtype)
    return np.where(masked, mean, features)


def _stretches(batch: int, length: int, widest: int, rng: np.random.Generator) -> np.ndarray:
    """bool (batch, length), true on one random stretch of 0 to ``widest`` places in each row."""
    widths = rng.integers(0, min(widest, length) + 1, batch)
    starts = rng.integers(0, length - widths + 1)
    places = np.arange(length)
    return (places >= starts[:, None]) & (places < (starts + widths)[:, None])


def _at_rms(audio: np.ndarray, wanted: float) -> np.ndarray:
    found = np.sqrt(np.mean(np.square(audio))) if audio.size else 0.0
    return (audio * (wanted / found if found else 0.0)).astype(np.float32)

"""Log-mel and MFCC frames, of whole clips and of streams, with librosa's definitions.

The values are those of ``librosa.feature.melspectrogram``, ``power_to_db`` and ``mfcc`` (a test
holds them together), but frame-local: a frame depends on its own samples alone (``center=False``,
``top_db=None``), so that a device which hears the sound block by block computes the very frames of
the whole clip. Clips and streams share one transform. It is in double precision, because the
rounding of a float32 FFT depends on how many frames it transforms at a time.
"""

import functools

import numpy as np

from kws.recipe import FeatureConfig

BATCH = 8
"""Clips transformed at a time; larger stacks fall out of the processor's cache."""


def extract(audio: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Features of one clip or of stacked clips of one length.

    Parameters
    ----------
    audio : float (samples,) or (clips, samples), full scale -1..1, at ``config.sample_rate_hz``.

    Returns
    -------
    float32 (frames, size) or (clips, frames, size), time first; log-mel in dB.
        ``frames = 1 + (samples - fft_size) // hop``; none where the clip is shorter than that.
    """
    audio = np.asarray(audio)
    stacked = np.atleast_2d(audio)
    frames = config.frames(audio.shape[-1])
    features = np.zeros((len(stacked), frames, config.size), np.float32)
    for start in range(0, len(stacked) if frames else 0, BATCH):
        part = stacked[start : start + BATCH]
        windows = np.lib.stride_tricks.sliding_window_view(part, config.fft_size, axis=-1)
        chosen = windows[:, :: config.hop_samples][:, :frames]
        features[start : start + BATCH] = _transform(chosen, config)
    return features.reshape(*audio.shape[:-1], frames, config.size)


def _transform(frames: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Float (..., fft_size) samples to float64 (..., size)."""
    hann, mel_of, dct = transform_tables(config)
    spectrum = np.fft.rfft(frames * hann)
    mel = (spectrum.real**2 + spectrum.imag**2) @ mel_of
    features = 10.0 * np.log10(np.maximum(mel, config.log_floor))
    return features if dct is None else features @ dct


def window(config: FeatureConfig) -> np.ndarray:
    """The periodic Hann window, padded to the FFT on both sides: float64 (fft_size,)."""
    length = config.window_samples
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    left = (config.fft_size - length) // 2
    return np.pad(hann, (left, config.fft_size - length - left))


def mel_filters(config: FeatureConfig) -> np.ndarray:
    """Triangular filters of equal area on Slaney's mel scale (Auditory Toolbox, 1998).

    The scale is linear to 1000 Hz (15 mel there) and logarithmic above, 27 steps to 6400 Hz.

    Returns
    -------
    float64 (mel_bands, fft_size // 2 + 1), as ``librosa.filters.mel`` gives them.
    """
    low, high = _mel(config.low_hz), _mel(config.high_hz)
    edges = _hz(np.linspace(low, high, config.mel_bands + 2))
    bins = np.arange(config.fft_size // 2 + 1) * config.sample_rate_hz / config.fft_size
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]


def _mel(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


def _hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))


@functools.lru_cache(maxsize=8)
def transform_tables(
    config: FeatureConfig,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Window (fft_size,), mel filters (bins, bands), cosine transform (bands, size) or None."""
    dct = None
    if config.kind == "mfcc":
        bands, order = config.mel_bands, np.arange(config.size)
        angle = np.pi / bands * (np.arange(bands)[:, None] + 0.5) * order
        dct = np.cos(angle) * np.where(order == 0, np.sqrt(1 / bands), np.sqrt(2 / bands))
    return window(config), np.ascontiguousarray(mel_filters(config).T), dct


class StreamingFeatures:
    """Features of audio that comes in blocks of any size.

    >>> stream = StreamingFeatures(FeatureConfig())
    >>> frames = stream.push(block)      # (0 or more, size) float32

    The frames of all calls, joined, are those that :func:`extract` gives for the joined audio, to
    1e-5.
    """

    def __init__(self, config: FeatureConfig):
        self.config = config
        self._pending = np.zeros(0)
        self._skip = 0

    def reset(self) -> None:
        """Forget all audio."""
        self._pending, self._skip = self._pending[:0], 0

    def push(self, block: np.ndarray) -> np.ndarray:
        """Take (samples,) audio and give the frames that it completes, (frames, size) float32."""
        block = np.asarray(block, dtype=np.float64).reshape(-1)
        if self._skip:  # a hop longer than the window leaves a gap that no frame covers
            dropped = min(self._skip, len(block))
            block, self._skip = block[dropped:], self._skip - dropped
        audio = np.concatenate((self._pending, block))
        config, frames = self.config, self.config.frames(len(audio))
        used = frames * config.hop_samples
        self._skip += max(0, used - len(audio))
        self._pending = audio[used:]
        if frames == 0:
            return np.zeros((0, config.size), dtype=np.float32)
        if frames == 1:  # a device's pace; the general way takes as long as the features do
            return _transform(audio[None, : config.fft_size], config).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(audio, config.fft_size)
        chosen = windows[:: config.hop_samples][:frames]
        return _transform(chosen, config).astype(np.float32)

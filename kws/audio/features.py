"""Log-mel and MFCC frames by librosa, and their streaming twin.

They are computed in double precision, because the rounding of a float32 FFT depends on how many
frames it transforms at a time. Both are frame-local: a frame depends on its own samples alone (``center=False``, ``top_db=None``),
so that a device which hears the sound block by block computes the very frames of the whole clip.
"""

import functools

import librosa
import numpy as np
import scipy.fft

from kws.recipe import FeatureConfig

BATCH = 64
"""Clips extracted at a time; larger stacks fall out of the processor's cache."""


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
    audio = np.asarray(audio, dtype=np.float64)
    frames = config.frames(audio.shape[-1])
    if frames == 0:
        return np.zeros((*audio.shape[:-1], 0, config.size), dtype=np.float32)
    if audio.ndim == 1 or len(audio) <= BATCH:
        return _extract(audio, config)
    parts = [_extract(audio[i : i + BATCH], config) for i in range(0, len(audio), BATCH)]
    return np.concatenate(parts)


def _extract(audio: np.ndarray, config: FeatureConfig) -> np.ndarray:
    mel = librosa.feature.melspectrogram(
        y=audio,
        sr=config.sample_rate_hz,
        n_fft=config.fft_size,
        hop_length=config.hop_samples,
        win_length=config.window_samples,
        window="hann",
        center=False,
        power=2.0,
        n_mels=config.mel_bands,
        fmin=config.low_hz,
        fmax=config.high_hz,
    )
    features = librosa.power_to_db(mel, ref=1.0, amin=config.log_floor, top_db=None)
    if config.kind == "mfcc":
        features = librosa.feature.mfcc(S=features, n_mfcc=config.size, dct_type=2, norm="ortho")
    return np.ascontiguousarray(np.swapaxes(features, -1, -2), dtype=np.float32)


def window(config: FeatureConfig) -> np.ndarray:
    """The periodic Hann window, padded to the FFT: float64 (fft_size,)."""
    hann = librosa.filters.get_window("hann", config.window_samples, fftbins=True)
    return librosa.util.pad_center(hann, size=config.fft_size)


def mel_filters(config: FeatureConfig) -> np.ndarray:
    """Triangular filters on Slaney's mel scale, of equal area: float64 (bands, fft_size // 2 + 1)."""
    return librosa.filters.mel(
        sr=config.sample_rate_hz,
        n_fft=config.fft_size,
        n_mels=config.mel_bands,
        fmin=config.low_hz,
        fmax=config.high_hz,
        dtype=np.float64,
    )


@functools.lru_cache(maxsize=8)
def _tables(config: FeatureConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    dct = None
    if config.kind == "mfcc":
        identity = np.eye(config.mel_bands, dtype=np.float64)
        dct = scipy.fft.dct(identity, axis=0, type=2, norm="ortho")[: config.size].T
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
        self._window, self._mel, self._dct = _tables(config)
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
        windows = np.lib.stride_tricks.sliding_window_view(audio, config.fft_size)
        return self._transform(windows[:: config.hop_samples][:frames])

    def _transform(self, frames: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfft(frames * self._window)
        mel = (spectrum.real**2 + spectrum.imag**2) @ self._mel
        features = 10.0 * np.log10(np.maximum(mel, self.config.log_floor))
        return (features if self._dct is None else features @ self._dct).astype(np.float32)

"""Features: librosa's values, hand-computed points, and the streaming twin."""

import librosa
import numpy as np
import pytest

from kws.audio.features import StreamingFeatures, extract, mel_filters, window
from kws.audio.io import read
from kws.recipe import FeatureConfig

CONFIGS = [
    FeatureConfig(),
    FeatureConfig(window_ms=30, hop_ms=10, fft_size=512),
    FeatureConfig(kind="mfcc", coefficients=10),
    FeatureConfig(sample_rate_hz=8000, window_ms=25, fft_size=256, high_hz=3900, mel_bands=20),
    FeatureConfig(hop_ms=50),
]


def audio(seconds: float, rate: int = 16000, seed: int = 0) -> np.ndarray:
    """Noise with a level that wanders over 80 dB, and a chirp."""
    rng, n = np.random.default_rng(seed), round(seconds * rate)
    level = 10 ** (np.interp(np.arange(n), np.linspace(0, n, 9), rng.uniform(-80, -5, 9)) / 20)
    chirp = librosa.chirp(fmin=100, fmax=rate / 2 - 200, sr=rate, length=n)
    return ((rng.normal(size=n) + chirp) * level).astype(np.float32)


@pytest.mark.parametrize("config", CONFIGS)
def test_equals_librosa(config):
    clip = audio(1.0, config.sample_rate_hz)
    mel = librosa.feature.melspectrogram(
        y=clip.astype(np.float64), sr=config.sample_rate_hz, n_fft=config.fft_size,
        hop_length=config.hop_samples, win_length=config.window_samples, center=False,
        n_mels=config.mel_bands, fmin=config.low_hz, fmax=config.high_hz,
    )  # fmt: skip
    expected = 10 * np.log10(np.maximum(mel, config.log_floor))
    if config.kind == "mfcc":
        expected = librosa.feature.mfcc(S=expected, n_mfcc=config.size)
    np.testing.assert_allclose(extract(clip, config), expected.T, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS)
def test_tables_are_librosas(config):
    filters = librosa.filters.mel(
        sr=config.sample_rate_hz, n_fft=config.fft_size, n_mels=config.mel_bands,
        fmin=config.low_hz, fmax=config.high_hz, dtype=np.float64,
    )  # fmt: skip
    np.testing.assert_allclose(mel_filters(config), filters, atol=1e-12)
    hann = librosa.filters.get_window("hann", config.window_samples)
    padded = librosa.util.pad_center(hann, size=config.fft_size)
    np.testing.assert_allclose(window(config), padded, atol=1e-12)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("largest_block", [1, 37, 320, 5000])
def test_stream_gives_the_frames_of_the_whole_clip(config, largest_block):
    clip, rng = (
        audio(0.4 if largest_block == 1 else 3.0, config.sample_rate_hz),
        np.random.default_rng(1),
    )
    stream, frames, at = StreamingFeatures(config), [], 0
    while at < len(clip):
        size = int(rng.integers(1, largest_block + 1))
        frames.append(stream.push(clip[at : at + size]))
        at += size
    whole = extract(clip, config)
    np.testing.assert_allclose(np.concatenate(frames), whole, rtol=1e-6, atol=1e-5)


def test_stream_on_real_speech(speech_data):
    clips = sorted((speech_data / "speech_commands" / "yes").glob("*.flac"))[:20]
    speech = np.concatenate([read(path, 16000) for path in clips])
    stream = StreamingFeatures(FeatureConfig())
    frames = np.concatenate([stream.push(block) for block in np.array_split(speech, 777)])
    np.testing.assert_allclose(frames, extract(speech, FeatureConfig()), rtol=1e-6, atol=1e-5)


def test_later_audio_never_changes_earlier_frames():
    clip = audio(1.0)
    louder = clip.copy()
    louder[8000:] = np.clip(louder[8000:] * 1000, -1, 1)
    untouched = FeatureConfig().frames(8000)
    np.testing.assert_array_equal(
        extract(clip, FeatureConfig())[:untouched], extract(louder, FeatureConfig())[:untouched]
    )


@pytest.mark.parametrize("config", CONFIGS[:4])
def test_stacked_clips_equal_single_ones(config):
    clips = np.stack([audio(0.5, config.sample_rate_hz, seed) for seed in range(70)])
    stacked = extract(clips, config)
    for index in (0, 63, 64, 69):
        np.testing.assert_allclose(stacked[index], extract(clips[index], config), atol=1e-5)


def test_silence_is_the_floor():
    features = extract(np.zeros(16000, np.float32), FeatureConfig(log_floor=1e-6))
    np.testing.assert_array_equal(features, np.full((49, 40), -60.0, np.float32))


def test_a_tone_lands_in_its_band_at_its_level():
    """A sine of amplitude 1 on FFT bin 64 (2000 Hz) under a Hann window has |X| = N/4 there, and
    N/8 in both neighbours; the band's value follows from the filter's weights at these bins."""
    config = FeatureConfig()
    tone = np.sin(2 * np.pi * 2000 * np.arange(512) / 16000)
    frame = extract(tone, config)[0]
    filters = mel_filters(config)
    power = filters[:, 64] * (512 / 4) ** 2 + (filters[:, 63] + filters[:, 65]) * (512 / 8) ** 2
    band = int(np.argmax(power))
    assert int(frame.argmax()) == band
    np.testing.assert_allclose(frame[band], 10 * np.log10(power[band]), atol=1e-4)


def test_twenty_db_quieter_is_twenty_db_lower():
    clip = audio(0.5) + 0.1
    difference = extract(clip, FeatureConfig(log_floor=1e-12)) - extract(
        clip / 10, FeatureConfig(log_floor=1e-12)
    )
    np.testing.assert_allclose(difference, 20.0, atol=1e-3)


def test_dct_of_a_flat_spectrum_has_only_its_first_coefficient():
    """Orthonormal DCT-II: c0 = sum / sqrt(bands), all others 0 where the bands are equal."""
    features = extract(np.zeros(512), FeatureConfig(kind="mfcc", coefficients=5, log_floor=1e-6))
    np.testing.assert_allclose(features, [[-60 * np.sqrt(40), 0, 0, 0, 0]], atol=1e-4)


def test_window_shorter_than_the_fft_is_centred():
    shape = window(FeatureConfig(window_ms=25))
    assert len(shape) == 512
    assert np.flatnonzero(shape)[[0, -1]].tolist() == [57, 455]
    assert shape[256] == 1.0


def test_too_little_audio_gives_no_frames():
    assert extract(np.zeros(511), FeatureConfig()).shape == (0, 40)
    assert extract(np.zeros((3, 0)), FeatureConfig()).shape == (3, 0, 40)
    assert StreamingFeatures(FeatureConfig()).push(np.zeros(511)).shape == (0, 40)


def test_reset_forgets():
    stream, clip = StreamingFeatures(FeatureConfig(hop_ms=50)), audio(0.3)
    first = stream.push(clip)
    stream.reset()
    np.testing.assert_array_equal(stream.push(clip), first)

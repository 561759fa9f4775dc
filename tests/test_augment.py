"""Augmentation: levels, ratios and masks are what they claim to be."""

import numpy as np
import pytest

from kws.audio import augment as ours
from kws.recipe import AugmentConfig

RATE = 16000


def rng(seed=0):
    return np.random.default_rng(seed)


def power_db(audio):
    return 10 * np.log10(np.mean(np.square(audio, dtype=np.float64)))


def burst() -> np.ndarray:
    """A fifth of a second of tone in a second of digital zero."""
    audio = np.zeros(RATE, np.float32)
    time_s = np.arange(3200) / RATE
    audio[6400:9600] = 0.1 * np.sin(2 * np.pi * 500 * time_s)
    return audio


def test_shift_moves_and_fills_with_zeros():
    audio = np.array([1, 2, 3, 4], np.float32)
    assert ours.shift(audio, 1).tolist() == [0, 1, 2, 3]
    assert ours.shift(audio, -2).tolist() == [3, 4, 0, 0]
    assert ours.shift(audio, 0).tolist() == [1, 2, 3, 4]
    assert ours.shift(audio, 9).tolist() == [0, 0, 0, 0]
    assert ours.shift(audio, -9).tolist() == [0, 0, 0, 0]


def test_gain_is_in_decibels():
    assert ours.gain(np.array([0.5], np.float32), 20.0) == pytest.approx(5.0)
    assert ours.gain(np.array([0.5], np.float32), -6.0206) == pytest.approx(0.25, rel=1e-5)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.0, 30.0])
def test_mix_keeps_the_ratio_over_the_loud_part(snr_db):
    noise = rng().normal(0, 3.0, RATE).astype(np.float32)
    signal = burst()
    added = ours.mix(signal, noise, snr_db, RATE) - signal
    assert power_db(signal[6400:9600]) - power_db(added) == pytest.approx(snr_db, abs=0.2)


def test_padding_does_not_change_the_ratio():
    signal, noise = burst(), rng().normal(0, 1.0, 4 * RATE).astype(np.float32)
    padded = np.pad(signal, (RATE, 2 * RATE))
    short = ours.mix(signal, noise[:RATE], 10.0, RATE) - signal
    long = ours.mix(padded, noise, 10.0, RATE) - padded
    assert power_db(short) == pytest.approx(power_db(long), abs=0.2)


def test_loud_power_of_a_burst_is_that_of_its_tone():
    assert ours.loud_power(burst(), RATE) == pytest.approx(0.1**2 / 2, rel=0.1)
    assert ours.loud_power(np.zeros(RATE, np.float32), RATE) == 0.0
    assert ours.loud_power(np.full(7, 0.5, np.float32), RATE) == pytest.approx(0.25)


def test_mix_without_signal_or_noise_changes_nothing():
    zero, noise = np.zeros(100, np.float32), np.ones(100, np.float32)
    assert np.array_equal(ours.mix(zero, noise, 0.0, RATE), zero)
    assert np.array_equal(ours.mix(noise, zero, 0.0, RATE), noise)


@pytest.mark.parametrize(("exponent", "slope"), [(0.0, 0.0), (1.0, -3.01), (2.0, -6.02)])
def test_coloured_noise_falls_as_its_exponent_says(exponent, slope):
    noise = ours.coloured_noise(8 * RATE, exponent, rng(), RATE)
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    octaves = [
        10 * np.log10(spectrum[(hertz >= low) & (hertz < 2 * low)].mean())
        for low in (125, 250, 500, 1000, 2000)
    ]
    assert np.diff(octaves).mean() == pytest.approx(slope, abs=0.3)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(0.1, rel=1e-4)


def test_hum_has_its_lines_at_multiples_of_the_mains():
    audio = ours.hum(8 * RATE, rng(), RATE)
    power = np.abs(np.fft.rfft(audio)) ** 2
    hertz = np.fft.rfftfreq(len(audio), 1 / RATE)
    mains_hz = hertz[power > 0.01 * power.max()][0]
    assert min(abs(mains_hz - 50), abs(mains_hz - 60)) < 0.5
    assert power[hertz < 8.5 * mains_hz].sum() > 0.99 * power.sum()


def test_synthetic_noise_is_finite_and_of_the_asked_length():
    for samples in (0, 1, 2, 3, 1001):
        noise = ours.synthetic_noise(samples, rng(samples), RATE)
        assert noise.shape == (samples,)
        assert noise.dtype == np.float32
        assert np.isfinite(noise).all()


def test_noise_is_cut_from_recordings_most_of_the_time():
    recording = np.arange(5000, dtype=np.float32)
    generator, cuts = rng(), []
    for _ in range(300):
        piece = ours.cut_noise([recording], 1000, generator, RATE)
        if np.array_equal(np.diff(piece), np.ones(999)):
            cuts.append(int(piece[0]))
    assert len(cuts) == pytest.approx(300 * (1 - ours.SYNTHETIC_SHARE), abs=30)
    assert min(cuts) < 300
    assert max(cuts) > 3700


def test_short_recordings_are_repeated():
    pieces = [ours.cut_noise([np.array([1, 2, 3], np.float32)], 7, rng(s), RATE) for s in range(8)]
    assert [1, 2, 3, 1, 2, 3, 1] in [piece.tolist() for piece in pieces]


def test_augment_is_decided_by_the_generator_alone():
    config, noises = AugmentConfig(), [rng(9).normal(0, 0.1, 50000).astype(np.float32)]
    one = ours.augment(burst(), config, noises, rng(4), RATE)
    two = ours.augment(burst(), config, noises, rng(4), RATE)
    other = ours.augment(burst(), config, noises, rng(5), RATE)
    assert one.dtype == np.float32
    assert one.tobytes() == two.tobytes()
    assert not np.array_equal(one, other)


def test_augment_stays_within_its_ranges():
    config = AugmentConfig(speed=(1, 1), shift_ms=50, gain_db=(-6, 0), noise_probability=0)
    generator, onsets, peaks = rng(), [], []
    for _ in range(200):
        audio = ours.augment(burst(), config, [], generator, RATE)
        onsets.append(np.flatnonzero(audio)[0] - 6401)  # the tone begins with a zero
        peaks.append(20 * np.log10(np.abs(audio).max() / 0.1))
    assert -800 <= min(onsets) < -700
    assert 700 < max(onsets) <= 800
    assert -6.01 <= min(peaks) < -5.5
    assert -0.5 < max(peaks) <= 0.01


def test_augment_leaves_the_clip_alone_where_nothing_is_asked():
    config = AugmentConfig(speed=(1, 1), shift_ms=0, gain_db=(0, 0), noise_probability=0)
    assert np.array_equal(ours.augment(burst(), config, [], rng(), RATE), burst())


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_speed_moves_pitch_and_length(speed):
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    audio = ours.change_speed(tone, speed)
    assert len(audio) == pytest.approx(RATE / speed, abs=2)
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    pitch = np.argmax(spectrum) * RATE / len(audio)
    assert pitch == pytest.approx(1000 * speed, abs=2)
    assert np.abs(audio[2000:-2000]).max() == pytest.approx(1.0, abs=0.01)


def test_speed_of_nothing():
    assert len(ours.change_speed(np.zeros(0, np.float32), 1.1)) == 0


def test_augment_clips_as_a_converter():
    config = AugmentConfig(shift_ms=0, gain_db=(40, 40), noise_probability=1, snr_db=(0, 0))
    audio = ours.augment(burst(), config, [], rng(), RATE)
    assert (audio.min(), audio.max()) == (-1.0, 1.0)


def spec_config(**values):
    nothing = {"time_masks": 0, "time_mask_frames": 0, "band_masks": 0, "band_mask_bands": 0}
    return AugmentConfig(**{**nothing, **values})


def test_time_masks_are_single_stretches_of_the_mean():
    features = rng().normal(5, 2, (64, 49, 40)).astype(np.float32)
    masked = ours.spec_augment(features, spec_config(time_masks=1, time_mask_frames=8), rng(1))
    changed = masked != features
    assert masked.dtype == np.float32
    assert np.array_equal(changed.any(axis=2), changed.all(axis=2))
    widths = changed.all(axis=2).sum(axis=1)
    assert set(widths) == set(range(9))
    edges = np.abs(np.diff(changed.all(axis=2).astype(int), axis=1)).sum(axis=1)
    assert edges.max() <= 2
    mean = features.mean(axis=(0, 1))
    assert np.allclose(masked[changed], np.broadcast_to(mean, features.shape)[changed], atol=1e-4)


def test_band_masks_cover_whole_bands():
    features = rng().normal(5, 2, (32, 20, 40)).astype(np.float32)
    masked = ours.spec_augment(features, spec_config(band_masks=2, band_mask_bands=6), rng(1))
    changed = masked != features
    assert np.array_equal(changed.any(axis=1), changed.all(axis=1))
    assert 0 < changed.all(axis=1).sum(axis=1).max() <= 12


def test_no_masks_and_masks_wider_than_the_clip():
    features = rng().normal(0, 1, (16, 5, 4)).astype(np.float32)
    assert np.array_equal(ours.spec_augment(features, spec_config(), rng()), features)
    wide = spec_config(time_masks=1, time_mask_frames=100, band_masks=1, band_mask_bands=64)
    assert ours.spec_augment(features, wide, rng()).shape == features.shape


def test_spec_augment_repeats_and_does_not_touch_its_input():
    features = rng().normal(0, 1, (16, 49, 40)).astype(np.float16)
    kept = features.copy()
    one, two = (ours.spec_augment(features, AugmentConfig(), rng(3)) for _ in range(2))
    assert one.dtype == np.float16
    assert np.array_equal(one, two)
    assert np.array_equal(features, kept)

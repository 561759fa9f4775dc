"""Augmentation: levels, ratios and masks are what they claim to be."""

import numpy as np
import pytest

from kws.audio import io
from kws.audio.augment import augment, augment_clip, through_device
from kws.audio.noise import (
    SYNTHETIC_SHARE,
    babble,
    coloured_noise,
    cut_noise,
    hum,
    loud_part,
    loud_power,
    mix,
    synthetic_noise,
)
from kws.audio.pitch import change_pitch, change_speed, stretch
from kws.audio.rooms import Room
from kws.audio.spec_augment import mixup, spec_augment
from kws.audio.steps import Material, gain, shift
from kws.data.material import gather_material, material_files, pick_voices
from kws.errors import DataError, RecipeError
from kws.recipe import AugmentConfig
from kws.recipe_io import parse_recipe

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
    assert shift(audio, 1).tolist() == [0, 1, 2, 3]
    assert shift(audio, -2).tolist() == [3, 4, 0, 0]
    assert shift(audio, 0).tolist() == [1, 2, 3, 4]
    assert shift(audio, 9).tolist() == [0, 0, 0, 0]
    assert shift(audio, -9).tolist() == [0, 0, 0, 0]


def test_gain_is_in_decibels():
    assert gain(np.array([0.5], np.float32), 20.0) == pytest.approx(5.0)
    assert gain(np.array([0.5], np.float32), -6.0206) == pytest.approx(0.25, rel=1e-5)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.0, 30.0])
def test_mix_keeps_the_ratio_over_the_loud_part(snr_db):
    noise = rng().normal(0, 3.0, RATE).astype(np.float32)
    signal = burst()
    added = mix(signal, noise, snr_db, RATE) - signal
    assert power_db(signal[6400:9600]) - power_db(added) == pytest.approx(snr_db, abs=0.2)


def test_padding_does_not_change_the_ratio():
    signal, noise = burst(), rng().normal(0, 1.0, 4 * RATE).astype(np.float32)
    padded = np.pad(signal, (RATE, 2 * RATE))
    short = mix(signal, noise[:RATE], 10.0, RATE) - signal
    long = mix(padded, noise, 10.0, RATE) - padded
    assert power_db(short) == pytest.approx(power_db(long), abs=0.2)


def test_loud_power_of_a_burst_is_that_of_its_tone():
    assert loud_power(burst(), RATE) == pytest.approx(0.1**2 / 2, rel=0.1)
    assert loud_power(np.zeros(RATE, np.float32), RATE) == 0.0
    assert loud_power(np.full(7, 0.5, np.float32), RATE) == pytest.approx(0.25)


def test_mix_without_signal_or_noise_changes_nothing():
    zero, noise = np.zeros(100, np.float32), np.ones(100, np.float32)
    assert np.array_equal(mix(zero, noise, 0.0, RATE), zero)
    assert np.array_equal(mix(noise, zero, 0.0, RATE), noise)


@pytest.mark.parametrize(("exponent", "slope"), [(0.0, 0.0), (1.0, -3.01), (2.0, -6.02)])
def test_coloured_noise_falls_as_its_exponent_says(exponent, slope):
    noise = coloured_noise(8 * RATE, exponent, rng(), RATE)
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    octaves = [
        10 * np.log10(spectrum[(hertz >= low) & (hertz < 2 * low)].mean())
        for low in (125, 250, 500, 1000, 2000)
    ]
    assert np.diff(octaves).mean() == pytest.approx(slope, abs=0.3)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(0.1, rel=1e-4)


def test_hum_has_its_lines_at_multiples_of_the_mains():
    audio = hum(8 * RATE, rng(), RATE)
    power = np.abs(np.fft.rfft(audio)) ** 2
    hertz = np.fft.rfftfreq(len(audio), 1 / RATE)
    mains_hz = hertz[power > 0.01 * power.max()][0]
    assert min(abs(mains_hz - 50), abs(mains_hz - 60)) < 0.5
    assert power[hertz < 8.5 * mains_hz].sum() > 0.99 * power.sum()


def test_synthetic_noise_is_finite_and_of_the_asked_length():
    for samples in (0, 1, 2, 3, 1001):
        noise = synthetic_noise(samples, rng(samples), RATE)
        assert noise.shape == (samples,)
        assert noise.dtype == np.float32
        assert np.isfinite(noise).all()


def test_noise_is_cut_from_recordings_most_of_the_time():
    recording = np.arange(5000, dtype=np.float32)
    generator, cuts = rng(), []
    for _ in range(300):
        piece = cut_noise([recording], 1000, generator, RATE)
        if np.array_equal(np.diff(piece), np.ones(999)):
            cuts.append(int(piece[0]))
    assert len(cuts) == pytest.approx(300 * (1 - SYNTHETIC_SHARE), abs=30)
    assert min(cuts) < 300
    assert max(cuts) > 3700


def test_short_recordings_are_repeated():
    pieces = [cut_noise([np.array([1, 2, 3], np.float32)], 7, rng(s), RATE) for s in range(8)]
    assert [1, 2, 3, 1, 2, 3, 1] in [piece.tolist() for piece in pieces]


def test_augment_is_decided_by_the_generator_alone():
    config, noises = AugmentConfig(), [rng(9).normal(0, 0.1, 50000).astype(np.float32)]
    one = augment(burst(), config, Material(noises), rng(4), RATE)
    two = augment(burst(), config, Material(noises), rng(4), RATE)
    other = augment(burst(), config, Material(noises), rng(5), RATE)
    assert one.dtype == np.float32
    assert one.tobytes() == two.tobytes()
    assert not np.array_equal(one, other)


def test_augment_stays_within_its_ranges():
    config = AugmentConfig(speed=(1, 1), shift_ms=50, gain_db=(-6, 0), noise_probability=0)
    generator, onsets, peaks = rng(), [], []
    for _ in range(200):
        audio = augment(burst(), config, Material(), generator, RATE)
        onsets.append(np.flatnonzero(audio)[0] - 6401)  # the tone begins with a zero
        peaks.append(20 * np.log10(np.abs(audio).max() / 0.1))
    assert -800 <= min(onsets) < -700
    assert 700 < max(onsets) <= 800
    assert -6.01 <= min(peaks) < -5.5
    assert -0.5 < max(peaks) <= 0.01


def test_augment_leaves_the_clip_alone_where_nothing_is_asked():
    config = AugmentConfig(speed=(1, 1), shift_ms=0, gain_db=(0, 0), noise_probability=0)
    assert np.array_equal(augment(burst(), config, Material(), rng(), RATE), burst())


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_speed_moves_pitch_and_length(speed):
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    audio = change_speed(tone, speed)
    assert len(audio) == pytest.approx(RATE / speed, abs=2)
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    pitch = np.argmax(spectrum) * RATE / len(audio)
    assert pitch == pytest.approx(1000 * speed, abs=2)
    assert np.abs(audio[2000:-2000]).max() == pytest.approx(1.0, abs=0.01)


def test_speed_of_nothing():
    assert len(change_speed(np.zeros(0, np.float32), 1.1)) == 0


def test_augment_clips_as_a_converter():
    config = AugmentConfig(shift_ms=0, gain_db=(40, 40), noise_probability=1, snr_db=(0, 0))
    audio = augment(burst(), config, Material(), rng(), RATE)
    assert (audio.min(), audio.max()) == (-1.0, 1.0)


def spec_config(**values):
    nothing = {"time_masks": 0, "time_mask_frames": 0, "band_masks": 0, "band_mask_bands": 0}
    return AugmentConfig(**{**nothing, **values})


def test_time_masks_are_single_stretches_of_the_mean():
    features = rng().normal(5, 2, (64, 49, 40)).astype(np.float32)
    masked = spec_augment(features, spec_config(time_masks=1, time_mask_frames=8), rng(1))
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
    masked = spec_augment(features, spec_config(band_masks=2, band_mask_bands=6), rng(1))
    changed = masked != features
    assert np.array_equal(changed.any(axis=1), changed.all(axis=1))
    assert 0 < changed.all(axis=1).sum(axis=1).max() <= 12


def test_no_masks_and_masks_wider_than_the_clip():
    features = rng().normal(0, 1, (16, 5, 4)).astype(np.float32)
    assert np.array_equal(spec_augment(features, spec_config(), rng()), features)
    wide = spec_config(time_masks=1, time_mask_frames=100, band_masks=1, band_mask_bands=64)
    assert spec_augment(features, wide, rng()).shape == features.shape


def test_spec_augment_repeats_and_does_not_touch_its_input():
    features = rng().normal(0, 1, (16, 49, 40)).astype(np.float16)
    kept = features.copy()
    one, two = (spec_augment(features, AugmentConfig(), rng(3)) for _ in range(2))
    assert one.dtype == np.float16
    assert np.array_equal(one, two)
    assert np.array_equal(features, kept)


KINDS = ("pitch", "room", "babble", "equalizer", "band", "clipping", "codec")
VOICES = [np.random.default_rng(seed).normal(0, 0.1, 9000).astype(np.float32) for seed in range(5)]
ECHO = Room("echo", np.array([1, 0, 0, 0.5], np.float32))
STILL = {"speed": (1, 1), "shift_ms": 0, "gain_db": (0, 0), "noise_probability": 0}


def material():
    return Material([rng(9).normal(0, 0.1, 50000).astype(np.float32)], VOICES, [ECHO])


def test_without_the_new_kinds_a_clip_is_what_the_first_four_make_of_it():
    config = AugmentConfig()
    for seed in range(20):
        draws, audio = rng(seed), burst()
        audio = change_speed(audio, draws.uniform(0.85, 1.15))
        audio = shift(audio, int(draws.integers(-1600, 1601)))
        if draws.random() < 0.8:
            noise = cut_noise(material().noises, len(audio), draws, RATE)
            audio = mix(audio, noise, draws.uniform(0, 30), RATE)
        audio = np.clip(gain(audio, draws.uniform(-20, 6)), -1, 1)
        found = augment(burst(), config, material(), rng(seed), RATE)
        assert found.tobytes() == audio.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_switched_on_changes_the_clip_and_no_other_kinds_numbers(kind):
    noted = []
    for probabilities in ({}, {kind: 1.0}, {**dict.fromkeys(KINDS, 1.0)}):
        chances = {f"{name}_probability": p for name, p in probabilities.items()}
        config = AugmentConfig(noise_probability=1, **chances)
        log: list[tuple[str, str]] = []
        audio = augment(burst(), config, material(), rng(4), RATE, log)
        noted.append((dict(log), audio))
    (none, plain), (one, varied), (everything, _) = noted
    assert list(none) == ["speed", "shift", "noise", "gain"]
    assert one.keys() - none.keys() == {kind}
    assert one.items() >= none.items()
    assert everything.items() >= one.items()
    assert varied.shape == plain.shape
    assert varied.dtype == np.float32
    assert not np.array_equal(varied, plain)


@pytest.mark.parametrize("kind", ["speed", "shift", "gain"])
def test_a_kind_left_out_changes_no_other_kinds_numbers(kind):
    logs, clips = [], []
    for probability in (1.0, 0.0):
        config = AugmentConfig(noise_probability=0, **{f"{kind}_probability": probability})
        log: list[tuple[str, str]] = []
        clips.append(augment(burst(), config, material(), rng(4), RATE, log))
        logs.append(dict(log))
    assert logs[0].keys() - logs[1].keys() == {kind}
    assert logs[0].items() >= logs[1].items()
    assert not np.array_equal(*(io.fit(clip, RATE) for clip in clips))
    assert np.abs(clips[1]).max() <= 1


def test_a_kind_is_left_out_as_often_as_its_probability_says():
    count = 0
    for seed in range(300):
        log: list[tuple[str, str]] = []
        config = AugmentConfig(speed_probability=0.25, noise_probability=0)
        augment(burst(), config, material(), rng(seed), RATE, log)
        count += "speed" in dict(log)
    assert 55 <= count <= 95


def test_the_log_follows_the_sound():
    config = AugmentConfig(**{f"{name}_probability": 1.0 for name in KINDS}, noise_probability=1)
    log: list[tuple[str, str]] = []
    augment(burst(), config, material(), rng(), RATE, log)
    assert [name for name, _ in log] == [
        "pitch", "speed", "shift", "room", "babble", "noise",
        "equalizer", "band", "clipping", "gain", "codec",
    ]  # fmt: skip
    assert dict(log)["room"] == "echo"


def test_kinds_come_as_often_as_their_probability_says():
    config = AugmentConfig(**STILL, clipping_probability=0.3, codec_probability=0.6)
    names = []
    for seed in range(400):
        log: list[tuple[str, str]] = []
        augment(burst(), config, Material(), rng(seed), RATE, log)
        names += [name for name, _ in log]
    assert names.count("clipping") == pytest.approx(120, abs=30)
    assert names.count("codec") == pytest.approx(240, abs=30)


def test_everything_on_is_decided_by_the_seed_alone():
    config = AugmentConfig(**{f"{name}_probability": 0.7 for name in KINDS})
    for seed in range(5):
        one, two = (augment(burst(), config, material(), rng(seed), RATE) for _ in range(2))
        assert one.tobytes() == two.tobytes()
        assert np.abs(one).max() <= 1.0


def test_a_shift_brings_in_what_a_long_recording_has_beside_the_clip():
    recording = np.full(2 * RATE, 0.25, np.float32)
    config = AugmentConfig(**{**STILL, "shift_ms": 200})
    for seed in range(5):
        clip = augment_clip(recording, RATE, config, Material(), rng(seed), RATE)
        assert np.array_equal(clip, np.full(RATE, 0.25, np.float32))


def test_silence_goes_through_the_device_alone():
    noise = coloured_noise(RATE, 1.0, rng(), RATE)
    log: list[tuple[str, str]] = []
    assert through_device(noise, AugmentConfig(), rng(), RATE, log) is noise
    config = AugmentConfig(**{f"{name}_probability": 1.0 for name in KINDS})
    heard = through_device(noise, config, rng(), RATE, log)
    assert [name for name, _ in log] == ["equalizer", "band", "codec"]
    assert heard.shape == noise.shape
    assert not np.array_equal(heard, noise)


@pytest.mark.parametrize("snr_db", [-3.0, 8.0, 20.0])
def test_babble_is_mixed_at_its_ratio_to_the_loud_part(snr_db):
    config = AugmentConfig(
        **STILL, babble_probability=1, babble_snr_db=(snr_db, snr_db), babble_voices=(4, 4)
    )
    signal = 0.1 * burst()  # nothing is clipped
    log: list[tuple[str, str]] = []
    heard = augment(signal, config, material(), rng(), RATE, log)
    loud_db = 10 * np.log10(loud_power(signal, RATE))
    assert loud_db - power_db(heard - signal) == pytest.approx(snr_db, abs=0.1)
    assert log[2] == ("babble", f"4 voices, SNR {snr_db:.1f} dB")


def test_noise_is_mixed_at_its_ratio_to_the_loud_part():
    config = AugmentConfig(**{**STILL, "noise_probability": 1}, snr_db=(6, 6))
    signal = 0.1 * burst()
    heard = augment(signal, config, material(), rng(), RATE)
    loud_db = 10 * np.log10(loud_power(signal, RATE))
    assert loud_db - power_db(heard - signal) == pytest.approx(6, abs=0.1)


def test_babble_holds_as_many_voices_as_asked_for():
    time = np.arange(4000) / RATE
    tones = [np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in (400, 800, 1600)]
    for count, lines in ((1, 1), (2, 2), (3, 3), (9, 3)):
        mixed = babble(tones, count, RATE, rng(1), RATE)
        spectrum = np.abs(np.fft.rfft(mixed))[[400, 800, 1600]]
        assert (spectrum > 0.2 * spectrum.max()).sum() == lines
        assert np.sqrt(np.mean(mixed**2)) == pytest.approx(0.1, rel=1e-4)
    silent = babble([np.zeros(100, np.float32)], 2, 50, rng(), RATE)
    assert np.array_equal(silent, np.zeros(50, np.float32))


def test_the_loud_part_is_the_frames_near_the_loudest():
    assert loud_part(burst(), RATE).shape == (10, 320)
    assert loud_part(np.zeros(0, np.float32), RATE).size == 0
    assert loud_power(np.zeros(0, np.float32), RATE) == 0.0


def pitch_of(audio):
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 1 << 18))
    return np.argmax(spectrum) * RATE / (1 << 18)


@pytest.mark.parametrize("semitones", [-12.0, -3.0, 0.5, 4.0])
@pytest.mark.parametrize("hertz", [120, 440, 2500])
def test_pitch_moves_a_tone_by_semitones_and_keeps_its_length(hertz, semitones):
    tone = (0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).astype(np.float32)
    audio = change_pitch(tone, semitones, RATE)
    assert audio.shape == tone.shape
    assert audio.dtype == np.float32
    assert 12 * np.log2(pitch_of(audio) / hertz) == pytest.approx(semitones, abs=0.05)
    assert power_db(audio[2000:-2000]) == pytest.approx(power_db(tone), abs=0.2)


@pytest.mark.parametrize("semitones", [-4.0, 4.0])
def test_pitch_leaves_a_word_where_it_is(semitones):
    audio = change_pitch(burst(), semitones, RATE)
    there = np.flatnonzero(np.abs(audio) > 0.03)
    assert there[0] == pytest.approx(6400, abs=200)
    assert there[-1] == pytest.approx(9600, abs=200)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.3, 2.0])
def test_stretch_changes_length_and_not_pitch(factor):
    tone = (0.3 * np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)).astype(np.float32)
    audio = stretch(tone, factor, RATE)
    assert len(audio) == RATE * factor
    assert pitch_of(audio) == pytest.approx(300, abs=2)


@pytest.mark.parametrize("samples", [0, 1, 5, 100, 700])
def test_pitch_of_hardly_anything(samples):
    for rate in (4000, 48000):
        for semitones in (-12, 7):
            assert len(change_pitch(np.ones(samples, np.float32), semitones, rate)) == samples


class Fixed:
    """Stands for a generator that draws these shares and this order."""

    def beta(self, first, second, count):
        assert (first, second, count) == (0.4, 0.4, 3)
        return np.array([0.25, 1.0, 0.5])

    def permutation(self, count):
        assert count == 3
        return np.array([2, 0, 1])


def test_mixup_by_hand():
    features = np.array([[[1.0, 0.0]], [[5.0, 4.0]], [[9.0, 8.0]]], np.float32)
    mixed, soft = mixup(features, np.eye(3, dtype=np.float32), 0.4, Fixed())
    assert mixed.tolist() == [[[7, 6]], [[5, 4]], [[7, 6]]]
    assert soft.tolist() == [[0.25, 0, 0.75], [0, 1, 0], [0, 0.5, 0.5]]
    assert (mixed.dtype, soft.dtype) == (np.float32, np.float32)
    assert features[0].tolist() == [[1, 0]]


def test_mixup_repeats():
    features, targets = rng().normal(0, 1, (8, 3, 2)), np.eye(8)
    one, two = (mixup(features, targets, 1.0, rng(5)) for _ in range(2))
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])


def test_mixup_of_alpha_0_draws_and_changes_nothing():
    features, targets, draws = np.ones((4, 3, 2), np.float32), np.eye(4, dtype=np.float32), rng(1)
    mixed, soft = mixup(features, targets, 0.0, draws)
    assert mixed is features
    assert soft is targets
    assert draws.random() == rng(1).random()


def test_small_alpha_leaves_most_clips_nearly_alone():
    soft = mixup(np.zeros((2000, 1, 1)), np.tile(np.eye(2), (1000, 1)), 0.1, rng())[1]
    kept = soft.max(axis=1)
    assert (kept > 0.95).mean() > 0.7
    assert soft.sum(axis=1) == pytest.approx(np.ones(2000))


def recipe_with(**augment_values):
    values = {"name": "a", "data": {"keywords": ["yes"]}, "model": {"units": [4]}}
    return parse_recipe({**values, "augment": augment_values}, "recipe.yaml")


def test_a_recipe_holds_every_kind():
    config = recipe_with(codecs=["mp3"], babble_voices=[2, 3], band_low_hz=[50, 90.0]).augment
    assert config.codecs == ("mp3",)
    assert config.babble_voices == (2, 3)
    assert all(getattr(AugmentConfig(), f"{kind}_probability") == 0 for kind in KINDS)
    assert AugmentConfig().mixup_alpha == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pitch_semitones": [3, -3]}, "pitch_semitones: 3.0 to -3.0 is not a range from low"),
        ({"pitch_semitones": [-13, 0]}, "expected a range within -12 to 12"),
        ({"room_rt60_s": [0.01, 0.5]}, r"room_rt60_s: found \(0.01, 0.5\), expected .* 0.1 to 3"),
        ({"babble_voices": [0, 3]}, "babble_voices"),
        ({"band_low_hz": [300, 3000]}, "band's low end must lie below"),
        ({"clipping_share": [0, 1.0]}, "within 0 to 0.9"),
        ({"codecs": []}, "augment.codecs"),
        ({"codecs": ["flac"]}, "augment.codecs"),
        ({"room_probability": 1.5}, "augment.room_probability"),
        ({"mixup_alpha": -1}, "augment.mixup_alpha"),
        ({"noise_folder": ""}, "augment.noise_folder"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(RecipeError, match=message):
        recipe_with(**values)


@pytest.fixture
def noise_folder(tmp_path):
    for index in range(4):
        folder = tmp_path / "noises" / f"kind{index % 2}"
        io.write(folder / f"{index}.wav", np.full(RATE, 0.1 * (index + 1)), RATE)
    (tmp_path / "noises" / "readme.txt").write_text("noises")
    return tmp_path / "noises"


def test_a_noise_folder_adds_to_the_recordings(noise_folder):
    config = AugmentConfig(noise_folder=str(noise_folder))
    own = np.ones(5, np.float32)
    noises = gather_material(config, [own], (), (), 1, RATE).noises
    assert noises[0] is own
    levels = sorted(round(float(noise.mean()), 2) for noise in noises[1:])
    assert levels == [0.1, 0.2, 0.3, 0.4]
    assert len(material_files(config)) == 4
    off = AugmentConfig(noise_folder=str(noise_folder), noise_probability=0)
    assert material_files(off) == []
    assert gather_material(off, [], (), (), 1, RATE).noises == []


def test_of_a_large_noise_folder_pieces_are_taken(noise_folder, monkeypatch):
    monkeypatch.setattr("kws.data.material.NOISE_S", 1.0)
    monkeypatch.setattr("kws.data.material._SHORTEST_NOISE_S", 0.4)
    config = AugmentConfig(noise_folder=str(noise_folder))
    found = gather_material(config, [], (), (), 1, RATE).noises
    assert [len(noise) for noise in found] == [6400, 6400, 6400]
    same = gather_material(config, [], (), (), 1, RATE).noises
    assert all(np.array_equal(a, b) for a, b in zip(found, same, strict=True))


def test_bad_folders_are_refused(noise_folder, tmp_path):
    def refuse(match, **values):
        with pytest.raises(DataError, match=match):
            gather_material(AugmentConfig(**values), [], (), (), 1, RATE)

    gone, empty = str(tmp_path / "gone"), tmp_path / "empty"
    empty.mkdir()
    (empty / "a.txt").touch()
    refuse("augment.noise_folder: .*gone: no such folder", noise_folder=gone)
    refuse("impulse_folder: .*gone: no such", impulse_folder=gone, room_probability=1)
    refuse("no sound file among 1 files", noise_folder=str(empty))
    (noise_folder / "broken.wav").touch()
    refuse("augment.noise_folder: .*broken.wav: an empty file", noise_folder=str(noise_folder))
    io.write(empty / "silent.wav", np.zeros(100), RATE)
    refuse("silent.wav: silent, expected an", impulse_folder=str(empty), room_probability=1)


def test_an_impulse_folder_replaces_made_rooms(tmp_path):
    response = np.array([0.0, 0.01, -0.5, 0.25, 0.125])
    io.write(tmp_path / "hall.wav", response, RATE)
    config = AugmentConfig(impulse_folder=str(tmp_path), room_probability=1)
    rooms = gather_material(config, [], (), (), 1, RATE).rooms
    assert [room.name for room in rooms] == ["hall.wav"]
    assert rooms[0].response == pytest.approx([1.0, -0.5, -0.25], abs=1e-3)


def test_voices_are_chosen_by_the_seed_and_unreadable_ones_left_out(tmp_path):
    pieces = [(tmp_path / f"{index}.wav", 0.0, None) for index in range(1000)]
    on = AugmentConfig(babble_probability=0.5)
    chosen = pick_voices(pieces, on, 1)
    assert len(set(chosen)) == 400
    assert chosen == pick_voices(pieces, on, 1)
    assert chosen != pick_voices(pieces, on, 2)
    assert pick_voices(pieces, AugmentConfig(), 1) == ()
    io.write(tmp_path / "0.wav", np.full(RATE, 0.5), RATE)
    read = gather_material(on, [], [(tmp_path / "0.wav", 0.5, 0.25), pieces[1]], (), 1, RATE).voices
    assert [len(voice) for voice in read] == [4000]

"""Equalizer, band, overdrive and codecs do to tones what they say."""

import numpy as np
import pytest
import soundfile

from kws.audio.channel import band_pass, equalize, fast_length, octaves_hz, overdrive, tilt
from kws.audio.codec import round_to_int16, through_codec
from kws.errors import RecipeError
from kws.recipe import AugmentConfig

RATE = 16000
CODECS = ("int16", "telephone", "adpcm", "gsm", "vorbis", "mp3")
INSIDE = slice(2000, -2000)


def tone(hertz: float, level: float = 0.3, rate: int = RATE) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)).astype(np.float32)


def gain_db(change, hertz: float) -> float:
    """By how many dB a change makes a tone louder, off its ends."""
    before, after = tone(hertz), change(tone(hertz))
    assert after.shape == before.shape
    assert after.dtype == np.float32
    return 20 * np.log10(max(np.std(after[INSIDE]), 1e-9) / np.std(before[INSIDE]))


def word() -> np.ndarray:
    """A fifth of a second of a buzz, in silence."""
    audio = np.zeros(RATE, np.float32)
    audio[6400:9600] = sum(tone(h, 0.4 / h * 300)[:3200] for h in range(300, 3000, 150)) * 0.3
    return audio


def test_octaves():
    assert octaves_hz(8).tolist() == [62.5, 125, 250, 500, 1000, 2000, 4000, 8000]


@pytest.mark.parametrize(
    ("hertz", "expected"),
    [(62.5, -6), (125, 3), (250, 0), (500, 0), (1000, 2), (1414.2, 4), (2000, 6), (4000, -12)],
)
def test_the_equalizer_has_its_gains_at_the_octaves_and_lines_between(hertz, expected):
    curve = np.array([-6.0, 3, 0, 0, 2, 6, -12, 0])
    assert gain_db(lambda audio: equalize(audio, curve, RATE), hertz) == pytest.approx(
        expected, abs=0.3
    )


@pytest.mark.parametrize("hertz", [125, 500, 1000, 4000])
def test_a_tilt_is_so_many_db_an_octave(hertz):
    curve = tilt(np.zeros(8), 2.0)
    expected = 2 * np.log2(hertz / 1000)
    assert gain_db(lambda audio: equalize(audio, curve, RATE), hertz) == pytest.approx(
        expected, abs=0.1
    )


def test_a_level_curve_changes_nothing():
    assert equalize(word(), np.zeros(8), RATE) == pytest.approx(word(), abs=1e-6)


@pytest.mark.parametrize(
    ("hertz", "expected"), [(1000, 0), (300, -3), (3000, -3), (150, -24), (6000, -24)]
)
def test_a_band_ends_at_its_edges_with_24_db_an_octave(hertz, expected):
    found = gain_db(lambda audio: band_pass(audio, 300, 3000, RATE), hertz)
    assert found == pytest.approx(expected, abs=0.2)


def test_filters_do_not_bring_the_end_back_to_the_beginning():
    audio = np.zeros(RATE, np.float32)
    audio[-50:] = 0.5
    for change in (
        lambda audio: band_pass(audio, 300, 3000, RATE),
        lambda audio: equalize(audio, tilt(np.zeros(8), 3.0), RATE),
    ):
        assert np.abs(change(audio)[:4000]).max() < 1e-3


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_overdrive_cuts_off_its_share_of_the_loud_part(share):
    audio = np.zeros(RATE, np.float32)
    audio[6400:9600] = np.random.default_rng(0).normal(0, 0.1, 3200)
    cut = overdrive(audio, share, RATE)
    at_limit = np.abs(cut) == np.abs(cut).max()
    assert at_limit.sum() / 3200 == pytest.approx(share, abs=0.002)
    assert np.array_equal(cut[~at_limit], audio[~at_limit])
    assert np.array_equal(np.sign(cut), np.sign(audio))


def test_overdrive_of_no_share_of_silence_and_of_nothing():
    assert np.array_equal(overdrive(word(), 0.0, RATE), word())
    assert not overdrive(np.zeros(400, np.float32), 0.1, RATE).any()
    assert overdrive(np.zeros(0, np.float32), 0.1, RATE).shape == (0,)


def test_rounding_to_16_bits():
    audio = np.array([0.0, 0.4, 0.6, -0.6, 32768.0, -40000.0]) / 32768
    assert (round_to_int16(audio.astype(np.float32)) * 32768).tolist() == [
        0, 0, 1, -1, 32767, -32768
    ]  # fmt: skip


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_keeps_length_place_and_most_of_a_word(codec):
    audio = word()
    heard = through_codec(audio, codec, RATE)
    assert heard.shape == audio.shape
    assert heard.dtype == np.float32
    assert not np.array_equal(heard, audio)
    delays = range(-200, 201)
    likeness = [float(np.dot(np.roll(heard, -delay), audio)) for delay in delays]
    assert delays[int(np.argmax(likeness))] == pytest.approx(0, abs=8)
    assert max(likeness) / np.linalg.norm(heard) / np.linalg.norm(audio) > 0.8
    assert heard.tobytes() == through_codec(audio, codec, RATE).tobytes()


@pytest.mark.parametrize("codec", ["telephone", "gsm"])
def test_a_telephone_kills_what_lies_outside_its_band(codec):
    def call(audio):
        return through_codec(audio, codec, RATE)

    assert gain_db(call, 1000) == pytest.approx(0, abs=1.0)
    for hertz in (80, 4000, 5000, 7000):
        assert gain_db(call, hertz) < -35


def test_mu_law_noise_follows_the_level():
    """8 logarithmic bits: a signal-to-noise ratio near 38 dB for loud and soft alike (G.711)."""
    for level in (0.5, 0.05):
        audio = tone(1000.3, level)
        ratio = np.std(audio) / np.std((through_codec(audio, "telephone", RATE) - audio)[INSIDE])
        assert 20 * np.log10(ratio) == pytest.approx(37, abs=4)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("rate", [4000, 22050, 48000])
def test_codecs_at_other_rates(codec, rate):
    audio = tone(700, 0.3, rate)
    heard = through_codec(audio, codec, rate)
    assert heard.shape == audio.shape
    ratio_db = 20 * np.log10(np.std(heard[rate // 4 : -rate // 4]) / np.std(audio))
    assert ratio_db == pytest.approx(0, abs=2)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("samples", [0, 1, 30, 1000])
def test_codecs_of_hardly_anything(codec, samples):
    assert through_codec(np.zeros(samples, np.float32), codec, RATE).shape == (samples,)


def test_a_codec_that_this_machine_lacks_is_told(monkeypatch):
    def lacking(*_, **__):
        raise soundfile.LibsndfileError(1)

    monkeypatch.setattr("kws.audio.codec.soundfile.write", lacking)
    with pytest.raises(RecipeError, match=r"augment.codecs: libsndfile .* cannot write mp3"):
        through_codec(word(), "mp3", RATE)


def test_every_codec_of_a_recipe_is_one_that_there_is():
    assert set(AugmentConfig().codecs) <= set(CODECS)
    assert AugmentConfig(codecs=CODECS).codecs == CODECS


def test_fast_lengths():
    for samples in (0, 1, 2, 7, 16, 17, 1000, 19200, 30719, 65537):
        length = fast_length(samples)
        assert samples <= length <= max(2, samples * 1.13)

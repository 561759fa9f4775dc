"""Sound files: what is read, and what is refused in one clear line."""

import struct

import numpy as np
import pytest
import soundfile

from kws.audio import io
from kws.errors import AudioError, StorageError

RATE = 16000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "tone.wav"
    io.write(path, TONE, RATE)
    return path


def test_written_and_read_back_within_half_a_step(tmp_path):
    for suffix in (".wav", ".flac"):
        path = tmp_path / f"tone{suffix}"
        io.write(path, TONE, RATE)
        audio = io.read(path, RATE)
        assert audio.dtype == np.float32
        assert np.abs(audio - TONE).max() <= 0.5 / 32768 + 1e-7


def test_write_clips_beyond_full_scale(tmp_path):
    io.write(tmp_path / "a.wav", np.array([-3.0, -1.0, 0.0, 1.0, 3.0]), RATE)
    samples, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert samples.tolist() == [-32768, -32768, 0, 32767, 32767]


def test_write_to_an_impossible_place(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"a\.wav: cannot be written"):
        io.write(tmp_path / "file" / "a.wav", TONE, RATE)


def test_ogg_is_read(tmp_path):
    soundfile.write(tmp_path / "a.ogg", TONE, RATE)
    audio = io.read(tmp_path / "a.ogg", RATE)
    assert abs(len(audio) - RATE) <= 64
    assert np.sqrt(np.mean(audio**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_channels_are_averaged(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([TONE, -TONE, TONE], axis=1), RATE)
    assert np.abs(io.read(tmp_path / "a.wav", RATE) - TONE / 3).max() < 1e-4


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_any_rate_becomes_the_wanted_one(tmp_path, rate):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    soundfile.write(tmp_path / "a.wav", tone, rate)
    audio = io.read(tmp_path / "a.wav", RATE)
    assert abs(len(audio) - RATE) <= 1
    middle = slice(2000, 14000)  # resampling rings at the edges
    assert np.abs(audio[: len(TONE)][middle] - TONE[middle]).max() < 2e-3


def test_resampling_removes_what_the_lower_rate_cannot_hold(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 12000 * np.arange(48000) / 48000)
    soundfile.write(tmp_path / "a.wav", tone, 48000)
    assert np.abs(io.read(tmp_path / "a.wav", RATE)[2000:14000]).max() < 1e-3


def test_missing_empty_and_foreign_files(tmp_path):
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        io.read(tmp_path / "gone.wav", RATE)
    with pytest.raises(AudioError, match="a folder, expected a sound file"):
        io.read(tmp_path, RATE)
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioError, match=r"a\.wav: an empty file"):
        io.read(tmp_path / "a.wav", RATE)
    (tmp_path / "a.wav").write_text("not audio " * 50)
    with pytest.raises(AudioError, match=r"a\.wav: not readable as audio .* expected WAV, FLAC"):
        io.read(tmp_path / "a.wav", RATE)
    soundfile.write(tmp_path / "b.wav", np.zeros(0, np.float32), RATE)
    with pytest.raises(AudioError, match="holds no samples"):
        io.read(tmp_path / "b.wav", RATE)


@pytest.mark.parametrize("keep", [20, 44, 46, 3000, 31000, 32042])
def test_truncated_wav(wav, keep):
    wav.write_bytes(wav.read_bytes()[:keep])
    with pytest.raises(AudioError, match=r"tone\.wav: (cut short|not readable|holds no samples)"):
        io.read(wav, RATE)


def test_truncated_wav_with_a_long_chunk_before_the_samples(wav):
    whole = wav.read_bytes()
    junk = b"JUNK" + struct.pack("<I", 8001) + bytes(8002)
    wav.write_bytes(whole[:36] + junk + whole[36:])
    assert len(io.read(wav, RATE)) == RATE
    wav.write_bytes((whole[:36] + junk + whole[36:])[:20000])
    with pytest.raises(AudioError, match="cut short: 32000 bytes of samples announced"):
        io.read(wav, RATE)


def test_the_word_data_in_a_comment_is_no_data_chunk(wav):
    whole = wav.read_bytes()
    comment = b"INFOICMT" + struct.pack("<I", 12) + b"data\xff\xff\xff\x7fabcd"
    wav.write_bytes(
        whole[:36] + b"LIST" + struct.pack("<I", len(comment)) + comment + whole[36:]
    )  # fmt: skip
    assert len(io.read(wav, RATE)) == RATE


def test_streamed_wav_of_open_length_is_read(wav):
    data = bytearray(wav.read_bytes())
    data[40:44] = data[4:8] = b"\xff" * 4
    wav.write_bytes(data)
    assert len(io.read(wav, RATE)) == RATE


@pytest.mark.parametrize("suffix", [".flac", ".ogg"])
def test_truncated_compressed_files(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, TONE, RATE)
    data = path.read_bytes()
    for keep in (60, len(data) // 2):
        path.write_bytes(data[:keep])
        with pytest.raises(AudioError, match=r"a\.(flac|ogg): (not readable|cut short)"):
            io.read(path, RATE)


def test_flac_of_open_length(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, TONE, RATE)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # the 36 bits of STREAMINFO that count samples
    data[22:26] = bytes(4)
    path.write_bytes(data)
    with pytest.raises(AudioError, match="leaves the length open; encode it again"):
        io.read(path, RATE)


def test_zero_hertz_and_absurd_rates(wav):
    data = bytearray(wav.read_bytes())
    data[24:28] = struct.pack("<I", 0)
    wav.write_bytes(data)
    with pytest.raises(AudioError, match="no sampling rate above 0 Hz"):
        io.read(wav, RATE)
    data[24:28] = struct.pack("<I", 1)
    wav.write_bytes(data)
    with pytest.raises(AudioError, match="16000 s long"):
        io.read(wav, RATE)


def test_zero_hertz_flac(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, TONE, RATE)
    data = bytearray(path.read_bytes())
    data[18:20], data[20] = bytes(2), data[20] & 0x0F  # STREAMINFO's 20 bits of rate
    path.write_bytes(data)
    with pytest.raises(AudioError, match=r"a\.flac: "):
        io.read(path, RATE)


def test_longer_than_allowed(wav):
    assert len(io.read(wav, RATE, longest_s=1.0)) == RATE
    with pytest.raises(AudioError, match=r"1 s long, expected at most 0.4 s; cut it"):
        io.read(wav, RATE, longest_s=0.4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(tmp_path, value):
    audio = TONE.copy()
    audio[100] = value
    soundfile.write(tmp_path / "a.wav", audio, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match="not finite"):
        io.read(tmp_path / "a.wav", RATE)


def test_integers_stored_as_floats(tmp_path):
    soundfile.write(tmp_path / "a.wav", TONE * 32768, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"reach 1\.64e\+04, expected full scale at 1"):
        io.read(tmp_path / "a.wav", RATE)


def test_too_short_to_resample(tmp_path):
    soundfile.write(tmp_path / "a.wav", TONE[:1], 192000)
    with pytest.raises(AudioError, match="too short to be resampled"):
        io.read(tmp_path / "a.wav", RATE)


def test_fit_keeps_the_middle():
    audio = np.arange(1, 6, dtype=np.float32)
    assert io.fit(audio, 5).tolist() == [1, 2, 3, 4, 5]
    assert io.fit(audio, 8).tolist() == [0, 1, 2, 3, 4, 5, 0, 0]
    assert io.fit(audio, 3).tolist() == [2, 3, 4]
    assert io.fit(audio, 2).tolist() == [2, 3]
    assert io.fit(audio, 0).tolist() == []

"""Sound files: what is read, and what is refused in one clear line."""

import os
import struct
import tracemalloc

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


def wav_bytes(tag: int, data: bytes, bits: int = 16, align: int = 2, more: bytes = b"", channels=1):
    """A WAV file by the book: RIFF, fmt, data."""
    fmt = struct.pack("<HHIIHH", tag, channels, RATE, RATE * align, align, bits) + more
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


IMA = struct.pack("<hBx", 1000, 0) + bytes([0x87]) + bytes(251)
# Step 7: nibble 7 adds 7 + 3 + 1 + 0 and leads to step 16; 8 takes 16 / 8 off.
MICROSOFT = struct.pack("<Bhhh", 0, 16, 1000, 500) + bytes([0x1F]) + bytes(248)
# Predictor 0 repeats the last sample; 1 and -1 are steps of 16.


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (wav_bytes(1, bytes([0, 128, 255, 64]), 8, 1), [-1, 0, 127 / 128, -0.5]),
        (wav_bytes(1, b"\0\0\x80\0\0\x40\1\0\0", 24, 3), [-1, 0.5, 2**-23]),
        (wav_bytes(1, struct.pack("<iii", -(2**31), 2**30, 256), 32, 4), [-1, 0.5, 2**-23]),
        (wav_bytes(3, struct.pack("<fff", 0.25, -1.5, 1e-3), 32, 4), [0.25, -1.5, 1e-3]),
        (wav_bytes(3, struct.pack("<dd", 0.25, -1.5), 64, 8), [0.25, -1.5]),
        # G.711, table 2a and 1a: the codes of plus and minus nothing, and of the loudest.
        (wav_bytes(7, b"\xff\x80\x00", 8, 1), [0, 32124 / 32768, -32124 / 32768]),
        (wav_bytes(6, b"\xd5\x55\xaa\x2a", 8, 1), np.array([8, -8, 32256, -32256]) / 32768),
        (
            wav_bytes(17, IMA, 4, 256, struct.pack("<HH", 2, 505)),
            np.array([1000, 1011, 1009]) / 32768,
        ),
        (
            wav_bytes(2, MICROSOFT, 4, 256, struct.pack("<HHH14h", 32, 500, 7, 256, *[0] * 13)),
            np.array([500, 1000, 1016, 1000]) / 32768,
        ),
        (
            wav_bytes(1, struct.pack("<6h", 3000, 6000, 0, -3, 6, 0), 16, 6, channels=3),
            np.array([3000, 1]) / 32768,
        ),
    ],
    ids=["8", "24", "32", "float", "double", "mu-law", "A-law", "IMA", "Microsoft", "channels"],
)
def test_encodings_of_wav(tmp_path, data, expected):
    (tmp_path / "a.wav").write_bytes(data)
    audio = io.read(tmp_path / "a.wav", RATE)
    assert audio[: len(expected)] == pytest.approx(np.asarray(expected), abs=1e-7)


def test_gsm_in_wav_which_cannot_be_sought_in(tmp_path):
    soundfile.write(tmp_path / "a.wav", TONE, RATE, subtype="GSM610")
    audio = io.read(tmp_path / "a.wav", RATE)
    assert len(audio) == RATE
    assert np.sqrt(np.mean(audio**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


FORMATS = {
    "wav": {},
    "ima.wav": {"subtype": "IMA_ADPCM"},
    "gsm.wav": {"subtype": "GSM610"},
    "flac": {},
    "ogg": {},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {},
}


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    """Eight seconds whose every place sounds different, a file a format."""
    folder, time = tmp_path_factory.mktemp("sweeps"), np.arange(8 * RATE) / RATE
    loudness = 0.15 + 0.1 * np.sin(9 * time)
    sweep = loudness * np.sin(2 * np.pi * (300 + 200 * time) * time)
    for suffix, options in FORMATS.items():
        soundfile.write(folder / f"a.{suffix}", sweep, RATE, **options)
    return folder


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("block", [io._BLOCK, 5000])
def test_a_piece_is_what_the_whole_has_there(sweeps, suffix, block, monkeypatch):
    path = sweeps / f"a.{suffix}"
    with soundfile.SoundFile(path) as file:
        whole = file.read(file.frames, dtype="float32")
    monkeypatch.setattr(io, "_BLOCK", block)
    assert np.array_equal(io.read(path, RATE), whole)
    for start_s, duration_s in ((0.0, 0.5), (2.5001, 1.0), (5.5, 0.01), (6.25, 1.6), (7.5, 0.5)):
        first, count = round(start_s * RATE), round(duration_s * RATE)
        piece = io.read(path, RATE, start_s=start_s, duration_s=duration_s)
        assert np.array_equal(piece, whole[first : first + count]), start_s
    assert np.array_equal(io.read(path, RATE, start_s=7.25), whole[round(7.25 * RATE) :])
    assert len(io.read(path, 8000, start_s=1, duration_s=2)) == 16000


@pytest.mark.parametrize(
    ("suffix", "decoded_s"), [("wav", 1), ("flac", 1), ("opus", 1), ("ogg", 7), ("mp3", 7)]
)
def test_only_what_must_be_is_decoded(sweeps, suffix, decoded_s, monkeypatch):
    counts = []
    read = io._Forward.read

    def counted(self, frames, **options):
        counts.append(frames)
        return read(self, frames, **options)

    monkeypatch.setattr(io._Forward, "read", counted)
    io.read(sweeps / f"a.{suffix}", RATE, start_s=6, duration_s=1)
    assert sum(counts) == decoded_s * RATE


def test_pieces_that_are_not_there(wav):
    with pytest.raises(
        AudioError, match=r"1\.00 s long, expected a piece of 0\.5 s that begins at"
    ):
        io.read(wav, RATE, start_s=0.6, duration_s=0.5)
    with pytest.raises(AudioError, match=r"expected a piece that begins at 1 s; correct its start"):
        io.read(wav, RATE, start_s=1)
    with pytest.raises(AudioError, match=r"a piece of 0\.01 s that begins at 1\.02 s"):
        io.read(wav, RATE, start_s=1.02, duration_s=0.01)
    assert len(io.read(wav, RATE, start_s=0.6, duration_s=0.44)) == 0.4 * RATE  # rounded times
    assert len(io.read(wav, RATE, 0.5, start_s=0.2, duration_s=0.5)) == 0.5 * RATE
    with pytest.raises(AudioError, match=r"1 s long, expected at most 0\.5 s"):
        io.read(wav, RATE, 0.5, start_s=0.2, duration_s=0.6)


@pytest.mark.parametrize("name", ["flac", "ogg", "opus", "mp3"])
def test_the_content_decides_not_the_name(sweeps, tmp_path, name):
    lie = tmp_path / "a.wav"
    lie.write_bytes((sweeps / f"a.{name}").read_bytes())
    assert np.array_equal(io.read(lie, RATE), io.read(sweeps / f"a.{name}", RATE))
    tagged = tmp_path / "b.wav"
    if name == "mp3":  # as players write it: a tag before the sound
        tagged.write_bytes(b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + lie.read_bytes())
        assert np.array_equal(io.read(tagged, RATE), io.read(lie, RATE))


def mp3_frames(data: bytes) -> list[bytes]:
    """The frames of an MP3 of MPEG 2 at 16 kHz, by the header's bit rate and padding."""
    rates = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    frames = []
    while data:
        assert data[:2] == b"\xff\xf3"
        size = 72 * rates[data[2] >> 4] * 1000 // RATE + (data[2] >> 1 & 1)
        frames.append(data[:size])
        data = data[size:]
    return frames


def test_mp3_that_does_not_say_its_length(tmp_path):
    path, time = tmp_path / "a.mp3", np.arange(3 * RATE) / RATE
    tone = np.sin(2 * np.pi * 440 * time) * 0.3
    soundfile.write(path, tone, RATE, bitrate_mode="CONSTANT", compression_level=0.5)
    about, *frames = mp3_frames(path.read_bytes())
    assert b"Info" in about
    for before, after in ((b"", b""), (b"ID3\4\0\0\0\0\2\0" + bytes(256), b"TAG" + bytes(125))):
        path.write_bytes(before + b"".join(frames) + after)
        assert len(io.read(path, RATE)) == len(frames) * 576
        assert io.length_s(path) == len(frames) * 576 / RATE
    # Of varying rate, libsndfile takes the first frame's for all: too long a guess is mended.
    for heard, readable in ((time > 1, True), (time < 1, False)):
        soundfile.write(path, tone * heard, RATE, bitrate_mode="VARIABLE")
        _, *frames = mp3_frames(path.read_bytes())
        assert len({len(frame) for frame in frames}) > 1
        path.write_bytes(b"".join(frames))
        if readable:
            assert len(io.read(path, RATE)) == len(frames) * 576
        else:
            with pytest.raises(AudioError, match="varying bit rate that does not say its length"):
                io.read(path, RATE)


def test_a_cut_mp3(sweeps, tmp_path):
    data = (sweeps / "a.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match="cut short: 128000 samples announced"):
        io.read(tmp_path / "a.mp3", RATE)
    (tmp_path / "a.mp3").write_bytes(data[:300])
    with pytest.raises(AudioError, match=r"a\.mp3: (not readable as audio|cut short)"):
        io.read(tmp_path / "a.mp3", RATE)


def test_length(sweeps, tmp_path):
    assert io.length_s(sweeps / "a.wav") == io.length_s(sweeps / "a.mp3") == 8.0
    with pytest.raises(AudioError, match="no such file"):
        io.length_s(tmp_path / "gone.wav")


@pytest.mark.parametrize(
    "name", ["はい.wav", "да нет.wav", "نعم.flac", "a\nb.wav", "🙂.flac", "%s{0}.wav"]
)
def test_names_in_any_script(tmp_path, name):
    io.write(tmp_path / name, TONE, RATE)
    assert len(io.read(tmp_path / name, RATE)) == RATE


def test_names_that_are_not_utf8(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    io.write(path, TONE, RATE)
    assert len(io.read(path, RATE)) == RATE


def test_raw_samples(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    with pytest.raises(AudioError, match=r"a\.raw: samples without a header; expected WAV"):
        io.read(tmp_path / "a.raw", RATE)


def test_pipes_loops_and_formats_that_are_no_recordings(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioError, match=r"pipe\.wav: a pipe or a device"):
        io.read(tmp_path / "pipe.wav", RATE)
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    with pytest.raises(AudioError, match=r"loop\.wav: cannot be read \(Too many levels"):
        io.read(tmp_path / "loop.wav", RATE)
    soundfile.write(tmp_path / "a.sds", TONE, RATE)  # libsndfile prints while it decodes these
    (tmp_path / "a.sds").rename(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=r"a\.wav: holds SDS \(Midi .*; expected WAV, FLAC"):
        io.read(tmp_path / "a.wav", RATE)


def lying_flac(path, rate: int, samples: int, channels: int = 8) -> None:
    """A FLAC whose header claims all that, and that holds a second."""
    soundfile.write(path, np.zeros((RATE, channels)), RATE)
    data = bytearray(path.read_bytes())
    bits = int.from_bytes(data[18:26], "big") & ~(0xFFFFF << 44) & ~(2**36 - 1)
    data[18:26] = (bits | rate << 44 | samples).to_bytes(8, "big")
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("rate", "samples", "message"),
    [
        (655350, 2**30, "claims 655350 Hz, expected up to 384000"),
        (RATE, 2**36 - 1, "s long, expected at most 600 s"),
        (384000, 384000 * 599, "not readable|cut short"),
    ],
)
def test_a_header_that_lies_takes_no_memory(tmp_path, rate, samples, message):
    lying_flac(tmp_path / "a.flac", rate, samples)
    tracemalloc.start()
    try:
        with pytest.raises(AudioError, match=message):
            io.read(tmp_path / "a.flac", RATE)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()

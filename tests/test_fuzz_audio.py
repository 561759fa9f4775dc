"""Broken sound files by the hundred: audio or an AudioError, never a crash, never a wait."""

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kws.audio import io
from kws.errors import AudioError

RATE = 16000
KINDS = {
    "pcm16.wav": {},
    "pcm24.wav": {"subtype": "PCM_24"},
    "float.wav": {"subtype": "FLOAT"},
    "mulaw.wav": {"subtype": "ULAW"},
    "ima.wav": {"subtype": "IMA_ADPCM"},
    "ms.wav": {"subtype": "MS_ADPCM"},
    "gsm.wav": {"subtype": "GSM610"},
    "rf64.wav": {"format": "RF64"},
    "a.flac": {},
    "a.ogg": {},
    "a.opus": {"format": "OGG", "subtype": "OPUS"},
    "a.mp3": {},
}
SIZES = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0"]
"""What a length, a rate or a number of channels may say that it should not."""


@pytest.fixture(scope="module")
def valid(tmp_path_factory) -> dict[str, bytes]:
    """A quarter of a second in each format, mono and stereo."""
    folder, time = tmp_path_factory.mktemp("valid"), np.arange(RATE // 4) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 440 * time)
    files = {}
    for name, options in KINDS.items():
        soundfile.write(folder / name, tone, RATE, **options)
        files[name] = (folder / name).read_bytes()
        if name != "gsm.wav":
            soundfile.write(folder / name, np.stack([tone, -tone[::-1]], 1), RATE, **options)
            files[f"2{name}"] = (folder / name).read_bytes()
    return files


NAME = st.sampled_from([*KINDS, *(f"2{name}" for name in KINDS if name != "gsm.wav")])
PLACE = st.integers(0, 63) | st.integers(0, 511) | st.integers(0, 2**14)
"""Headers are where most can go wrong."""
CHANGE = st.one_of(
    st.tuples(st.just("flip"), PLACE, st.integers(0, 7)),
    st.tuples(st.just("put"), PLACE, st.sampled_from(SIZES) | st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("insert"), PLACE, st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("remove"), PLACE, st.integers(1, 200)),
    st.tuples(st.just("cut"), PLACE, st.none()),
    st.tuples(st.just("splice"), PLACE, st.tuples(NAME, PLACE)),
)


def changed(data: bytearray, change: tuple, valid: dict[str, bytes]) -> bytearray:
    kind, place, what = change
    place = min(place, len(data))
    if kind == "flip" and place < len(data):
        data[place] ^= 1 << what
    elif kind == "put":
        data[place : place + len(what)] = what
    elif kind == "insert":
        data[place:place] = what
    elif kind == "remove":
        del data[place : place + what]
    elif kind == "cut":
        del data[place:]
    elif kind == "splice":
        other, start = what
        data[place:] = valid[other][start:]
    return data


def crc(page: bytes) -> int:
    """The checksum of an Ogg page, RFC 3533: polynomial 0x04C11DB7, not reflected."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x104C11DB7 if value & 0x80000000 else 0)
    return value


def with_right_checksums(data: bytearray) -> bytearray:
    """Ogg pages as a forger would leave them, so that the broken content is looked at."""
    at = data.find(b"OggS")
    while 0 <= at <= len(data) - 27:
        lacing = data[at + 26]
        end = at + 27 + lacing + sum(data[at + 27 : at + 27 + lacing])
        data[at + 22 : at + 26] = bytes(4)
        data[at + 22 : at + 26] = crc(data[at:end]).to_bytes(4, "little")
        at = data.find(b"OggS", at + 27)
    return data


def audio_or_error(path, *piece) -> None:
    """Read a file, whatever it is."""
    try:
        audio = io.read(path, RATE, 60.0, *piece)
    except AudioError as error:
        message = str(error)
    else:
        assert audio.dtype == np.float32
        assert audio.ndim == 1
        assert len(audio) > 0
        assert np.isfinite(audio).all()
        message = f"{path}: read"
    assert message.startswith(f"{path}: ")


QUICK = settings(derandomize=True, database=None, deadline=10_000)


def test_the_unbroken_ones_are_read(valid, tmp_path):
    for name, data in valid.items():
        (tmp_path / name).write_bytes(data)
        # GSM and ADPCM fill a last block.
        assert io.length_s(tmp_path / name) == pytest.approx(0.25, abs=0.04)
        assert len(io.read(tmp_path / name, RATE)) == pytest.approx(RATE / 4, abs=640)


def test_the_checksum_is_that_of_ogg(valid):
    for name in ("a.ogg", "a.opus"):
        assert bytes(with_right_checksums(bytearray(valid[name]))) == valid[name]


@settings(QUICK, max_examples=1200)
@given(
    NAME,
    st.lists(CHANGE, min_size=1, max_size=6),
    st.sampled_from([(), (), (0.1,), (0.0, 0.05), (0.1, 0.1), (0.2, 0.2)]),
    st.sampled_from(["", "", ".wav", ".mp3", ".ogg"]),
)
@example("2pcm16.wav", [("put", 22, b"\xff\xff")], (), "")  # channels
@example("a.flac", [("put", 21, b"\xff\xff\xff\xff\xff")], (0.1, 0.1), "")  # samples
@example("ima.wav", [("put", 32, b"\0\0")], (), "")  # bytes a block
def test_broken_files(valid, tmp_path_factory, name, changes, piece, suffix):
    data = bytearray(valid[name])
    for change in changes:
        data = changed(data, change, valid)
    if len(data) < 4000:
        data = with_right_checksums(data)
    path = tmp_path_factory.getbasetemp() / f"fuzz-{name}{suffix}"
    path.write_bytes(data)
    audio_or_error(path, *piece)


@settings(QUICK, max_examples=200)
@given(
    st.sampled_from(
        [b"", b"RIFF\xff\xff\0\0WAVE", b"fLaC\0\0\0\x22", b"OggS\0\2", b"\xff\xfb", b"ID3"]
    ),
    st.binary(max_size=400),
    st.sampled_from([".wav", ".flac", ".ogg", ".opus", ".mp3"]),
)
def test_anything_at_all(tmp_path_factory, start, rest, suffix):
    path = tmp_path_factory.getbasetemp() / f"anything{suffix}"
    path.write_bytes(start + rest)
    audio_or_error(path)

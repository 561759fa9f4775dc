"""What the headers of sound files claim, held against the files: libsndfile mends or guesses."""

import mmap
import os
import stat
from pathlib import Path

from kws.errors import AudioError

# MPEG audio layer III frame headers, ISO 11172-3 2.4.2.3 and ISO 13818-3, by the version's bits:
# 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5.
_RATES_HZ = {
    3: (44100, 48000, 32000),
    2: (22050, 24000, 16000),
    0: (11025, 12000, 8000),
}
_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAYS_LENGTH = (b"Xing", b"Info", b"VBRI")
EXPECTED = "WAV, FLAC, Ogg or MP3"
_LOOK_FOR_IT = 64
"""Bytes of the first frame in which one of these begins."""


def check_file(path: Path) -> None:
    """Refuse what is no file with something in it; opening a pipe would wait for ever.

    Raises
    ------
    AudioError
        When it is missing, empty, a folder, a pipe or a device, or has no header by its name.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file") from None
    if stat.S_ISDIR(found.st_mode):
        raise AudioError(f"{path}: a folder, expected a sound file")
    if not stat.S_ISREG(found.st_mode):
        raise AudioError(f"{path}: a pipe or a device, expected a sound file")
    if found.st_size == 0:
        raise AudioError(f"{path}: an empty file, expected a recording; remove or replace it")
    if path.suffix.lower() == ".raw":
        raise AudioError(f"{path}: samples without a header; expected {EXPECTED}")


def check_wav_length(path: Path) -> None:
    """Refuse a WAV file whose data chunk announces more bytes than the file has.

    libsndfile mends such a header silently and gives the part that is there.

    Raises
    ------
    AudioError
        When bytes are missing.
    """
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(12)[:4] != b"RIFF":
            return
        while len(header := file.read(8)) == 8:
            announced = int.from_bytes(header[4:], "little")
            if header[:4] == b"data":
                break
            file.seek(announced + announced % 2, 1)  # chunks begin at even places
        else:
            return
        there = size - file.tell()
    if there < announced < 0xFFFFFF00:  # a stream writes 0xFFFFFFFF for "unknown"
        raise AudioError(
            f"{path}: cut short: {announced} bytes of samples announced, {there} there; "
            "copy or record it again"
        )


def mp3_samples(path: Path) -> int | None:
    """Count the samples in an MP3 file that does not say how many it has.

    libsndfile guesses then, from the first frame's bit rate.

    Returns
    -------
    samples in the whole frames up to the first that is none; None where the file says its length,
    or does not begin with a frame of layer III.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = 0
        if data[:3] == b"ID3" and len(data) > 10:  # a tag; 7 bits of its length a byte
            at = 10 + sum(
                (byte & 0x7F) << shift
                for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True)
            )
        first = _frame(data, at)
        if first is None or any(mark in data[at : at + _LOOK_FOR_IT] for mark in _SAYS_LENGTH):
            return None
        samples = 0
        while (frame := _frame(data, at)) is not None and at + frame[0] <= len(data):
            at += frame[0]
            samples += frame[1]
        return samples


def _frame(data: mmap.mmap, at: int) -> tuple[int, int] | None:
    """Bytes and samples of the frame that begins at a place; None where there is no header."""
    header = int.from_bytes(data[at : at + 4], "big")
    version, layer = header >> 19 & 3, header >> 17 & 3
    index, rate_index, padding = header >> 12 & 15, header >> 10 & 3, header >> 9 & 1
    if header >> 21 != 0x7FF or version == 1 or layer != 1 or not 0 < index < 15 or rate_index == 3:
        return None
    kbps = (_KBPS_1 if version == 3 else _KBPS_2)[index]
    samples = 1152 if version == 3 else 576
    return samples // 8 * kbps * 1000 // _RATES_HZ[version][rate_index] + padding, samples

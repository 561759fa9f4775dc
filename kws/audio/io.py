"""Sound files in, checked float32 mono out; and the other way."""

from pathlib import Path

import numpy as np
import soundfile
import soxr

from kws.errors import AudioError, StorageError
from kws.files import whole

SUFFIXES = (".wav", ".flac", ".ogg")
LONGEST_S = 600.0
"""Longest file that is read whole, in seconds, where the caller sets no other limit."""
_UNKNOWN_LENGTH = 2**62
"""libsndfile says at least this many samples where a stream's header leaves the number open."""
_LOUDEST = 100.0


def read(path: Path, sample_rate_hz: int, longest_s: float = LONGEST_S) -> np.ndarray:
    """Read a sound file as mono at the wanted rate.

    Any channel count is averaged to mono and any rate is resampled (soxr, high quality).

    Parameters
    ----------
    path : WAV, FLAC or Ogg file.
    sample_rate_hz : wanted rate.
    longest_s : refuse longer files, before decoding them.

    Returns
    -------
    float32 (samples,), full scale is -1..1.

    Raises
    ------
    AudioError
        When the file is missing, empty, no audio, cut short, too long, or holds values that are
        not finite or far beyond full scale.
    """
    try:
        with soundfile.SoundFile(path) as file:
            rate, announced = file.samplerate, file.frames
            if announced >= _UNKNOWN_LENGTH:
                raise AudioError(f"{path}: its header leaves the length open; encode it again")
            if announced > longest_s * rate:
                raise AudioError(
                    f"{path}: {announced / rate:.0f} s long, expected at most {longest_s:g} s; "
                    "cut it into shorter files"
                )
            audio = file.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(_why_unreadable(path, error)) from error
    except (OSError, MemoryError) as error:
        raise AudioError(f"{path}: cannot be read ({error})") from error
    if len(audio) < announced:
        raise AudioError(f"{path}: cut short: {announced} samples announced, {len(audio)} there")
    _check_wav_length(path)
    if len(audio) == 0:
        raise AudioError(f"{path}: holds no samples; expected a recording, remove or replace it")
    _check_values(path, audio)
    mono = audio.mean(axis=1) if audio.shape[1] > 1 else audio[:, 0]
    if rate != sample_rate_hz:
        mono = soxr.resample(mono, rate, sample_rate_hz)
        if len(mono) == 0:
            raise AudioError(
                f"{path}: {len(audio)} samples at {rate} Hz, too short to be resampled"
            )
    return np.ascontiguousarray(mono, dtype=np.float32)


def write(path: Path, audio: np.ndarray, sample_rate_hz: int) -> None:
    """Write mono float audio (-1..1, clipped beyond) as 16-bit WAV or FLAC, whole or not at all."""
    pcm = np.round(np.clip(audio, -1, 32767 / 32768) * 32768).astype(np.int16)
    with whole(path) as temporary:
        try:
            soundfile.write(temporary, pcm, sample_rate_hz, subtype="PCM_16")
        except soundfile.LibsndfileError as error:
            raise StorageError(f"{path}: cannot be written ({error.error_string})") from error


def fit(audio: np.ndarray, samples: int) -> np.ndarray:
    """Pad with zeros or cut at both ends alike, so that the middle stays in the middle.

    Speech Commands clips that are shorter than a second are padded this way.
    """
    missing = samples - len(audio)
    if missing >= 0:
        return np.pad(audio, (missing // 2, missing - missing // 2))
    start = -missing // 2
    return audio[start : start + samples]


def _why_unreadable(path: Path, error: soundfile.LibsndfileError) -> str:
    if not path.exists():
        return f"{path}: no such file"
    if path.is_dir():
        return f"{path}: a folder, expected a sound file"
    if path.stat().st_size == 0:
        return f"{path}: an empty file, expected a recording; remove or replace it"
    reason = error.error_string.rstrip(".")
    if "SF_INFO" in reason:  # libsndfile's words for a rate that is 0 or negative
        reason = "its header gives no sampling rate above 0 Hz"
    return f"{path}: not readable as audio ({reason}); expected WAV, FLAC or Ogg"


def _check_values(path: Path, audio: np.ndarray) -> None:
    if not np.isfinite(audio).all():
        raise AudioError(f"{path}: holds samples that are not finite (NaN or infinity)")
    peak = float(np.abs(audio).max())
    if peak > _LOUDEST:
        raise AudioError(
            f"{path}: its samples reach {peak:.3g}, expected full scale at 1; "
            "scale it, or write it as 16-bit integers"
        )


def _check_wav_length(path: Path) -> None:
    """Refuse a WAV file whose data chunk announces more bytes than the file has.

    libsndfile mends such a header silently and gives the part that is there.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
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

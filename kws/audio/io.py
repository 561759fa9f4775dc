"""Sound files in, checked float32 mono out; and the other way."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr

from kws.audio.headers import EXPECTED, check_file, check_wav_length, mp3_samples
from kws.errors import AudioError, StorageError
from kws.files import whole

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
LONGEST_S = 600.0
"""Longest recording that is read whole, in seconds, where the caller sets no other limit."""
HIGHEST_RATE_HZ = 384_000
"""A header that claims more lies."""
_UNKNOWN_LENGTH = 2**62
"""libsndfile says at least this many samples where a stream's header leaves the number open."""
_LOUDEST = 100.0
_BLOCK = 2**20
"""Values decoded at a time: memory follows what is in a file, not what its header claims."""
_MISSING_S = 0.05
"""A piece may end this much after its file does: times in tables are rounded."""
_FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF")
_INEXACT = ("VORBIS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
"""Encodings in which libsndfile lands up to a frame beside the sample that it is sent to."""


def read(
    path: Path,
    sample_rate_hz: int,
    longest_s: float = LONGEST_S,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> np.ndarray:
    """Read a sound file, or a piece of one, as mono at the wanted rate.

    Any channel count is averaged to mono and any rate is resampled (soxr, high quality). The
    content decides on the format, not the name: an MP3 named .wav is read.

    Parameters
    ----------
    path : WAV, FLAC, Ogg (Vorbis or Opus) or MP3 file.
    sample_rate_hz : wanted rate.
    longest_s : refuse more than this, before decoding it.
    start_s : where the piece begins. WAV, FLAC and Opus go straight there; Vorbis and MP3 are
        decoded from their beginning, as only that is exact.
    duration_s : length of the piece; None for all that follows.

    Returns
    -------
    float32 (samples,), full scale is -1..1.

    Raises
    ------
    AudioError
        When the file is missing, not readable, empty, no audio, cut short or too long, ends
        before the piece does, or holds values that are not finite or far beyond full scale.
    """
    with _opened(path) as file:
        rate = file.samplerate
        first, count = _piece(path, file, longest_s, start_s, duration_s)
        file.skip(first)
        audio = _mono(path, file, count)
    if len(audio) < count:
        raise AudioError(f"{path}: cut short: {count} samples announced, {len(audio)} there")
    if duration_s is None:
        check_wav_length(path)
    if len(audio) == 0:
        raise AudioError(f"{path}: holds no samples; expected a recording, remove or replace it")
    if rate == sample_rate_hz:
        return audio
    resampled = soxr.resample(audio, rate, sample_rate_hz)
    if len(resampled) == 0:
        raise AudioError(f"{path}: {len(audio)} samples at {rate} Hz, too short to be resampled")
    return np.ascontiguousarray(resampled, dtype=np.float32)


def length_s(path: Path) -> float:
    """How long a recording is by its header, in seconds; an AudioError where it has none."""
    with _opened(path) as file:
        return _announced(path, file) / file.samplerate


def write(path: Path, audio: np.ndarray, sample_rate_hz: int) -> None:
    """Write mono float audio (-1..1, clipped beyond) as 16-bit WAV or FLAC, whole or not at all."""
    pcm = as_int16(audio)
    with whole(path) as temporary:
        try:
            soundfile.write(os.fsencode(temporary), pcm, sample_rate_hz, subtype="PCM_16")
        except soundfile.LibsndfileError as error:
            raise StorageError(f"{path}: cannot be written ({error.error_string})") from error


def as_int16(audio: np.ndarray) -> np.ndarray:
    """Float audio, -1..1 and clipped beyond, as 16-bit samples of the same shape."""
    return np.round(np.clip(audio, -1, 32767 / 32768) * 32768).astype(np.int16)


def fit(audio: np.ndarray, samples: int) -> np.ndarray:
    """Pad with zeros or cut at both ends alike, so that the middle stays in the middle.

    Speech Commands clips that are shorter than a second are padded this way.
    """
    missing = samples - len(audio)
    if missing == 0:
        return audio
    if missing > 0:
        return np.pad(audio, (missing // 2, missing - missing // 2))
    start = -missing // 2
    return audio[start : start + samples]


class _Forward(soundfile.SoundFile):
    """A sound file that is read forward.

    soundfile seeks to where it is after every read, where a file can be sought in; in MP3 that
    jumps to another place.
    """

    def seekable(self) -> bool:
        return False

    def skip(self, count: int) -> None:
        """Go forward by some samples."""
        if count and super().seekable() and self.subtype not in _INEXACT:
            self.seek(count)
            return
        while count > 0:
            passed = len(self.read(min(count, _BLOCK // self.channels), dtype="float32"))
            count -= passed or count


@contextmanager
def _opened(path: Path) -> Iterator[_Forward]:
    """Open a sound file; what goes wrong while it is open is an AudioError."""
    try:
        check_file(path)
        with _Forward(os.fsencode(path)) as file:
            if file.format not in _FORMATS:
                raise AudioError(f"{path}: holds {file.format_info}; expected {EXPECTED}")
            yield file
    except soundfile.LibsndfileError as error:
        reason = _reason(path, error)
        raise AudioError(
            f"{path}: not readable as audio ({reason}); expected {EXPECTED}"
        ) from error
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
    except MemoryError as error:
        raise AudioError(f"{path}: too large for the memory; cut it into shorter files") from error


def _reason(path: Path, error: soundfile.LibsndfileError) -> str:
    """Say better what libsndfile says badly."""
    reason = error.error_string.rstrip(".")
    if "SF_INFO" in reason:
        return "its header gives no sampling rate above 0 Hz"
    if "File does not exist" in reason:
        return "its header is broken"
    if not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        return "no permission to read it"
    return reason


def _announced(path: Path, file: _Forward) -> int:
    """How many samples the file has by its header, or by its frames where the header is silent."""
    announced = file.frames
    if announced >= _UNKNOWN_LENGTH:
        raise AudioError(f"{path}: its header leaves the length open; encode it again")
    if file.samplerate > HIGHEST_RATE_HZ:
        raise AudioError(
            f"{path}: its header claims {file.samplerate} Hz, expected up to {HIGHEST_RATE_HZ}"
        )
    counted = mp3_samples(path) if file.format == "MP3" else None
    if counted is None:
        return announced
    if counted > announced * 1.02 + 2304:
        raise AudioError(
            f"{path}: an MP3 of varying bit rate that does not say its length; encode it again"
        )
    return min(announced, counted)


def _piece(
    path: Path,
    file: _Forward,
    longest_s: float,
    start_s: float,
    duration_s: float | None,
) -> tuple[int, int]:
    """The first sample to read, and how many."""
    rate, announced = file.samplerate, _announced(path, file)
    first = round(start_s * rate)
    count = wanted = announced - first
    if duration_s is not None:
        wanted = max(1, round(duration_s * rate))
        count = min(count, wanted)
    if count < wanted - _MISSING_S * rate or (count <= 0 and first):
        piece = "a piece" if duration_s is None else f"a piece of {duration_s:g} s"
        raise AudioError(
            f"{path}: {announced / rate:.2f} s long, expected {piece} that begins at {start_s:g} s;"
            " correct its start or duration"
        )
    if count > longest_s * rate:
        raise AudioError(
            f"{path}: {count / rate:.0f} s long, expected at most {longest_s:g} s; "
            "cut it into shorter files"
        )
    return first, count


def _mono(path: Path, file: _Forward, count: int) -> np.ndarray:
    """Decode ``count`` samples, or as many as there are, and average their channels."""
    parts, done = [np.zeros(0, np.float32)], 0
    whole_numbers = file.subtype == "PCM_16"  # read as they are: libsndfile converts slowly
    while done < count:
        size = min(count - done, max(1, _BLOCK // file.channels))
        block = file.read(size, dtype="int16" if whole_numbers else "float32", always_2d=True)
        if len(block) == 0:
            break
        if whole_numbers:
            block = block.astype(np.float32)
            block *= np.float32(1 / 32768)
        else:
            _check_values(path, block)
        parts.append(block.mean(axis=1) if block.shape[1] > 1 else block[:, 0])
        done += len(block)
    return np.concatenate(parts) if len(parts) != 2 else np.ascontiguousarray(parts[1])


def _check_values(path: Path, audio: np.ndarray) -> None:
    low, high = float(audio.min()), float(audio.max())  # NaN comes through both
    if low >= -_LOUDEST and high <= _LOUDEST:
        return
    if not np.isfinite(audio).all():
        raise AudioError(f"{path}: holds samples that are not finite (NaN or infinity)")
    raise AudioError(
        f"{path}: its samples reach {max(-low, high):.3g}, expected full scale at 1; "
        "scale it, or write it as 16-bit integers"
    )

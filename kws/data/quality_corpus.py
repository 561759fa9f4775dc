"""Every clip of a corpus read and measured once, on all cores.

What is kept of a clip are some numbers, a row of an array: a million clips take 40 MB beside their
list.
"""

import contextlib
import hashlib
from collections import defaultdict
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import soundfile

from kws.audio import io
from kws.data.corpus import manifest_of
from kws.data.folder import read_folder, sound_files
from kws.data.manifest import Clip
from kws.data.manifest_file import read_manifest
from kws.data.quality import Measures, measure
from kws.errors import AudioError, DataError
from kws.progress import progress

SAME = "same"
"""Column of a clip's content as a number, 0 where it has none: unreadable, or zeros only."""
COLUMNS = np.dtype(
    [
        ("sample_rate_hz", np.int32),
        ("duration_s", np.float32),
        ("clipped_ms", np.float32),
        ("offset", np.float32),
        ("speech_dbfs", np.float32),
        ("floor_dbfs", np.float32),
        (SAME, np.uint64),
    ]
)
"""Those of :class:`Measures`, in their order, and ``SAME``."""
_CHUNK = 128
_FEWEST_PARALLEL = 8


@dataclass(frozen=True)
class Measured:
    """A corpus whose clips were all read, or tried."""

    root: Path
    clips: list[Clip]
    table: np.ndarray
    """(clips,) of ``COLUMNS``; zeros where a clip could not be read"""
    bad: dict[int, str]
    """why a clip could not be read, by its position"""
    left_out: dict[str, list[Path]]
    """what lies in the words' folders and is not read, by what it is"""

    def measures(self, positions: np.ndarray | slice = np.s_[:]) -> Measures:
        """The measures of some clips, or all, as arrays (clips,)."""
        part = self.table[positions]
        columns: list[Any] = [part[name] for name in COLUMNS.names or () if name != SAME]
        return Measures(*columns)

    def one(self, position: int) -> Measures:
        """The measures of one clip."""
        return Measures(*self.table[position].item()[:-1])


def measure_corpus(root: Path, sample_rate_hz: int) -> Measured:
    """Read and measure all clips of a manifest or a data folder, under the words they hold.

    Parameters
    ----------
    root : a manifest, a folder that holds one, or a folder with one folder a word.
    sample_rate_hz : what a file is taken to have that cannot be opened to tell its own.

    Raises
    ------
    DataError
        When there are no clips, or the manifest is not in order.
    """
    clips, left_out = list_words(root)
    table = np.zeros(len(clips), COLUMNS)
    bad: dict[int, str] = {}
    starts = range(0, len(clips), _CHUNK)
    jobs = joblib.cpu_count() if len(starts) >= _FEWEST_PARALLEL else 1
    tasks = (
        joblib.delayed(_measure_chunk)(start, clips[start : start + _CHUNK], sample_rate_hz)
        for start in starts
    )
    with progress("measuring clips", len(clips), "clips") as advance:
        for start, rows, unreadable in joblib.Parallel(jobs, return_as="generator_unordered")(
            tasks
        ):
            table[start : start + len(rows)] = rows
            bad |= unreadable
            advance(len(rows))
    return Measured(root, clips, table, dict(sorted(bad.items())), left_out)


def list_words(root: Path) -> tuple[list[Clip], dict[str, list[Path]]]:
    """The clips of a corpus, each word a label, and what its folders hold beside sound files.

    Raises
    ------
    DataError
        As :func:`read_manifest`; or when no folder in ``root`` holds a sound file.
    """
    manifest = manifest_of(root)
    if manifest is not None:
        return read_manifest(manifest), {}
    words, left_out = [], defaultdict(list)
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name.startswith((".", "_")) or not folder.is_dir():
            continue
        sounds = sound_files(folder)
        if plain(folder.name) != folder.name:
            raise DataError(f"{path_text(folder)}: its name is not UTF-8; rename it")
        if sounds:
            words.append(folder.name)
        else:
            left_out["folder without a sound file"].append(folder)
        for other in sorted(set(folder.iterdir()).difference(sounds)):
            if not other.name.startswith("."):
                kind = "folder in a word's folder" if other.is_dir() else other.suffix.lower()
                left_out[kind or "file without suffix"].append(other)
    if root.is_dir() and not words:
        raise DataError(
            f"{root}: no folder with a sound file ({', '.join(io.SUFFIXES)}); "
            "expected one folder a word, or a manifest.csv"
        )
    return read_folder(root, tuple(words)), dict(left_out)


def read_clip(clip: Clip, fallback_hz: int) -> tuple[np.ndarray, int]:
    """Read a clip as it was recorded: float32 mono (samples,), and its own rate.

    Raises
    ------
    AudioError
        As :func:`kws.audio.io.read`; or when the file's name is not UTF-8, which cannot be opened.
    """
    rate = fallback_hz
    if plain(str(clip.path)) != str(clip.path):
        raise AudioError(f"{clip.path}: its name is not UTF-8; rename it")
    if clip.path.is_file():  # anything else, such as a pipe, could keep its opener waiting
        with contextlib.suppress(soundfile.LibsndfileError, OSError):  # reading it tells why
            rate = soundfile.info(clip.path).samplerate
    audio = io.read(clip.path, rate, start_s=clip.start_s, duration_s=clip.duration_s)
    return audio, rate


def clip_name(clip: Clip, root: Path) -> str:
    """A clip's path, the times of a piece, and its split, for people to read."""
    name = path_text(clip.path, root if root.is_dir() else root.parent)
    if clip.start_s or clip.duration_s is not None:
        end = "" if clip.duration_s is None else f"{clip.start_s + clip.duration_s:g}"
        name += f" ({clip.start_s:g}–{end} s)"
    return f"{name} · {clip.split}"


def path_text(path: Path, root: Path | None = None) -> str:
    """A path as text, from ``root`` on where it lies below."""
    below = path.relative_to(root) if root and path.is_relative_to(root) else path
    return plain(str(below))


def plain(text: str) -> str:
    """A name as text that can be written; bytes in it that are no text become ``?``."""
    return text.encode(errors="replace").decode()


def content_of(audio: np.ndarray, sample_rate_hz: int) -> int:
    """A number for what is heard, of 64 bits: the same for the same 16-bit samples and rate.

    A FLAC file and the WAV file it was made from have the same. 0 where all samples are 0.
    """
    pcm = io.as_int16(audio).astype("<i2", copy=False)
    if not pcm.any():
        return 0
    digest = hashlib.blake2b(pcm.data, digest_size=8, key=str(sample_rate_hz).encode())
    return int.from_bytes(digest.digest(), "little")


def _reason(error: AudioError, clip: Clip) -> str:
    """Why a clip cannot be read, less its path."""
    return plain(str(error).removeprefix(f"{clip.path}: "))


def _measure_chunk(
    start: int, clips: list[Clip], fallback_hz: int
) -> tuple[int, np.ndarray, dict[int, str]]:
    """Rows of the table, and messages by position."""
    rows, bad = np.zeros(len(clips), COLUMNS), {}
    for index, clip in enumerate(clips):
        try:
            audio, rate = read_clip(clip, fallback_hz)
        except AudioError as error:
            bad[start + index] = _reason(error, clip)
        else:
            rows[index] = (*astuple(measure(audio, rate)), content_of(audio, rate))
    return start, rows, bad

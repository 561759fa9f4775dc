"""The recording of MLPerf Tiny's streaming wake-word benchmark, built from its specification.

``long_wav_spec.json`` (github.com/mlcommons/tiny, ``benchmark/training/streaming_wakeword``) lists
backgrounds of MUSAN, each from when to when and how loud, and clips of Speech Commands, each when
and how loud. A clip is cut to what is above a twentieth of its peak. Loudness is the root mean
square; in the end all is brought to full scale.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kws.audio.annotation import SpokenWord, read_text, write_words
from kws.audio.io import read, write
from kws.errors import DataError

_QUIET = 0.05
_LONGEST_S = 2 * 3600.0
Seconds = Annotated[float, Field(ge=0, le=_LONGEST_S)]
Loudness = Annotated[float, Field(gt=0, le=100)]


class LongWavSpec(BaseModel):
    """The specification, as the benchmark writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    configs_background: list[tuple[str, Seconds, Seconds, Loudness]]
    """File, from when to when, and its root mean square"""
    configs_wakeword: list[tuple[str, Seconds, Loudness]]
    """File, when, and its root mean square"""
    length_sec: Annotated[float, Field(gt=0, le=_LONGEST_S)]
    sample_rate: Annotated[int, Field(ge=4000, le=48000)]


def read_spec(path: Path) -> LongWavSpec:
    """Read a specification; a DataError where it is none."""
    text = read_text(path, "MLPerf Tiny's long_wav_spec.json")
    try:
        return LongWavSpec.model_validate(json.loads(text))
    except (ValueError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        where = ".".join(map(str, first["loc"])) + ": " + first["msg"] if first else str(error)
        raise DataError(
            f"{path}: is no specification of a long recording ({where}); expected "
            "configs_background, configs_wakeword, length_sec and sample_rate"
        ) from error


def build_long_wav(
    spec: LongWavSpec, keyword: str, roots: dict[str, Path], out: Path
) -> tuple[Path, list[SpokenWord]]:
    """Write ``long_wav.wav`` and its words as ``long_wav.txt`` into ``out``.

    Parameters
    ----------
    keyword : what the clips say. roots : folder for each ``{name}`` in the paths.

    Raises
    ------
    DataError
        When a path names an unknown root, a piece lies outside of the recording, or a clip is
        silent. AudioError: when a file cannot be used.
    """
    rate = spec.sample_rate
    audio = np.zeros(round(spec.length_sec * rate), np.float32)
    for name, start_s, end_s, loudness in spec.configs_background:
        start, end = int(start_s * rate), int(end_s * rate)
        piece = read(_resolve(name, roots), rate, _LONGEST_S)[: max(0, end - start)]
        _add(audio, piece, start, loudness, name)
    words = []
    for name, start_s, loudness in spec.configs_wakeword:
        piece = trimmed(read(_resolve(name, roots), rate))
        _add(audio, piece, int(start_s * rate), loudness, name)
        words.append(SpokenWord(keyword, start_s, start_s + len(piece) / rate))
    words.sort(key=lambda word: word.start_s)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "long_wav.wav"
    write_words(path.with_suffix(".txt"), words)
    write(path, audio / max(float(np.abs(audio).max()), 1e-9), rate)
    return path, words


def trimmed(audio: np.ndarray) -> np.ndarray:
    """(samples,) from the first to before the last sample above a twentieth of the highest."""
    loud = np.flatnonzero(audio > _QUIET * audio.max(initial=0.0))
    return audio[loud[0] : loud[-1]] if len(loud) else audio[:0]


def _add(audio: np.ndarray, piece: np.ndarray, start: int, loudness: float, name: str) -> None:
    if start + len(piece) > len(audio):
        raise DataError(
            f"{name}: ends {(start + len(piece) - len(audio))} samples after the recording; "
            "expected it within length_sec"
        )
    if len(piece) == 0 or not np.std(piece):
        raise DataError(f"{name}: silent, or nothing left of it; expected sound")
    audio[start : start + len(piece)] += piece * np.float32(loudness / np.std(piece))


def _resolve(name: str, roots: dict[str, Path]) -> Path:
    for root, folder in roots.items():
        if name.startswith(start := f"{{{root}}}"):
            return folder / name.removeprefix(start).lstrip("/")
    if name.startswith("{"):
        known = ", ".join(f"{{{root}}}" for root in roots)
        raise DataError(f"{name}: begins with a folder that is not known; expected {known}")
    return Path(name)

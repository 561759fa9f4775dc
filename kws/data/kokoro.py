"""Speech by Kokoro's neural voices, through onnxruntime, which is not required otherwise.

Kokoro-82M (hexgrad, 2025; Apache 2.0) speaks phonemes in the style of a vector, and so in a
mixture of two such styles as well. Its files: :mod:`kws.data.kokoro_files`.
"""

import importlib.util
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kws.data.kokoro_files import MODEL, VOICES
from kws.errors import DataError

RATE_HZ = 24000
LONGEST = 508
"""Phonemes of a text: a style has a row for each length"""
_STYLE = 256
_RUNS = (
    *((1, ";:,.!?"), (9, '—…"()“” ̃ʣʥʦʨᵝꭧAI'), (31, "O"), (33, "Q"), (35, "ST"), (39, "W")),
    *((41, "Yᵊabcdef"), (50, "hijklmnopqrstuvwxyzɑɐɒæ"), (75, "βɔɕç"), (80, "ɖðʤə")),
    *((85, "ɚɛɜ"), (90, "ɟ"), (92, "ɡ"), (99, "ɥ"), (101, "ɨɪʝ"), (110, "ɯɰŋɳɲɴø")),
    *((118, "ɸθœ"), (123, "ɹ"), (125, "ɾɻ"), (128, "ʁɽʂʃʈʧ"), (135, "ʊʋ"), (138, "ʌɣɤ")),
    *((142, "χʎ"), (147, "ʒʔ"), (156, "ˈˌː"), (162, "ʰ"), (164, "ʲ"), (169, "↓")),
    *((171, "→↗↘"), (177, "ᵻ")),
)
SYMBOLS = {symbol: at + i for at, run in _RUNS for i, symbol in enumerate(run)}
"""The model's phonemes and their numbers, as its configuration has them"""
_ENGLISH = (
    *(("eɪ", "A"), ("aɪ", "I"), ("ɔɪ", "Y"), ("oʊ", "O"), ("əʊ", "Q"), ("aʊ", "W")),
    *(("tʃ", "ʧ"), ("dʒ", "ʤ"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɚ", "əɹ"), ("n̩", "ᵊn")),
)
"""espeak-ng's IPA of English, and how the same was spelled to the model in training"""


def require_kokoro(folder: Path) -> list[str]:
    """Make sure that the model, its voices and onnxruntime are there; give the voices' names.

    Raises
    ------
    DataError
        When one of them is missing, or a voice is not Kokoro's.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise DataError(
            "Kokoro needs onnxruntime, which is not installed; "
            "run `pip install -r requirements-kokoro.txt`, or use `--voices espeak`"
        )
    names = sorted(path.stem for path in (folder / VOICES).glob("*.bin"))
    if not (folder / MODEL).is_file() or not names:
        raise DataError(
            f"{folder}: expected {MODEL} and {VOICES}/NAME.bin in it; "
            "run `python tools/prepare_data.py kokoro`, and give its folder with --kokoro"
        )
    for name in names:
        _style(folder, name)
    return names


def symbols(ipa: str, english: bool) -> list[int]:
    """Give the model's numbers of phonemes in the IPA, as espeak-ng writes it.

    Raises
    ------
    DataError
        When there are too many, or none, or one that the model does not know.
    """
    spelled = ipa
    for old, new in _ENGLISH if english else ():
        spelled = spelled.replace(old, new)
    if unknown := sorted({symbol for symbol in spelled if symbol not in SYMBOLS}):
        raise DataError(
            f"Kokoro has no sound {unknown[0]!r} of /{ipa}/; take other voices or words"
        )
    if not 0 < len(spelled) <= LONGEST:
        raise DataError(
            f"{len(spelled)} phonemes to say at once, expected 1 to {LONGEST}; say less at a time"
        )
    return [SYMBOLS[symbol] for symbol in spelled]


def speak(
    folder: Path, blend: Sequence[tuple[str, float]], phonemes: Sequence[int], pace: float
) -> np.ndarray:
    """Let the model say phonemes; by its own noise, each time sounds a little different.

    Parameters
    ----------
    folder : of the model and its voices.
    blend : voices' names and their shares, which together are 1.
    phonemes : of :func:`symbols`.
    pace : 1 is the voice's own, more is faster.

    Returns
    -------
    float32 (samples,) at ``RATE_HZ``.

    Raises
    ------
    DataError
        When the model cannot be used, or says nothing.
    """
    style = sum(share * _style(folder, name)[len(phonemes) - 1] for name, share in blend)
    given = {
        "tokens": np.array([[0, *phonemes, 0]], np.int64),
        "style": np.asarray(style, np.float32)[None],
        "speed": np.array([pace], np.float32),
    }
    try:
        audio = np.asarray(_session(folder).run(None, given)[0], np.float32).ravel()
    except Exception as error:  # whatever onnxruntime makes of a broken file
        raise DataError(f"{folder / MODEL}: cannot be used ({error}); fetch it again") from error
    if not len(audio) or not np.isfinite(audio).all() or not np.abs(audio).max() > 0:
        raise DataError(f"{folder / MODEL} says nothing; write words as they are spoken")
    return audio


@lru_cache(maxsize=1)
def _session(folder: Path) -> Any:
    """One thread: takes are spoken in several processes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(folder / MODEL), options, providers=["CPUExecutionProvider"]
    )


@cache
def _style(folder: Path, name: str) -> np.ndarray:
    """float32 (lengths, ``_STYLE``): a row for each number of phonemes."""
    path = folder / VOICES / f"{name}.bin"
    values = np.fromfile(path, "<f4")
    if values.size < LONGEST * _STYLE or values.size % _STYLE or not np.isfinite(values).all():
        raise DataError(
            f"{path}: {values.size} numbers, expected {_STYLE} for each of {LONGEST} lengths and "
            "more, all of them finite; fetch it again"
        )
    return values.reshape(-1, _STYLE)

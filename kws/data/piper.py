"""Speech by Piper's neural voices, through its Python package or its program; neither is required.

A voice is a model, ``NAME.onnx``, with its configuration beside it, ``NAME.onnx.json``.
"""

import importlib.util
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from kws.errors import DataError

_INSTALL = "run `pip install piper-tts`, or use `--voices espeak`"
_LONGEST_S = 120.0  # a program that takes longer for a sentence hangs


@dataclass(frozen=True)
class PiperModel:
    """What a model's configuration says of it."""

    path: Path
    language: str
    """The espeak-ng voice by whose rules the model's text is read, such as ``en-us``."""
    speakers: int


def read_model(path: Path) -> PiperModel:
    """Read a model's configuration.

    Raises
    ------
    DataError
        When the model or its configuration is missing, or the latter is not Piper's.
    """
    beside = path.with_name(f"{path.name}.json")
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a Piper voice, such as NAME.onnx")
    try:
        facts = json.loads(beside.read_text(encoding="utf-8"))
        language, speakers = facts["espeak"]["voice"], facts["num_speakers"]
    except FileNotFoundError as error:
        raise DataError(f"{beside}: no such file; a Piper voice has its .json beside it") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{beside}: not the configuration of a Piper voice ({error!r}); download it again"
        ) from error
    if not isinstance(language, str) or not isinstance(speakers, int) or speakers < 1:
        raise DataError(
            f"{beside}: espeak.voice {language!r} and num_speakers {speakers!r}, expected a "
            "language and a number from 1 on; download it again"
        )
    return PiperModel(path.resolve(), language, speakers)


def require_piper() -> None:
    """Make sure that Piper is there.

    Raises
    ------
    DataError
        When neither the package nor the program is installed.
    """
    if not _has_package() and shutil.which("piper") is None:
        raise DataError(
            f"Piper is not installed: neither the package piper nor a program piper; {_INSTALL}"
        )


def speak(
    model: PiperModel, speaker: int, text: str, slowness: float, noise: float
) -> tuple[np.ndarray, int]:
    """Let a model say ``text``; by Piper's own noise, each time sounds a little different.

    Parameters
    ----------
    model, speaker : the voice; speakers count from 0.
    text : plain text; phonemes in the IPA can stand between ``[[`` and ``]]``.
    slowness : length of every sound against the model's own, such as 0.8 for faster speech.
    noise : how much each time differs, about 0.3 to 1.

    Returns
    -------
    float32 (samples,), and their rate in Hz.

    Raises
    ------
    DataError
        When Piper is not installed or fails, or says nothing.
    """
    require_piper()
    if _has_package():
        audio, rate_hz = _by_package(model, speaker, text, slowness, noise)
    else:
        audio, rate_hz = _by_program(model, speaker, text, slowness, noise)
    if len(audio) == 0 or not np.abs(audio).max() > 0:
        raise DataError(f"{model.path.name} says nothing for {text!r}; write words as spoken")
    return audio.astype(np.float32), rate_hz


def _has_package() -> bool:
    try:
        return importlib.util.find_spec("piper.voice") is not None
    except ModuleNotFoundError:
        return False


@lru_cache(maxsize=1)
def _loaded(path: Path) -> Any:
    """A model takes a second to load: the last one is kept."""
    from piper import PiperVoice

    return PiperVoice.load(path)


def _by_package(
    model: PiperModel, speaker: int, text: str, slowness: float, noise: float
) -> tuple[np.ndarray, int]:
    from piper import SynthesisConfig

    how = SynthesisConfig(
        speaker_id=speaker if model.speakers > 1 else None,
        length_scale=slowness,
        noise_scale=noise,
    )
    try:
        voice = _loaded(model.path)
        parts = [chunk.audio_float_array for chunk in voice.synthesize(text, how)]
    except Exception as error:  # whatever onnxruntime makes of a broken file
        raise DataError(f"{model.path}: Piper cannot use this voice ({error})") from error
    audio = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return audio, voice.config.sample_rate


def _by_program(
    model: PiperModel, speaker: int, text: str, slowness: float, noise: float
) -> tuple[np.ndarray, int]:
    with tempfile.TemporaryDirectory(prefix="kws_") as folder:
        out = Path(folder) / "said.wav"
        command = ["piper", "--model", str(model.path), "--output_file", str(out)]
        command += ["--length_scale", f"{slowness:.3f}", "--noise_scale", f"{noise:.3f}"]
        if model.speakers > 1:
            command += ["--speaker", str(speaker)]
        try:
            done = subprocess.run(
                command, input=f"{text}\n".encode(), capture_output=True, timeout=_LONGEST_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DataError(f"the program piper does not work ({error})") from error
        if done.returncode != 0 or not out.is_file():
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            why = last[0] if last else "it says nothing about why"
            raise DataError(
                f"the program piper failed with {model.path} (status {done.returncode}: {why})"
            )
        try:
            return soundfile.read(out, dtype="float32", always_2d=False)
        except soundfile.LibsndfileError as error:
            raise DataError(f"the program piper wrote no WAV file ({error})") from error

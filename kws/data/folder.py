"""Clips of a data folder, ``<root>/<word>/*``, in the manner of Speech Commands or any other."""

from pathlib import Path

import numpy as np

from kws.audio import io
from kws.data.manifest import Clip
from kws.data.scan import scan
from kws.data.speech_commands import speaker_of, split_of
from kws.data.splits import UNDECIDED
from kws.errors import DataError
from kws.recipe_data import SILENCE, UNKNOWN

NOISE_FOLDER = "_background_noise_"
_SPECIAL = {f"_{UNKNOWN}_": UNKNOWN, f"_{SILENCE}_": SILENCE, UNKNOWN: UNKNOWN, SILENCE: SILENCE}


def read_folder(root: Path, labels: tuple[str, ...]) -> list[Clip]:
    """List the clips of a data folder, sorted by word and file name.

    A folder named like a keyword holds that keyword's clips; any other word is ``unknown``.
    ``_unknown_`` and ``_silence_`` hold clips of these labels, as in the official test archive of
    Speech Commands. ``_background_noise_`` holds no clips; other folders that begin with ``_`` or
    ``.``, and files beside the folders, are left alone.

    Parameters
    ----------
    root : the data folder.
    labels : the classes; those except ``unknown`` and ``silence`` are the keywords.

    Raises
    ------
    DataError
        When there is no such folder, it has no folder of any keyword, a keyword's folder has no
        sound file, or a folder cannot be listed.
    """
    folders = _folders(root)
    keywords = [label for label in labels if label not in (UNKNOWN, SILENCE)]
    if not {folder.name for folder in folders} & set(keywords):
        shown = ", ".join(folder.name for folder in folders[:8]) or "no folders"
        raise DataError(
            f"{root}: no folder of any keyword; expected {', '.join(keywords[:8])}, found {shown}: "
            "give the folder that holds one folder a word"
        )
    clips = []
    for folder in folders:
        label = label_of(folder.name, keywords)
        if label is None:
            continue
        sounds = sound_files(folder)
        if not sounds and label in keywords:
            raise DataError(
                f"{folder}: a keyword's folder without a sound file; expected "
                f"{', '.join(io.SUFFIXES)}: add recordings or take the keyword out of the recipe"
            )
        word = word_of(folder.name, label)
        for path in sounds:
            speaker = speaker_of(path.name)
            clips.append(Clip(path, label, speaker, split_of(speaker), word=word))
    return clips


def gather_folder(root: Path) -> tuple[list[Clip], list[str]]:
    """List the clips of any folder, without a speaker or a split: the top folder is the label.

    Unlike :func:`read_folder` it goes into folders below, reads no meaning into file names and
    survives what is broken. Spaces in a label become ``_``.

    Returns
    -------
    the clips, and notes on what was left out.

    Raises
    ------
    DataError
        When there is no such folder, or no sound file in a folder of a label.
    """
    found = scan(root)
    clips, aside = [], 0
    for path in found.files:
        top, *below = path.relative_to(root).parts
        label = _SPECIAL.get(top, top)
        if below and not label.startswith("_"):
            clips.append(Clip(path, "_".join(label.split()), "", UNDECIDED))
        else:
            aside += 1
    if not clips:
        raise DataError(
            f"{root}: no sound files in a folder of a label; expected {root / 'WORD'} with "
            f"{', '.join(io.SUFFIXES)}"
        )
    notes = found.notes()
    if aside:
        notes.append(f"no clips, beside the folders or in one that begins with _: {aside}")
    return clips, notes


def noise_files(root: Path) -> list[Path]:
    """The recordings in ``_background_noise_``, sorted; none where there is no such folder.

    It is in the data folder, or beside the manifest that is given instead of one.
    """
    folder = (root.parent if root.is_file() else root) / NOISE_FOLDER
    return sound_files(folder) if folder.is_dir() else []


def background_noises(root: Path, sample_rate_hz: int) -> list[np.ndarray]:
    """Read the background recordings.

    Returns
    -------
    float32 (samples,) each, mono at ``sample_rate_hz``; an empty list where there are none.

    Raises
    ------
    AudioError
        When one of them cannot be read. They are few and used by every clip: none is left out.
    """
    return [io.read(path, sample_rate_hz) for path in noise_files(root)]


def sound_files(folder: Path) -> list[Path]:
    """The sound files right in a folder, by their suffix, sorted by name."""
    files = (path for path in _listed(folder) if not path.name.startswith("."))
    return [path for path in files if path.suffix.lower() in io.SUFFIXES]


def label_of(name: str, keywords: list[str]) -> str | None:
    """The label of the clips in a folder of this name, or None where it holds none."""
    if name in keywords:
        return name
    if name in _SPECIAL:
        return _SPECIAL[name]
    return None if name.startswith(("_", ".")) else UNKNOWN


def word_of(name: str, label: str) -> str:
    """What is said in the clips of a folder of this name, where their label does not tell."""
    return "" if name == label or name in _SPECIAL else name


def _folders(root: Path) -> list[Path]:
    if root.is_file():
        raise DataError(f"{root}: a file, expected a data folder with one folder a word")
    if not root.is_dir():
        raise DataError(
            f"{root}: no such data folder; expected one folder a word, such as {root / 'yes'}"
        )
    return [path for path in _listed(root) if path.is_dir()]


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from error

"""One wake word against everything else: recordings with it, recordings without it."""

import math
from pathlib import Path

from kws.audio import io
from kws.audio.word import find_words
from kws.data.folder import NOISE_FOLDER
from kws.data.manifest import Clip
from kws.data.scan import Scan, Tally, scan
from kws.data.splits import UNDECIDED
from kws.errors import AudioError, DataError
from kws.progress import progress
from kws.recipe_data import SILENCE, UNKNOWN

_RATE_HZ = 16000
_LONGEST_S = 60.0


def gather_wake_word(
    word: str, positives: list[Path], negatives: list[Path], clip_s: float = 1.0
) -> tuple[list[Clip], list[str]]:
    """List clips of one word and of anything else, without a speaker or a split.

    Parameters
    ----------
    word : the label of the positives.
    positives : folders of recordings of the word alone, a clip a file; of one that is longer than
        a clip, the piece with the word in its middle.
    negatives : folders of recordings without the word; long ones are cut into pieces. What lies in
        a ``_background_noise_`` is left out.
    clip_s : length of a piece, in seconds.

    Returns
    -------
    the clips, and notes on what was left out, or where the word was not found.

    Raises
    ------
    DataError
        When the word is none, a folder is missing, or there are no sound files that can be read in
        the positives or the negatives.
    """
    word = "_".join(word.split())
    if word in ("", UNKNOWN, SILENCE):
        raise DataError(f"wake word {word!r}: expected a word such as alexa")
    found, others = _scan_all(positives, "positives"), _scan_all(negatives, "negatives")
    both = set(found.files) & set(others.files)
    if both:
        raise DataError(f"{min(both)}: among the positives and the negatives, expected in one")
    lost = Tally("nothing stands out, so the middle was taken")
    clips = []
    with progress("finding the word", len(found.files), "files") as advance:
        for path in found.files:
            try:
                clips.append(around_word(path, word, clip_s, lost))
            except AudioError as error:
                found.left_out.add(str(error))
            advance()
    if not clips:
        raise DataError(f"not one positive recording can be read; {found.left_out.first[0]}")
    with progress("measuring recordings", len(others.files), "files") as advance:
        for path in others.files:
            try:
                clips += cut(path, clip_s)
            except AudioError as error:
                others.left_out.add(str(error))
            advance()
    if all(clip.label == word for clip in clips):
        raise DataError(f"not one negative recording can be read; {others.left_out.first[0]}")
    return clips, found.notes() + ([str(lost)] if lost.count else []) + others.notes()


def around_word(path: Path, word: str, clip_s: float, lost: Tally) -> Clip:
    """The piece of a recording with the word, its strongest sound, in the middle.

    Parameters
    ----------
    lost : is told of a recording in which nothing stands out.

    Raises
    ------
    AudioError
        When the file cannot be read, or is longer than a minute.
    """
    audio = io.read(path, _RATE_HZ, _LONGEST_S)
    length_s = len(audio) / _RATE_HZ
    if length_s <= clip_s:
        return Clip(path, word, "", UNDECIDED)
    spans = find_words(audio, _RATE_HZ)
    if not spans:
        lost.add(str(path))
        return Clip(path, word, "", UNDECIDED)
    best = max(spans, key=lambda span: span.strength)
    middle_s = (best.start + best.end) / 2 / _RATE_HZ
    start_s = min(max(0.0, middle_s - clip_s / 2), length_s - clip_s)
    return Clip(path, word, "", UNDECIDED, math.floor(start_s * 1000) / 1000, clip_s)


def cut(path: Path, clip_s: float) -> list[Clip]:
    """Cut a recording into pieces; one shorter than a piece and a half stays whole.

    The last piece ends with the recording and may overlap the one before; less than half a piece
    that remains is left.

    Raises
    ------
    AudioError
        When the file cannot be read.
    """
    length_s = io.length_s(path)
    pieces = math.floor(length_s / clip_s + 0.5)
    if pieces < 2:
        return [Clip(path, UNKNOWN, "", UNDECIDED)]
    last_s = math.floor((length_s - clip_s) * 1000) / 1000
    starts_s = [min(round(i * clip_s, 3), last_s) for i in range(pieces)]
    return [Clip(path, UNKNOWN, "", UNDECIDED, start_s, clip_s) for start_s in starts_s]


def _scan_all(folders: list[Path], what: str) -> Scan:
    """Sound files at any depth; noise to be mixed in is no clip."""
    found = scan(*folders)
    for path in [path for path in found.files if NOISE_FOLDER in path.parts]:
        found.files.remove(path)
        found.left_out.add(f"{path}: noise, to be mixed in")
    if not found.files:
        names = ", ".join(map(str, folders))
        raise DataError(f"{names}: no sound files among the {what} ({', '.join(io.SUFFIXES)})")
    return found

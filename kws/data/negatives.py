"""Long recordings without any keyword, cut into clips of ``unknown``.

A detector that has only heard single words takes the sound between words, and parts of words, for
keywords: in running speech it answers every few seconds.
"""

from pathlib import Path

from kws.audio.io import length_s
from kws.data.manifest import TRAINING, Clip
from kws.data.scan import scan
from kws.errors import DataError
from kws.recipe_data import UNKNOWN

OVERLAP = 0.5
"""Share of a clip that the next one has too"""


def cut_negatives(place: Path, clip_s: float) -> list[Clip]:
    """Clips of ``clip_s`` from all recordings of a folder, at any depth, or from one file.

    Whatever the folders are called: nothing in them is a keyword. A recording that is shorter than
    a clip is one; the end of a longer one that fills no clip is left out.

    Raises
    ------
    DataError
        When there is no such folder, or no recording in it.
    AudioError
        When one is not a sound file, by its header.
    """
    sounds = [place] if place.is_file() else scan(place).files
    if not sounds:
        raise DataError(
            f"data.negatives: {place}: no sound files; expected recordings without any keyword"
        )
    clips = []
    for path in sounds:
        seconds = length_s(path)
        count = 1 + max(0, int((seconds - clip_s) / (clip_s * (1 - OVERLAP)) + 1e-6))
        for index in range(count):
            start_s = round(index * clip_s * (1 - OVERLAP), 6)
            duration_s = clip_s if seconds >= clip_s else None
            clips.append(Clip(path, UNKNOWN, "", TRAINING, start_s, duration_s))
    return clips

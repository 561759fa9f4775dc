"""What tells the clips of one data folder from those of another, wherever the folders lie."""

from hashlib import sha256
from pathlib import Path

from kws.data.corpus import read_clips
from kws.data.manifest import TRAINING, VALIDATION, Clip

_LOOKED_INTO = 64
"""Of all clips, about: those of one length have one size, so that the bytes of some are read."""
_BYTES = 1 << 16


def clips_fingerprint(data: Path, labels: tuple[str, ...]) -> str:
    """A name for the training and validation clips that a data folder or manifest has itself.

    It is the same for a copy elsewhere, for a manifest that lists the same, for other keywords and
    features, and whatever a recipe adds to the folder. It changes where a clip is added, taken
    away, renamed, moved to the other split or of another size; and, of some, where the sound is
    another.

    Parameters
    ----------
    labels : the classes, as :func:`kws.data.corpus.read_clips` takes them.

    Raises
    ------
    DataError
        As :func:`kws.data.corpus.read_clips`.
    """
    clips = [clip for clip in read_clips(data, labels) if clip.split in (TRAINING, VALIDATION)]
    every = max(1, len(clips) // _LOOKED_INTO)
    prints = sorted(_fingerprint(clip, every) for clip in clips)
    return sha256(b"".join(prints)).hexdigest()[:24]


def _fingerprint(clip: Clip, every: int) -> bytes:
    """Of one clip; its own value decides whether it is one of those that are looked into."""
    try:
        size = clip.path.stat().st_size
    except OSError:  # a dangling link: it is told as a clip that cannot be read
        size = -1
    name = f"{clip.path.parent.name}/{clip.path.name}\0{size} {clip.start_s} {clip.duration_s}"
    facts = f"{name} {clip.split} {clip.word or clip.label}"
    found = sha256(facts.encode(errors="surrogateescape")).digest()
    if int.from_bytes(found[:4]) % every:
        return found
    return sha256(found + _first_bytes(clip.path)).digest()


def _first_bytes(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_BYTES)
    except OSError:
        return b""

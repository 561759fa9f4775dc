"""The clips of a corpus, whichever way it is kept: a manifest, or a folder a word."""

from dataclasses import replace
from pathlib import Path

from kws.data.folder import gather_folder, label_of, read_folder, word_of
from kws.data.manifest import Clip
from kws.data.manifest_file import NAME, read_manifest
from kws.errors import DataError
from kws.recipe_data import SILENCE, UNKNOWN


def read_clips(root: Path, labels: tuple[str, ...]) -> list[Clip]:
    """List the clips of a corpus under a model's labels.

    A word that is not a keyword is ``unknown``; the clip's ``word`` tells which it is.

    Parameters
    ----------
    root : a manifest, a folder that holds ``manifest.csv``, or one with a folder a word.
    labels : the classes; those except ``unknown`` and ``silence`` are the keywords.

    Raises
    ------
    DataError
        As :func:`read_manifest` and :func:`kws.data.folder.read_folder`; or when no clip of the
        manifest is of any keyword.
    """
    manifest = manifest_of(root)
    if manifest is None:
        return read_folder(root, labels)
    keywords = [label for label in labels if label not in (UNKNOWN, SILENCE)]
    clips = read_manifest(manifest)
    words = dict.fromkeys(clip.label for clip in clips)
    if not words.keys() & set(keywords):
        raise DataError(
            f"{manifest}: no clip of any keyword; expected {', '.join(keywords[:8])}, found "
            f"{', '.join(sorted(words)[:8])}: take another recipe or another manifest"
        )
    renamed = {word: label_of(word, keywords) or UNKNOWN for word in words}
    return [_relabelled(clip, renamed[clip.label]) for clip in clips]


def read_extra(root: Path, labels: tuple[str, ...], unseen_words: tuple[str, ...]) -> list[Clip]:
    """List the clips of a folder or manifest that adds to training, whatever their split.

    Parameters
    ----------
    labels : the classes; a clip of a word that is no keyword is ``unknown``, or left out where that
        is no class.
    unseen_words : those that training must not hear; their clips are left alone.

    Raises
    ------
    DataError
        When it cannot be used, or holds no clip that training may hear.
    """
    manifest = manifest_of(root)
    try:
        clips = gather_folder(root)[0] if manifest is None else read_manifest(manifest)
    except DataError as error:
        raise DataError(f"data.extra: {error}") from error
    known = {label.casefold(): label for label in labels}
    passed_over = {SILENCE, *(word.casefold() for word in unseen_words)}
    heard = [clip for clip in clips if clip.label.casefold() not in passed_over]
    named = [(clip, known.get(clip.label.casefold(), UNKNOWN)) for clip in heard]
    kept = [_relabelled(clip, label) for clip, label in named if label in labels]
    if not kept:
        found = ", ".join(sorted({clip.label for clip in clips})[:8])
        raise DataError(
            f"data.extra: {root}: holds {found} alone, of which the recipe takes none; give a "
            "folder of keywords or of other words that are not among unseen_words"
        )
    return kept


def manifest_of(root: Path) -> Path | None:
    """The manifest that describes a corpus; None where the folders' names do."""
    if root.suffix.lower() == ".csv" and not root.is_dir():
        return root
    return root / NAME if (root / NAME).is_file() else None


def _relabelled(clip: Clip, label: str) -> Clip:
    if label == clip.label:
        return clip
    return replace(clip, label=label, word=word_of(clip.label, label))

"""Which clip trains, which validates, which tests: never one speaker, or one content, in two.

A model that is scored on speakers it was trained on looks better than it is.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from kws.data.manifest import SPLITS, Clip
from kws.data.speech_commands import speaker_of, split_of
from kws.errors import DataError
from kws.progress import progress

UNDECIDED = ""
"""The split of a clip before :func:`divide`."""
_PEEK_BYTES = 4096


@dataclass(frozen=True)
class Shares:
    """Percent of the speakers in each split."""

    training: float
    validation: float
    testing: float

    def __post_init__(self) -> None:
        """Refuse shares that are no division of a hundred."""
        parts = (self.training, self.validation, self.testing)
        if not all(0 <= part <= 100 for part in parts) or abs(sum(parts) - 100) > 1e-6:
            raise DataError(
                f"shares {' '.join(f'{part:g}' for part in parts)}: expected percent for training, "
                "validation and testing that add up to 100, such as 80 10 10"
            )

    def split(self, speaker: str) -> str:
        """The split of a speaker, by the rule of Speech Commands at these shares."""
        return split_of(speaker, self.validation, self.testing)


def divide(clips: list[Clip], shares: Shares | None = None) -> list[Clip]:
    """Give clips a split: all of a speaker the same, or all of a file where no speaker is known.

    Without ``shares``, those that are in a split stay there and the others follow the rule of
    Speech Commands (80/10/10). With ``shares``, all are divided anew.
    """
    return [
        clip
        if clip.split and shares is None
        else replace(clip, split=shares.split(_owner(clip)) if shares else split_of(_owner(clip)))
        for clip in clips
    ]


def check_disjoint(clips: list[Clip], where: Path) -> None:
    """Make sure that no speaker, and no content, is in two splits.

    Raises
    ------
    DataError
        When one is; the message counts and names them and says what to do.
    """
    homes: dict[str, str] = {}
    shared = {
        clip.speaker
        for clip in clips
        if clip.speaker and homes.setdefault(clip.speaker, clip.split) != clip.split
    }
    if shared:
        raise DataError(
            f"{where}: {len(shared)} speakers are in two splits: {_some(sorted(shared))}; expected "
            "one split a speaker, else scores are too good: divide anew with --shares 80 10 10"
        )
    split_by_path = {clip.path: clip.split for clip in clips}
    across = [
        twins
        for twins in same_content(list(split_by_path))
        if len({split_by_path[path] for path in twins}) > 1
    ]
    if across:
        pairs = [
            " = ".join(
                f"{path} ({split_by_path[path]})" for path in _one_a_split(twins, split_by_path)
            )
            for twins in across
        ]
        raise DataError(
            f"{where}: {len(across)} contents are in files of two splits: {_some(pairs)}; expected "
            "each recording once, else scores are too good: remove the copies, or name one speaker "
            "for both"
        )


def same_content(paths: list[Path]) -> list[list[Path]]:
    """Files that hold the same bytes, each group in the order given.

    Only files of one size are opened, and read whole only where their middles agree. Files that
    cannot be read are in no group.
    """
    groups = _regroup([paths], lambda path: path.stat().st_size)
    with progress("comparing contents", sum(map(len, groups)), "files") as advance:
        groups = _regroup(groups, _middle, advance)
    return _regroup(groups, _digest)


def counts(clips: Iterable[Clip]) -> dict[str, dict[str, tuple[int, int]]]:
    """Clips and known speakers by label, sorted, and by split."""
    number: dict[tuple[str, str], int] = defaultdict(int)
    speakers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for clip in clips:
        number[clip.label, clip.split] += 1
        speakers[clip.label, clip.split] |= {clip.speaker} - {""}
    labels = sorted({label for label, _ in number})
    return {
        label: {split: (number[label, split], len(speakers[label, split])) for split in SPLITS}
        for label in labels
    }


def _owner(clip: Clip) -> str:
    """Whose hash decides: a file of no known speaker counts as one, by its name."""
    return clip.speaker or speaker_of(clip.path.name)


def _one_a_split(twins: list[Path], split_by_path: dict[Path, str]) -> list[Path]:
    return list({split_by_path[path]: path for path in reversed(twins)}.values())[::-1]


def _some(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _regroup(
    groups: Iterable[list[Path]],
    key: Callable[[Path], Hashable],
    advance: Callable[[], None] = lambda: None,
) -> list[list[Path]]:
    """Divide groups by a key; those of one file, and files of which it cannot be told, go."""
    parts = []
    for group in groups:
        by_key: dict[Hashable, list[Path]] = defaultdict(list)
        for path in group:
            advance()
            try:
                by_key[key(path)].append(path)
            except OSError:
                continue
        parts += [part for part in by_key.values() if len(part) > 1]
    return parts


def _middle(path: Path) -> bytes:
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size // 2 - _PEEK_BYTES // 2))
        return hashlib.blake2b(file.read(_PEEK_BYTES), digest_size=16).digest()


def _digest(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()

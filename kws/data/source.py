"""Where an example comes from: a recording, parts of recordings, or nothing but noise."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Piece = tuple[Path, float, float | None]
"""A sound file, where a clip begins in it, and how long it is (None: to the end); in seconds."""
How = Literal["blended", "turned", "joined", "first", "last", "reversed", "rejoined"]


@dataclass(frozen=True, slots=True)
class Made:
    """How a word that nobody said is made."""

    how: How
    """One word's consonants, another's vowels, a third one's consonants, or (``turned``) those that
    the third begins with, backwards; two words' halves joined; the first or the last part of a
    word; a word played backwards; and two takes of one word joined, which is that word still, as it
    is where all that is blended are takes of it"""
    pieces: tuple[Piece, ...]
    """Three to blend, of which one may stand in two places, without a joint then; two to join; else
    one"""


@dataclass(frozen=True, slots=True)
class Source:
    """Where examples come from: a clip, or silence to be made where ``path`` is None."""

    path: Path | None
    label: int
    number: int
    """Counted within clips, within made silence, and within made words; decides the random
    numbers."""
    start_s: float = 0.0
    duration_s: float | None = None
    word: str = ""
    """What is said, where it is known."""
    take: int = 0
    """Of a clip that stands in training several times: each has copies of its own."""
    made: tuple[Made, ...] = ()
    """Of a made word: one for each copy; ``path`` is then that of the first piece."""

    @property
    def again(self) -> bool:
        """Whether it is of clips that are sources themselves: a made word, or a further take."""
        return bool(self.made or self.take)

    @property
    def piece(self) -> Piece:
        """The recording, or what is used of it."""
        assert self.path is not None, "made silence has no recording"
        return self.path, self.start_s, self.duration_s

    def name_in(self, root: Path) -> str:
        """The recording's path within a data folder or a manifest's, and where in it."""
        path, start_s, _ = self.piece
        base = root if root.is_dir() else root.parent
        name = str(path.relative_to(base) if path.is_relative_to(base) else path)
        return f"{name}, from {start_s:g} s" if start_s else name

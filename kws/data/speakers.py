"""Who speaks in a clip, by the name of its file."""

import re
from dataclasses import replace
from pathlib import Path

from kws.data.manifest import Clip
from kws.data.scan import Tally
from kws.errors import DataError

SPEECH_COMMANDS = r"([^/]+)_nohash_[^/]*$"
"""The pattern where no other is given"""


def name_speakers(
    clips: list[Clip], roots: list[Path], pattern: str | None = None
) -> tuple[list[Clip], list[str]]:
    """Name the speaker of the clips that have none.

    Parameters
    ----------
    clips : clips; those with a speaker stay as they are.
    roots : folders; the pattern is searched for in a path below one of these.
    pattern : regular expression with a group named ``speaker``, or a first group; by default the
        manner of Speech Commands, ``SPEAKER_nohash_NUMBER.wav``.

    Returns
    -------
    the clips, and notes on those of which the speaker is not known.

    Raises
    ------
    DataError
        When the pattern is no regular expression, has no group, or finds not one speaker.
    """
    expression = _compiled(pattern or SPEECH_COMMANDS)
    group = "speaker" if "speaker" in expression.groupindex else 1
    unknown = Tally("clips of no known speaker, divided by file", shown=3)
    named = []
    for clip in clips:
        if not clip.speaker:
            name = _below(clip.path, roots)
            match = expression.search(name)
            speaker = (match.group(group) or "").strip() if match else ""
            if speaker:
                clip = replace(clip, speaker=speaker)
            else:
                unknown.add(name)
        named.append(clip)
    if pattern and unknown.count == len(clips):
        raise DataError(
            f"speaker pattern {pattern!r}: finds no speaker in {unknown.count} names such as "
            f"{unknown.first[0]!r}; expected a pattern such as '([^/]+)_[0-9]+[.]wav$'"
        )
    return named, [str(unknown)] if unknown.count else []


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise DataError(
            f"speaker pattern {pattern!r}: no regular expression ({error}); "
            "expected one such as '([^/]+)_[0-9]+[.]wav$'"
        ) from error
    if not expression.groups:
        raise DataError(
            f"speaker pattern {pattern!r}: no group; put ( ) around the part that is the speaker"
        )
    return expression


def _below(path: Path, roots: list[Path]) -> str:
    """The path below the first of the roots that holds it."""
    for root in roots:
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.as_posix()

"""Which clips of Speech Commands make a task.

By the rules of the paper (Warden 2018, arXiv:1804.03209) and its training code: a speaker's hash
decides on the split, and of the words that are no keywords each split gets a tenth of the number
of its keyword clips, chosen at random. Silence for training is made from ``_background_noise_`` by
the recipe, and is not among the clips.
"""

import math
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from kws.data.commands_archive import LISTS, TEST_FOLDER
from kws.data.folder import sound_files
from kws.data.manifest import SPLITS, TESTING, VALIDATION, Clip
from kws.data.speech_commands import COMMANDS, speaker_of, speaker_of_unknown, split_of
from kws.errors import DataError
from kws.recipe_data import SILENCE, UNKNOWN

UNKNOWN_SHARE = 0.1
"""Clips of other words in a split, as a share of its keyword clips."""
_SHOWN = 3


@dataclass(frozen=True)
class Task:
    """What a manifest is written of."""

    keywords: tuple[str, ...]
    clips: list[Clip]
    """Labelled with the word that is said; ``unknown`` and ``silence`` only in the test archive."""
    notes: tuple[str, ...]
    """What was left out, and what did not agree."""


def make_task(root: Path, keywords: tuple[str, ...] | None, rng: np.random.Generator) -> Task:
    """Choose the clips of a task.

    The ten commands are tested on the official test archive where it lies in ``_test_``; other
    keywords, some of which it has among its unknown words, on the corpus's testing speakers.

    Parameters
    ----------
    root : the unpacked corpus.
    keywords : None makes all words keywords, and none unknown.
    rng : chooses among the other words.

    Raises
    ------
    DataError
        When a keyword is no word of the corpus, or the folder is not one of Speech Commands.
    """
    words = _list_words(root)
    if keywords is None:
        keywords = tuple(words)
    _require_words(keywords, words, root)
    clips = [clip for word in words for clip in words[word]]
    notes = _compare_lists(root, clips)
    spoken = [clip for clip in clips if clip.label in keywords]
    others = [clip for clip in clips if clip.label not in keywords]
    tested: list[Clip] = []
    if set(keywords) == set(COMMANDS) and (root / TEST_FOLDER).is_dir():
        tested = _list_test(root / TEST_FOLDER, keywords)
        spoken, others = ([c for c in part if c.split != TESTING] for part in (spoken, others))
        spoken, others = _without_tested_speakers(spoken, others, tested, notes)
    chosen = _choose_unknown(spoken, others, rng)
    if others:
        notes.append(
            f"{len(chosen):,} of {len(others):,} clips of other words are in the task, chosen at "
            f"random: {UNKNOWN_SHARE:.0%} of the keywords' number in each split"
        )
    clips = spoken + chosen + tested
    there = {clip.split for clip in clips}
    notes += [f"no {split} clips" for split in SPLITS if split not in there]
    return Task(keywords, clips, tuple(notes))


def count_clips(task: Task) -> dict[str, Counter[str]]:
    """How many clips a split has, by label; words that are no keywords count as ``unknown``."""
    counts = {label: Counter[str]() for label in (*task.keywords, UNKNOWN, SILENCE)}
    for clip in task.clips:
        counts[clip.label if clip.label in counts else UNKNOWN][clip.split] += 1
    return {
        label: count
        for label, count in counts.items()
        if count.total() or label not in (UNKNOWN, SILENCE)
    }


def _list_words(root: Path) -> dict[str, list[Clip]]:
    """The clips of each word's folder, sorted by name."""
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir())
    except OSError as error:
        raise DataError(f"{root}: cannot be listed ({error.strerror})") from error
    words = {}
    for folder in folders:
        if not folder.name.startswith(("_", ".")):
            speakers = [(path, speaker_of(path.name)) for path in sound_files(folder)]
            words[folder.name] = [Clip(p, folder.name, s, split_of(s)) for p, s in speakers]
    return words


def _require_words(keywords: tuple[str, ...], words: dict[str, list[Clip]], root: Path) -> None:
    for index, word in enumerate(keywords):
        if word in keywords[:index]:
            raise DataError(f"keyword {word!r} is given twice; name each once")
        if not words.get(word):
            near = get_close_matches(word, words, 1)
            hint = f"; {near[0]!r} is there" if near else ""
            raise DataError(
                f"{root}: no clips of {word!r}, expected one of {', '.join(words) or 'no words'}"
                f"{hint}"
            )
    if not keywords:
        raise DataError(f"{root}: no folder of any word, expected Speech Commands, a folder a word")


def _compare_lists(root: Path, clips: list[Clip]) -> list[str]:
    """Hold the published lists of validation and testing clips against the hash rule."""
    by_hash = {f"{clip.label}/{clip.path.name}": clip.split for clip in clips}
    notes = []
    for split, name in zip((VALIDATION, TESTING), LISTS, strict=True):
        try:
            listed = set((root / name).read_text(encoding="utf-8").split())
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{root / name}: cannot be read ({error})") from error
        hashed = {clip for clip, its in by_hash.items() if its == split}
        for found, what in (
            (listed - by_hash.keys(), "listed but not there"),
            (listed & by_hash.keys() - hashed, f"listed, but by the hash not in {split}"),
            (hashed - listed, f"not listed, but by the hash in {split}"),
        ):
            if found:
                notes.append(f"{name}: {len(found):,} clips {what}: {_some(sorted(found))}")
    return notes


def _list_test(folder: Path, keywords: tuple[str, ...]) -> list[Clip]:
    """The clips of the official test archive."""
    clips = []
    for name in (*keywords, f"_{UNKNOWN}_", f"_{SILENCE}_"):
        sounds = sound_files(folder / name) if (folder / name).is_dir() else []
        if not sounds:
            raise DataError(f"{folder / name}: no clips, expected the official test archive")
        for path in sounds:
            if name == f"_{SILENCE}_":
                speaker = ""
            else:
                speaker = (speaker_of if name in keywords else speaker_of_unknown)(path.name)
            clips.append(Clip(path, name.strip("_"), speaker, TESTING))
    return clips


def _without_tested_speakers(
    spoken: list[Clip], others: list[Clip], tested: list[Clip], notes: list[str]
) -> tuple[list[Clip], list[Clip]]:
    """Keep the test archive whole, and the training free of its speakers."""
    speakers = {clip.speaker for clip in tested if clip.speaker}
    shared = {clip.speaker for clip in spoken + others} & speakers
    if not shared:
        return spoken, others
    kept = tuple([c for c in part if c.speaker not in shared] for part in (spoken, others))
    left_out = len(spoken) + len(others) - sum(map(len, kept))
    notes.append(
        f"{left_out:,} clips left out, {len(shared)} speakers of the test archive are not testing "
        f"speakers by the hash: {_some(sorted(shared))}"
    )
    return kept[0], kept[1]


def _choose_unknown(spoken: list[Clip], others: list[Clip], rng: np.random.Generator) -> list[Clip]:
    """A tenth of the number of a split's keyword clips, rounded up, of its other words."""
    chosen = []
    for split in SPLITS:
        pool = [clip for clip in others if clip.split == split]
        wanted = math.ceil(UNKNOWN_SHARE * sum(clip.split == split for clip in spoken))
        picked = rng.permutation(len(pool))[:wanted]
        chosen += [pool[index] for index in sorted(picked)]
    return chosen


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")

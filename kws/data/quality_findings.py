"""What is wrong with a corpus: clip by clip, between clips, and label by label."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kws.data.manifest import SPLITS, Clip
from kws.data.quality import Check, checks
from kws.data.quality_corpus import SAME, Measured, path_text
from kws.recipe_data import SILENCE, UNKNOWN

FEW_SPEAKERS = 20
"""A word that fewer say is learnt with their voices."""
SMALL_SHARE = 0.1
"""Of the clips of the largest label."""


@dataclass(frozen=True)
class Case:
    """One thing that is wrong: with a clip, with clips of one content, or with none in special."""

    clips: tuple[Clip, ...]
    text: str


@dataclass(frozen=True)
class Finding:
    """One kind of fault with all its cases, the worst first."""

    name: str
    meaning: str
    serious: bool
    """scores measured on this corpus are wrong, or clips are not there"""
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class LabelFacts:
    """One label's share of a corpus; of its readable clips where something was measured."""

    label: str
    clips: int
    splits: tuple[int, ...]
    """clips of each split, in the order of ``SPLITS``"""
    speakers: int | None
    """None where none is known"""
    seconds: float
    floor_dbfs: float | None
    """median noise floor"""
    snr_db: float | None
    """median of speech over the noise floor"""
    faulty: int
    """clips with a fault of their own"""


@dataclass(frozen=True)
class Quality:
    """What is to be known about a corpus before training on it."""

    root: Path
    sample_rate_hz: int
    clips: int
    seconds: float
    speakers: int | None
    findings: tuple[Finding, ...]
    """those with cases: the serious first, then as they are looked for"""
    labels: tuple[LabelFacts, ...]


def judge(measured: Measured, sample_rate_hz: int) -> Quality:
    """Name what is wrong with a corpus that should be at ``sample_rate_hz``."""
    readable = measured.table["sample_rate_hz"] > 0
    faulty = ~readable
    single = []
    for check in checks(sample_rate_hz):
        cases, positions = _failed(check, measured, readable)
        faulty[positions] = True
        single.append(Finding(check.name, check.meaning, False, cases))
    labels = _label_facts(measured, readable, faulty)
    findings = [
        *_repeated(measured),
        _unreadable(measured),
        *single,
        *_of_labels(labels),
        _left_out(measured),
    ]
    found = [finding for finding in findings if finding.cases]
    return Quality(
        root=measured.root,
        sample_rate_hz=sample_rate_hz,
        clips=len(measured.clips),
        seconds=float(measured.table["duration_s"].sum(dtype=np.float64)),
        speakers=_speakers(measured.clips),
        findings=tuple(sorted(found, key=lambda finding: not finding.serious)),
        labels=labels,
    )


def _failed(
    check: Check, measured: Measured, readable: np.ndarray
) -> tuple[tuple[Case, ...], np.ndarray]:
    """The clips that fail a check, the worst first; and their positions."""
    badness = np.where(readable, check.badness(measured.measures()), 0.0)
    positions = np.argsort(-badness, kind="stable")[: np.count_nonzero(badness > 0)]
    if check.of_speech:
        spoken = [measured.clips[position].label != SILENCE for position in positions]
        positions = positions[np.array(spoken, bool)]
    cases = [
        Case((measured.clips[position],), check.text(measured.one(position)))
        for position in positions
    ]
    return tuple(cases), positions


def _repeated(measured: Measured) -> list[Finding]:
    """Clips of one content, by the worst that they do; the largest groups first."""
    kinds = (
        "in two splits",
        "under two labels",
        "repeated",
    )
    found: dict[str, list[Case]] = {kind: [] for kind in kinds}
    for positions in _groups(measured.table[SAME]):
        clips = tuple(measured.clips[position] for position in positions)
        splits = [split for split in SPLITS if any(clip.split == split for clip in clips)]
        labels = list(dict.fromkeys(clip.label for clip in clips))
        kind = kinds[0] if len(splits) > 1 else kinds[1] if len(labels) > 1 else kinds[2]
        text = f"{len(clips)} clips: {', '.join(splits)}; {', '.join(labels)}"
        found[kind].append(Case(clips, text))
    meanings = (
        "the same samples in more than one split: scores on it are too good",
        "the same samples under more than one label: one of the labels is wrong",
        "the same samples more than once, in one split and under one label",
    )
    return [
        Finding(kind, meaning, kind != "repeated", tuple(sorted(cases, key=_fewer_clips)))
        for (kind, cases), meaning in zip(found.items(), meanings, strict=True)
    ]


def _fewer_clips(case: Case) -> int:
    return -len(case.clips)


def _groups(same: np.ndarray) -> list[np.ndarray]:
    """Positions of equal numbers other than 0, where there are at least two."""
    order = np.argsort(same, kind="stable")
    starts = np.flatnonzero(np.diff(same[order])) + 1
    return [group for group in np.split(order, starts) if len(group) > 1 and same[group[0]] != 0]


def _unreadable(measured: Measured) -> Finding:
    cases = [Case((measured.clips[at],), reason) for at, reason in measured.bad.items()]
    meaning = "cannot be used; training leaves out these clips, or stops where they are many"
    return Finding("unreadable", meaning, True, tuple(cases))


def _label_facts(
    measured: Measured, readable: np.ndarray, faulty: np.ndarray
) -> tuple[LabelFacts, ...]:
    """The labels, those with most clips first."""
    members = defaultdict(list)
    for position, clip in enumerate(measured.clips):
        members[clip.label].append(position)
    facts = []
    for label, positions in members.items():
        clips = [measured.clips[position] for position in positions]
        splits = Counter(clip.split for clip in clips)
        there = [position for position in positions if readable[position]]
        measures = measured.measures(np.array(there, int))
        facts.append(
            LabelFacts(
                label=label,
                clips=len(clips),
                splits=tuple(splits[split] for split in SPLITS),
                speakers=_speakers(clips),
                seconds=float(np.sum(measures.duration_s)),
                floor_dbfs=float(np.median(measures.floor_dbfs)) if there else None,
                snr_db=float(np.median(measures.snr_db)) if there else None,
                faulty=int(np.count_nonzero(faulty[positions])),
            )
        )
    return tuple(sorted(facts, key=lambda one: (-one.clips, one.label)))


def _speakers(clips: list[Clip]) -> int | None:
    """How many speakers there are; a clip that is named as its own speaker has no known one."""
    known = {clip.speaker for clip in clips if clip.speaker not in ("", clip.path.stem)}
    return len(known) or None


def _of_labels(labels: tuple[LabelFacts, ...]) -> list[Finding]:
    most = max((one.clips for one in labels), default=0)
    used = [split for i, split in enumerate(SPLITS) if any(one.splits[i] for one in labels)]
    spoken = [one for one in labels if one.label not in (SILENCE, UNKNOWN)]
    small = [
        Case((), f"{one.label}: {one.clips} clips, {most / one.clips:.0f} times fewer")
        for one in reversed(spoken)
        if one.clips < SMALL_SHARE * most
    ]
    few = [
        Case((), f"{one.label}: {one.speakers}")
        for one in sorted(spoken, key=lambda one: one.speakers or 0)
        if one.speakers is not None and one.speakers < FEW_SPEAKERS
    ]
    missing = [
        Case((), f"{one.label}: no {split} clips")
        for one in spoken
        for split in used
        if not one.splits[SPLITS.index(split)]
    ]
    return [
        Finding("few speakers", f"a word said by fewer than {FEW_SPEAKERS}", False, tuple(few)),
        Finding(
            "few clips",
            f"a word with less than {SMALL_SHARE:.0%} of the largest label's; few for a keyword",
            False,
            tuple(small),
        ),
        Finding(
            "missing split", "a word that one of the splits does not have", False, tuple(missing)
        ),
    ]


def _left_out(measured: Measured) -> Finding:
    cases = tuple(
        Case((), f"{len(paths)} × {kind}, such as {path_text(paths[0], measured.root)}")
        for kind, paths in sorted(measured.left_out.items(), key=lambda item: -len(item[1]))
    )
    return Finding("left out", "what lies in the folders and is not read", False, cases)

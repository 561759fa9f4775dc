"""Runs side by side: their verified files, seeds of one recipe taken together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal

from kws.errors import KwsError, RunError
from kws.recipe import Recipe
from kws.report.answers import answers_path, read_answers
from kws.report.run_facts import VerifiedFile, read_history, read_run_recipe, read_verified
from kws.run import RunFolder, read_json


@dataclass(frozen=True)
class Clips:
    """What a file was verified on."""

    by_label: tuple[tuple[str, int], ...]
    """In alphabetical order"""
    fingerprint: str
    """Of the recordings; empty where the run has not kept it"""
    folder: str

    @property
    def count(self) -> int:
        return sum(count for _, count in self.by_label)


@dataclass(frozen=True)
class Entry:
    """A verified file of a run."""

    run: Path
    recipe: Recipe
    facts: VerifiedFile
    epochs: int
    minutes: float | None
    """Of training, where the run has noted it"""
    clips: Clips


@dataclass(frozen=True)
class Figure:
    """A number, or the mean of several."""

    mean: float
    deviation: float | None
    """Standard deviation between seeds (n - 1 below the line); None of one"""


@dataclass(frozen=True)
class Row:
    """One file, or those of several seeds of a recipe."""

    name: str
    entries: tuple[Entry, ...]
    figures: dict[str, Figure | None]
    """By the names of :data:`FIGURES`; None where not known"""

    @property
    def facts(self) -> VerifiedFile:
        return self.entries[0].facts

    @property
    def accuracy(self) -> float:
        """Of the deployed file in TFLM, 0..1; every row has one."""
        return fmean(map(_deployed, self.entries))


@dataclass(frozen=True)
class Test:
    """The rows that were measured on the same clips."""

    clips: Clips
    rows: tuple[Row, ...]
    certain: bool
    """Whether it is known of all that the clips are the same, not only as many of each label"""


@dataclass
class Comparison:
    """All that was asked for."""

    tests: list[Test]
    left_out: list[str] = field(default_factory=list)
    """A sentence for each run that is in no row"""


def _deployed(entry: Entry) -> float:
    return entry.facts.rows[-1].accuracy


def _unseen(entry: Entry, name: Literal["maximum", "decoder"]) -> float | None:
    found = entry.facts.open_set
    return getattr(found, name).taken.value if found else None


def _compressed(entry: Entry, name: str) -> int | None:
    return getattr(entry.facts.compressed, name, None)


FIGURES: dict[str, Any] = {
    "weights": lambda entry: entry.facts.weights,
    "file_bytes": lambda entry: entry.facts.file_bytes,
    "deflated_bytes": lambda entry: entry.facts.deflated_bytes,
    "arena_bytes": lambda entry: entry.facts.arena_bytes,
    "compressed_bytes": lambda entry: _compressed(entry, "file_bytes"),
    "compressed_arena_bytes": lambda entry: _compressed(entry, "arena_bytes"),
    "macs_per_second": lambda entry: entry.facts.macs_per_second,
    "float_accuracy": lambda entry: entry.facts.rows[0].accuracy,
    "accuracy": _deployed,
    "int8_cost": lambda entry: (
        entry.facts.rows[0].accuracy - _deployed(entry) if entry.facts.precision == "int8" else None
    ),
    "agreement_with_float": lambda entry: entry.facts.rows[-1].agreement_with_float,
    "unseen_taken": lambda entry: _unseen(entry, "maximum"),
    "unseen_taken_at_threshold": lambda entry: _unseen(entry, "decoder"),
    "epochs": lambda entry: entry.epochs,
    "minutes": lambda entry: entry.minutes,
}
"""How each figure of a row is read. ``accuracy`` is that of the deployed file in TFLM; ``unseen``:
the share of clips of words never heard that it takes for a keyword."""


def compare(paths: Sequence[Path], each: bool = False) -> Comparison:
    """Read runs and lay them out: tests, and in each a row for every file of every recipe.

    Parameters
    ----------
    each : give every run a row of its own, whatever the recipes.

    Raises
    ------
    RunError
        When not one run can be compared.
    """
    entries: list[Entry] = []
    left_out: list[str] = []
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            left_out.append(f"{path}: named twice, counted once")
            continue
        seen.add(path.resolve())
        try:
            entries += _read(path)
        except KwsError as error:
            left_out.append(str(error))
    if not entries:
        raise RunError("none of the runs can be compared: " + "; ".join(left_out))
    tests = []
    for clips, some, certain in _by_clips(entries):
        groups = [[entry] for entry in some] if each else _by_recipe(some, left_out)
        names = _names(groups)
        rows = (_row(name, group) for name, group in zip(names, groups, strict=True))
        tests.append(Test(clips, tuple(rows), certain))
    return Comparison(tests, left_out)


def _read(path: Path) -> list[Entry]:
    run = RunFolder(path)
    if not path.is_dir():
        raise RunError(f"{path}: no such run folder; tools/train.py makes one")
    recipe = read_run_recipe(run)
    labels = recipe.data.labels
    epochs = len(read_history(run).phases)
    notes = read_json(run.facts) if run.facts.is_file() else {}
    minutes = notes.get("training_minutes")
    found = []
    for facts in read_verified(run, labels):
        answers = read_answers(answers_path(run, facts.file), facts.confusion)
        counts = dict(zip(labels, map(sum, facts.confusion), strict=True))
        clips = Clips(
            tuple(sorted(counts.items())),
            str(answers.fingerprint) if answers else "",
            str(notes.get("data", "")),
        )
        found.append(Entry(path, recipe, facts, epochs, minutes, clips))
    return found


def _by_clips(entries: list[Entry]) -> list[tuple[Clips, list[Entry], bool]]:
    """Part those that were measured on different clips, as far as that is known."""
    known: dict[tuple, list[Entry]] = {}
    for entry in entries:
        if entry.clips.fingerprint:
            known.setdefault((entry.clips.by_label, entry.clips.fingerprint), []).append(entry)
    uncertain = set()
    for entry in entries:
        if entry.clips.fingerprint:
            continue
        like = [key for key in known if key[0] == entry.clips.by_label]
        key = like[0] if len(like) == 1 else (entry.clips.by_label, "")
        known.setdefault(key, []).append(entry)
        uncertain.add(key)
    order = {id(entry): place for place, entry in enumerate(entries)}
    tests = []
    for key, some in known.items():
        some.sort(key=lambda entry: order[id(entry)])
        tests.append((some[0].clips, some, key not in uncertain or len(some) == 1))
    return sorted(tests, key=lambda test: order[id(test[1][0])])


def _by_recipe(entries: list[Entry], left_out: list[str]) -> list[list[Entry]]:
    """Put seeds of one recipe together; a seed that is there already is left out, and named."""
    groups: dict[tuple, list[Entry]] = {}
    for entry in entries:
        facts = entry.facts
        recipe = entry.recipe.model_dump_json(exclude={"seed"})
        group = groups.setdefault((recipe, facts.file, facts.form, facts.state), [])
        twin = next((one for one in group if one.recipe.seed == entry.recipe.seed), None)
        if twin:
            left_out.append(
                f"{entry.run} ({facts.file}): the same recipe and seed as {twin.run}, not counted "
                "again; --each shows both"
            )
            continue
        group.append(entry)
    return list(groups.values())


def _names(groups: list[list[Entry]]) -> list[str]:
    """A short name for each group, with the run's path where others have the same."""
    several = [len(group) > 1 for group in groups]
    short = [
        group[0].recipe.name if more else group[0].run.name
        for group, more in zip(groups, several, strict=True)
    ]
    names = []
    for name, group, more in zip(short, groups, several, strict=True):
        first = group[0]
        same = [other[0] for other, like in zip(groups, short, strict=True) if like == name]
        if len({one.run for one in same}) > 1:
            name = f"{name} ({first.run} …)" if more else str(first.run)
        names.append(name if first.facts.file == "model.tflite" else f"{name} {first.facts.file}")
    return names


def _row(name: str, entries: list[Entry]) -> Row:
    figures: dict[str, Figure | None] = {}
    for figure, read in FIGURES.items():
        values = [read(entry) for entry in entries]
        there = all(value is not None and math.isfinite(value) for value in values)
        figures[figure] = (
            Figure(fmean(values), stdev(values) if len(values) > 1 else None) if there else None
        )
    return Row(name, tuple(entries), figures)

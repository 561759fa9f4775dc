"""The run folder: what a training leaves behind, and whether it is whole."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kws.errors import RunError
from kws.files import write_json
from kws.recipe import Recipe
from kws.recipe_io import read_recipe, write_recipe


@dataclass(frozen=True)
class RunFolder:
    """Names of the files in ``runs/<recipe>/``."""

    path: Path

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def facts(self) -> Path:
        """Where the data lie, and a fingerprint of them."""
        return self.path / "run.json"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoints" / "last.npz"

    def best(self, phase: str) -> Path:
        """Weights of the best epoch of a phase, where the recipe keeps them."""
        return self.path / "checkpoints" / f"best_{phase}.npz"

    @property
    def history(self) -> Path:
        return self.path / "history.csv"

    @property
    def keras_model(self) -> Path:
        return self.path / "model.keras"

    @property
    def tflite(self) -> Path:
        return self.path / "model.tflite"

    @property
    def float_tflite(self) -> Path:
        return self.path / "model_float.tflite"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def cache(self) -> Path:
        """Features on disk, shared by the runs beside this one."""
        return self.path.parent / "cache"


def require_unused(folders: Sequence[Path]) -> None:
    """Refuse, by a RunError, run folders of which one holds something."""
    for folder in folders:
        if folder.is_dir() and any(folder.iterdir()):
            raise RunError(
                f"{folder}: already holds something; go on by --resume, give --out another name, "
                "or remove it"
            )


def start_run(path: Path, recipe: Recipe, resume: bool) -> RunFolder:
    """Make the folder of a new run, or check that of one to go on with.

    Raises
    ------
    RunError
        When a new run would write over an old one, when there is nothing to resume, or when what
        is there was made by another recipe.
    """
    run = RunFolder(path)
    if path.exists() and not path.is_dir():
        raise RunError(f"{path}: is a file; --out wants a folder for the run")
    if resume:
        if not run.recipe.is_file():
            raise RunError(f"{path}: nothing to resume (no recipe.yaml); start it without --resume")
        difference = first_difference(read_recipe(run.recipe), recipe)
        if difference:
            raise RunError(
                f"{path}: was made by another recipe ({difference}); "
                "resume with that recipe, or give --out another folder"
            )
        return run
    if path.is_dir() and any(path.iterdir()):
        found = "a run" if run.recipe.is_file() else f"{next(path.iterdir()).name!r}"
        raise RunError(
            f"{path}: already holds {found}; go on with it by --resume, give --out another folder, "
            "or remove it"
        )
    write_recipe(recipe, run.recipe)
    return run


def open_run(path: Path) -> tuple[RunFolder, Recipe, dict[str, Any]]:
    """A trained run: its files, its recipe, its facts.

    Raises
    ------
    RunError
        When the folder is missing or a file that training writes is not there.
    """
    run = RunFolder(path)
    if not path.is_dir():
        raise RunError(f"{path}: no such run folder; tools/train.py makes one")
    for file in (run.recipe, run.facts, run.keras_model):
        if not file.is_file():
            raise RunError(
                f"{path}: half written, {file.name} is missing; "
                "finish the training with tools/train.py RECIPE --resume"
            )
    return run, read_recipe(run.recipe), read_json(run.facts)


def note_data(run: RunFolder, data: Path, fingerprint: str, clips: str) -> None:
    """Write down which data a run uses; refuse other data in a resumed one.

    Parameters
    ----------
    fingerprint : of all that the run's features depend on.
    clips : :func:`kws.nn.fingerprint.clips_fingerprint`, of the data's own clips.
    """
    before = read_json(run.facts) if run.facts.is_file() else {}
    if before and before.get("data_fingerprint") != fingerprint:
        raise RunError(
            f"{run.path}: was trained on other data than {data} (or they have changed since); "
            "resume with the same clips, or give --out another folder"
        )
    now = {"data": str(data.resolve()), "data_fingerprint": fingerprint, "clips_fingerprint": clips}
    write_json(run.facts, {**before, **now})


def check_heard(run: RunFolder, data: Path, clips: str) -> None:
    """Refuse a finished run, such as a teacher's, that heard other clips than those of ``data``.

    Runs of earlier versions noted no fingerprint of the clips: of them the data's path has to do.
    """
    facts = read_json(run.facts)
    before = facts.get("data")
    same = before == str(data.resolve())
    if "clips_fingerprint" in facts:
        same = facts["clips_fingerprint"] == clips
    if not same:
        raise RunError(
            f"{run.path}: was trained on other clips ({before}) than those of {data}, and may have "
            "heard what these hold back; give --out a folder elsewhere, such as other/NAME: its "
            "teachers are trained beside it, on the same clips"
        )


def note_minutes(run: RunFolder, minutes: float) -> None:
    """Write down how long the training took, in all the parts it was done in."""
    write_json(run.facts, {**read_json(run.facts), "training_minutes": round(minutes, 2)})


def read_json(path: Path, remedy: str = "train again") -> dict[str, Any]:
    """Read a JSON file that a program wrote.

    Parameters
    ----------
    remedy : what to do where it cannot be read.

    Raises
    ------
    RunError
        When the file cannot be read, or is no JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}); {remedy}") from error
    if not isinstance(values, dict):
        raise RunError(f"{path}: not a section of facts; {remedy}")
    return values


def read_metrics(path: Path) -> dict[str, Any]:
    """Read a run's ``metrics.json``; :func:`read_json` says what is raised."""
    return read_json(path, "remove it and convert again")


def first_difference(before: Recipe, now: Recipe) -> str:
    """The first key in which two recipes differ, with both values; empty where they are equal."""
    old, new = _flat(before.model_dump(), ""), _flat(now.model_dump(), "")
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            return f"{key} was {old.get(key)!r}, is {new.get(key)!r}"
    return ""


def _flat(values: dict[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat

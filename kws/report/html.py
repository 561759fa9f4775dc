"""The report of a run: one HTML file with its figures, plots and recipe."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment
from markupsafe import Markup
from pydantic import TypeAdapter, ValidationError

from kws.errors import RunError
from kws.files import write_text
from kws.recipe import DecoderConfig, Recipe
from kws.recipe_io import read_recipe, recipe_text
from kws.report import plots
from kws.report.page import page_environment
from kws.report.tables import drift_text
from kws.run import RunFolder, read_json
from kws.spotting.metrics import Scores, Share, score
from kws.tflite.verify import Row, Verification

_ROW_MEANINGS = {
    "Keras": "The model as trained, in floating point: the others are compared with it.",
    "TFLite": "The same weights as a float .tflite, run by LiteRT: what conversion alone changes.",
    "LiteRT": "The deployed file, run by the interpreter of phones and desktops.",
    "TFLM": "The deployed file, run by the microcontrollers' interpreter: what a device computes.",
}
"""By the last word of a row's name."""


@dataclass(frozen=True)
class VerifiedFile(Verification):
    """An entry of ``metrics.json``: what was measured, and of which file."""

    file: str
    form: str
    state: str
    precision: str
    weights: int
    stored_bytes: int


_FILES = TypeAdapter(dict[str, VerifiedFile])


@dataclass(frozen=True)
class Chapter:
    """One verified file as the page shows it."""

    facts: VerifiedFile
    deployed: Row
    scores: Scores
    drift: str
    matrix: Markup


def write_report(run: RunFolder) -> Path:
    """Write ``report.html``, which needs no other file, and give its path.

    It is made from ``recipe.yaml``, ``history.csv`` and ``metrics.json`` alone; the same three
    files give the same bytes.

    Raises
    ------
    RunError
        When one of the three is missing or damaged.
    RecipeError
        When the run's recipe cannot be read.
    StorageError
        When the page cannot be written.
    """
    recipe, curves = _read_recipe(run), _read_history(run)
    labels = recipe.data.labels
    files = _read_verified(run, labels)
    sizes = {file.file: _sizes(file) for file in files}
    page = _environment().get_template("report.html.j2")
    text = page.render(
        recipe=recipe,
        recipe_text=recipe_text(recipe),
        chapters=[_chapter(file, labels) for file in files],
        row_meanings=_ROW_MEANINGS,
        curves=curves,
        curves_plot=Markup(plots.learning_curves(curves)),
        sizes_plot=Markup(plots.size_bars(sizes)),
        decoder=_decoder_settings(recipe.decoder),
    )
    write_text(run.report, text)
    return run.report


def _environment() -> Environment:
    environment = page_environment()
    environment.filters["percent"] = lambda value: f"{value:.2%}"
    environment.filters["share"] = _share_text
    environment.filters["interval"] = _interval_text
    return environment


def _share_text(share: Share) -> str:
    return "–" if share.value is None else f"{share.value:.2%}"


def _interval_text(share: Share) -> str:
    return "–" if share.value is None else f"{100 * share.low:.1f}–{share.high:.1%}"


def _chapter(file: VerifiedFile, labels: tuple[str, ...]) -> Chapter:
    counts = np.array(file.confusion, np.int64)
    indices = np.indices(counts.shape).reshape(2, -1)
    truth, answers = np.repeat(indices, counts.ravel(), axis=1)
    return Chapter(
        facts=file,
        deployed=file.rows[-1],
        scores=score(truth, answers, labels),
        drift=drift_text(file.drift) if file.drift else "",
        matrix=Markup(plots.confusion(file.file, counts, labels)),
    )


def _sizes(file: VerifiedFile) -> dict[str, int]:
    if file.precision == "int8":
        weights = {"int8 weights, int32 biases": file.stored_bytes}
    else:
        weights = {"float weights": 4 * file.weights}
    return weights | {
        "model file": file.file_bytes,
        "float model file": file.float_file_bytes,
        "TFLM arena": file.arena_bytes,
    }


def _decoder_settings(decoder: DecoderConfig) -> list[tuple[str, object, str]]:
    """Name, value and meaning of each setting."""
    return [
        (name, getattr(decoder, name), (field.description or "").replace("``", ""))
        for name, field in DecoderConfig.model_fields.items()
    ]


def _read_recipe(run: RunFolder) -> Recipe:
    if not run.recipe.is_file():
        raise RunError(
            f"{run.path}: not a run folder (no {run.recipe.name}); "
            f"python tools/train.py RECIPE --out {run.path} makes one"
        )
    return read_recipe(run.recipe)


def _read_history(run: RunFolder) -> plots.Curves:
    train = f"python tools/train.py RECIPE --out {run.path} --resume trains it"
    if not run.history.is_file():
        raise RunError(f"{run.path}: no {run.history.name}, no epoch was trained yet; {train}")
    try:
        lines = list(csv.DictReader(io.StringIO(run.history.read_text(encoding="utf-8"))))
        curves = plots.Curves(
            tuple(line["phase"] for line in lines),
            tuple(float(line["loss"]) for line in lines),
            tuple(float(line["validation_accuracy"]) for line in lines),
        )
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise RunError(
            f"{run.history}: damaged ({type(error).__name__}: {error}); expected a phase, an "
            "epoch, a loss and a validation_accuracy in each line; train again into a new folder"
        ) from error
    if not lines:
        raise RunError(f"{run.history}: holds no epoch yet; {train}")
    return curves


def _read_verified(run: RunFolder, labels: tuple[str, ...]) -> list[VerifiedFile]:
    """The verified files, ``model.tflite`` first."""
    convert = f"python tools/convert.py {run.path}"
    entries = read_json(run.metrics).get("verification") if run.metrics.is_file() else None
    if not entries:
        raise RunError(f"{run.path}: no verified model file yet; {convert} makes one")
    try:
        files = _FILES.validate_python(entries)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("verification", *first["loc"]))
        problem = f"{place}: {first['msg']}"
    else:
        problem = next(filter(None, (_problem(file, labels) for file in files.values())), "")
    if problem:
        raise RunError(f"{run.metrics}: {problem}; remove the file and run {convert} again")
    return sorted(files.values(), key=lambda file: file.file != run.tflite.name)


def _problem(file: VerifiedFile, labels: tuple[str, ...]) -> str:
    """What cannot be right about an entry, or nothing."""
    counts = file.confusion
    if not file.rows:
        return f"{file.file} has no rows of figures"
    if {len(counts), *map(len, counts)} != {len(labels)}:
        return f"the confusion matrix of {file.file} is not of the recipe's {len(labels)} labels"
    if min(map(min, counts)) < 0 or sum(map(sum, counts)) != file.clips:
        return f"the confusion matrix of {file.file} does not add up to its {file.clips} clips"
    return ""

"""The report of a run: one HTML file with its figures, plots and recipe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment
from markupsafe import Markup

from kws.files import write_text
from kws.recipe import DecoderConfig, Recipe
from kws.recipe_data import SILENCE, UNKNOWN
from kws.recipe_io import recipe_text
from kws.report import plots
from kws.report.answers import Answers, answers_path, gather_answers, read_answers, write_answers
from kws.report.mistakes import Named, Shown, show_mistakes
from kws.report.page import page_environment
from kws.report.run_facts import (
    VerifiedFile,
    read_history,
    read_run_recipe,
    read_verified,
    recipe_summary,
)
from kws.report.tables import drift_text
from kws.run import RunFolder
from kws.spotting.metrics import Scores, Share, detection_trade_off, scores_of
from kws.tflite.interpreter import open_model
from kws.tflite.verify import Row

SHOWN = 12
"""Mistakes that can be heard on a page, shared among its files."""
_ROW_MEANINGS = {
    "Keras": "The model as trained, in floating point: the others are compared with it.",
    "TFLite": "The same weights as a float .tflite, run by LiteRT: what conversion alone changes.",
    "LiteRT": "The deployed file, run by the interpreter of phones and desktops.",
    "TFLM": "The deployed file, run by the microcontrollers' interpreter: what a device computes.",
}
"""By the last word of a row's name."""


@dataclass(frozen=True)
class Chapter:
    """One verified file as the page shows it."""

    facts: VerifiedFile
    deployed: Row
    scores: Scores
    drift: str
    matrix: Markup
    trade_offs: Markup
    """Empty where the answers to each clip are not known, as the next two"""
    shown: Sequence[Shown]
    named: Sequence[Named]
    wrong: int
    """Of all clips"""


def report_run(run: RunFolder, model: Path, data: Path) -> Path:
    """Note what a model file that was just verified answers to each clip; write the report.

    Parameters
    ----------
    model : the file, as :func:`kws.tflite.convert_run.convert_run` wrote it.
    data : data folder or manifest, with the same clips still.

    Raises
    ------
    KwsError
        As :func:`write_report`; or when the model or the clips cannot be used.
    """
    recipe = read_run_recipe(run)
    answers = gather_answers(open_model(model, "tflm"), data, recipe)
    write_answers(answers_path(run, model.name), answers)
    return write_report(run)


def write_report(run: RunFolder) -> Path:
    """Write ``report.html``, which needs no other file, and give its path.

    It is made from ``recipe.yaml``, ``history.csv``, ``metrics.json`` and the answers to each clip
    alone; the same files give the same bytes. Without answers, or with those of another
    verification, the page lacks what needs them, and says so.

    Raises
    ------
    RunError
        When one of the first three is missing, or one is damaged.
    RecipeError
        When the run's recipe cannot be read.
    StorageError
        When the page cannot be written.
    """
    recipe, curves = read_run_recipe(run), read_history(run)
    labels = recipe.data.labels
    files = read_verified(run, labels)
    sizes = {file.file: _sizes(file) for file in files}
    page = _environment().get_template("report.html.j2")
    text = page.render(
        recipe=recipe,
        summary=recipe_summary(recipe),
        recipe_text=recipe_text(recipe),
        chapters=[_chapter(run, file, recipe, SHOWN // len(files)) for file in files],
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


def _chapter(run: RunFolder, file: VerifiedFile, recipe: Recipe, most: int) -> Chapter:
    labels = recipe.data.labels
    counts = np.array(file.confusion, np.int64)
    answers = read_answers(answers_path(run, file.file), file.confusion)
    shown, named = show_mistakes(answers, recipe, max(most, 1)) if answers else ([], [])
    return Chapter(
        facts=file,
        deployed=file.rows[-1],
        scores=scores_of(counts, labels),
        drift=drift_text(file.drift) if file.drift else "",
        matrix=Markup(plots.confusion(file.file, counts, labels)),
        trade_offs=_trade_offs(file.file, answers, recipe) if answers else Markup(),
        shown=shown,
        named=named,
        wrong=int(counts.sum() - counts.trace()),
    )


def _trade_offs(name: str, answers: Answers, recipe: Recipe) -> Markup:
    curves = {}
    for index, label in enumerate(recipe.data.labels):
        there = answers.truth == index
        if label not in (UNKNOWN, SILENCE) and there.any() and not there.all():
            curves[label] = detection_trade_off(answers.posteriors[:, index], there)
    if not curves:
        return Markup()
    thresholds = {label: recipe.decoder.threshold_of(label) for label in curves}
    return Markup(plots.trade_offs(name, curves, thresholds))


def _sizes(file: VerifiedFile) -> dict[str, int]:
    if file.precision == "int8":
        weights = {"int8 weights, int32 biases": file.stored_bytes}
    else:
        weights = {"float weights": 4 * file.weights}
    sizes = {
        "model file": file.file_bytes,
        "model file, deflated": file.deflated_bytes,
        "float model file": file.float_file_bytes,
        "TFLM arena": file.arena_bytes,
    }
    if packed := file.compressed:
        sizes |= {
            "compressed file": packed.file_bytes,
            "compressed file, deflated": packed.deflated_bytes,
            "its TFLM arena": packed.arena_bytes,
        }
    return weights | {name: size for name, size in sizes.items() if size is not None}


def _decoder_settings(decoder: DecoderConfig) -> list[tuple[str, object, str]]:
    """Name, value and meaning of each setting."""
    return [
        (name, getattr(decoder, name), (field.description or "").replace("``", ""))
        for name, field in DecoderConfig.model_fields.items()
    ]

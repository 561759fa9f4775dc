"""A comparison of runs as a table on the terminal, a page and JSON."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from markupsafe import Markup
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kws.files import write_json, write_text
from kws.report.compare import Comparison, Figure, Row, Test
from kws.report.compare_plot import bytes_svg
from kws.report.page import page_environment
from kws.report.run_facts import recipe_summary

_WIDTH = 400
"""Columns of the terminal's table, more than it needs: a number must never be cut off."""


def _count(value: float) -> str:
    return f"{value:,.0f}"


COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "weights": ("weights", _count),
    "file_bytes": ("file B", _count),
    "deflated_bytes": ("deflated B", _count),
    "arena_bytes": ("arena B", _count),
    "compressed_bytes": ("compr. B", _count),
    "compressed_arena_bytes": ("compr. arena B", _count),
    "macs_per_second": ("MAC/s", lambda value: f"{value / 1e6:.2f} M"),
    "float_accuracy": ("float %", lambda value: f"{100 * value:.2f}"),
    "accuracy": ("in TFLM %", lambda value: f"{100 * value:.2f}"),
    "int8_cost": ("int8 cost", lambda value: f"{round(100 * value, 2) + 0.0:+.2f}"),
    "agreement_with_float": ("as float %", lambda value: f"{100 * value:.2f}"),
    "unseen_taken": ("unseen %", lambda value: f"{100 * value:.1f}"),
    "unseen_taken_at_threshold": ("at thr. %", lambda value: f"{100 * value:.1f}"),
    "epochs": ("epochs", _count),
    "minutes": ("minutes", lambda value: f"{value:.1f}"),
}
"""Heading and form of each figure."""
_SPREAD = {
    "float_accuracy": 2,
    "accuracy": 2,
    "int8_cost": 2,
    "agreement_with_float": 2,
    "unseen_taken": 1,
    "unseen_taken_at_threshold": 1,
}
"""Figures whose deviation between seeds is shown, in points with so many decimals."""
_OPTIONAL = (
    "deflated_bytes", "compressed_bytes", "compressed_arena_bytes",
    "unseen_taken", "unseen_taken_at_threshold", "minutes",
)  # fmt: skip
"""Figures that are shown only where a row has them."""


def cells(row: Row, names: list[str]) -> list[str]:
    """A row's name, its seeds, its form, and these figures as text."""
    facts = row.facts
    seeds = " ".join(str(entry.recipe.seed) for entry in row.entries)
    form = f"{facts.precision} {facts.form}" + (", internal" if facts.state == "internal" else "")
    return [row.name, seeds, form, *(_text(name, row.figures[name]) for name in names)]


def _text(name: str, figure: Figure | None) -> str:
    if figure is None:
        return "–"
    text = COLUMNS[name][1](figure.mean)
    if figure.deviation is None or name not in _SPREAD:
        return text
    return f"{text} ± {100 * figure.deviation:.{_SPREAD[name]}f}"


def columns(comparison: Comparison) -> list[str]:
    """The figures that are shown."""
    rows = [row for test in comparison.tests for row in test.rows]
    return [
        name
        for name in COLUMNS
        if name not in _OPTIONAL or any(row.figures[name] is not None for row in rows)
    ]


def headings(names: list[str]) -> list[str]:
    """Of a name, the seeds, the form and these figures."""
    return ["run", "seeds", "form", *(COLUMNS[name][0] for name in names)]


def print_comparison(comparison: Comparison) -> None:
    """Print a table for each set of clips; the best accuracy in it is bold."""
    console = Console(width=_WIDTH, highlight=False)
    names = columns(comparison)
    for test in comparison.tests:
        table = Table(title=Text(title(test)), title_justify="left")
        for number, heading in enumerate(headings(names)):
            table.add_column(heading, justify="left" if number < 3 else "right", no_wrap=True)
        best = best_accuracy(test)
        for row in test.rows:
            style = "bold" if row.accuracy == best and len(test.rows) > 1 else ""
            table.add_row(*map(Text, cells(row, names)), style=style)
        console.print(table)
    for note in notes(comparison):
        console.print(Text(note))


def title(test: Test) -> str:
    """What was measured on, in a line."""
    where = f", from {test.clips.folder}" if test.clips.folder else ""
    doubt = "" if test.certain else "; not sure to be the same clips, only as many of each label"
    return f"{test.clips.count:,} validation clips, {len(test.clips.by_label)} labels{where}{doubt}"


def notes(comparison: Comparison) -> list[str]:
    """What must be known to read the tables."""
    lines = []
    if any(len(row.entries) > 1 for test in comparison.tests for row in test.rows):
        lines.append("± is the standard deviation between seeds")
    if "unseen_taken" in columns(comparison):
        lines.append(
            "unseen: clips of words never heard that are taken for a keyword; at thr.: where its "
            "posterior must reach the decoder's threshold"
        )
    if "compressed_bytes" in columns(comparison):
        lines.append(
            "compr.: the file for TFLM alone by convert.py --compressed, with the same answers"
        )
    if len(comparison.tests) > 1:
        lines.append(
            f"measured on {len(comparison.tests)} different sets of clips: figures of one table "
            "cannot be held against those of another"
        )
    return lines + [f"left out: {sentence}" for sentence in comparison.left_out]


def best_accuracy(test: Test) -> float:
    """The highest of its rows."""
    return max(row.accuracy for row in test.rows)


def write_comparison_json(path: Path, comparison: Comparison) -> None:
    """Write all figures; StorageError where that fails."""
    tests = [
        {
            "clips": test.clips.count,
            "clips_by_label": dict(test.clips.by_label),
            "fingerprint": test.clips.fingerprint,
            "same_clips_for_certain": test.certain,
            "rows": [_as_json(row) for row in test.rows],
        }
        for test in comparison.tests
    ]
    write_json(path, {"tests": tests, "left_out": comparison.left_out})


def _as_json(row: Row) -> dict[str, Any]:
    facts = row.facts
    return {
        "name": row.name,
        "recipe": row.entries[0].recipe.name,
        "runs": [str(entry.run) for entry in row.entries],
        "seeds": [entry.recipe.seed for entry in row.entries],
        "file": facts.file,
        "form": facts.form,
        "precision": facts.precision,
        "figures": {
            name: asdict(figure) if figure else None for name, figure in row.figures.items()
        },
    }


def write_comparison_page(path: Path, comparison: Comparison) -> None:
    """Write a page that needs no other file; StorageError where that fails."""
    names = columns(comparison)
    page = page_environment().get_template("compare.html.j2")
    text = page.render(
        comparison=comparison,
        plot=Markup(bytes_svg(comparison)),
        headings=headings(names),
        cells=lambda row: cells(row, names),
        title=title,
        best=best_accuracy,
        notes=notes(comparison),
        summary=recipe_summary,
    )
    write_text(path, text)

"""Accuracy against bytes, as a picture."""

from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from kws.report.compare import Comparison, Row
from kws.report.svg import PAGE, PAPER, Colours, draw_png, draw_svg

_LINE, _LETTER, _GAP = 0.045, 0.0105, 0.012
"""Height of a line of text, width of a letter, and from a dot to its name, of the picture's."""

Box = tuple[float, float, float, float]
"""Left, right, lower and upper edge"""


def write_comparison_plot(path: Path, comparison: Comparison) -> None:
    """Write a PNG; StorageError where that fails."""
    draw_png(path, (7.2, 4.4), partial(_draw, comparison=comparison, colours=PAPER))


def bytes_svg(comparison: Comparison) -> str:
    """The same as an SVG element for a page."""
    return draw_svg("bytes", (8.6, 4.6), partial(_draw, comparison=comparison, colours=PAGE))


def _draw(figure: Figure, comparison: Comparison, colours: Colours) -> None:
    """A dot a row, a colour a set of clips; bars show the deviation between seeds."""
    axes = figure.subplots()
    points: list[tuple[float, float, str]] = []
    for number, test in enumerate(comparison.tests):
        sizes = [float(row.facts.file_bytes) for row in test.rows]
        shares = [row.accuracy for row in test.rows]
        axes.errorbar(
            sizes, shares, yerr=list(map(_deviation, test.rows)), fmt="o", ms=5, lw=1, capsize=2,
            color=colours.series[number % len(colours.series)],
            label=f"{test.clips.count:,} clips, {len(test.clips.by_label)} labels",
        )  # fmt: skip
        points += zip(sizes, shares, (row.name for row in test.rows), strict=True)
    axes.margins(x=0.2, y=0.15)
    axes.set_xlabel("bytes of the model file")
    axes.set_ylabel("validation accuracy in TFLM")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    if len(comparison.tests) > 1:
        figure.legend(loc="outside upper left", ncols=3)
    axes.autoscale_view()
    _write_names(axes, points, colours.ink)


def _deviation(row: Row) -> float:
    figure = row.figures["accuracy"]
    return figure.deviation or 0.0 if figure else 0.0


def _write_names(axes: Axes, points: list[tuple[float, float, str]], ink: str) -> None:
    """Write each name beside its dot, higher or lower where something is there already."""
    places = [tuple(axes.transLimits.transform(point[:2])) for point in points]
    taken = [(x - 0.006, x + 0.006, y - 0.01, y + 0.01) for x, y in places]
    steps = sorted(range(-len(points), len(points) + 1), key=lambda step: (abs(step), step))
    for (x, y), (size, accuracy, name) in zip(places, points, strict=True):
        width = _LETTER * len(name)
        boxes = [_box(x + _GAP, width, y + step * _LINE) for step in steps]
        box = next((one for one in boxes if not any(_overlap(one, two) for two in taken)), boxes[0])
        taken.append(box)
        axes.annotate(
            name, (size, accuracy), xytext=(box[0], (box[2] + box[3]) / 2), color=ink, fontsize=8,
            textcoords="axes fraction", va="center",
        )  # fmt: skip


def _box(left: float, width: float, middle: float) -> Box:
    return left, left + width, middle - _LINE / 2, middle + _LINE / 2


def _overlap(one: Box, two: Box) -> bool:
    return one[0] < two[1] and two[0] < one[1] and one[2] < two[3] and two[2] < one[3]

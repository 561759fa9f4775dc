"""Pictures for the report of a run, each an SVG element; see :mod:`kws.report.svg`."""

from collections.abc import Mapping
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter
from scipy.special import ndtri  # the normal distribution's quantiles

from kws.report.run_facts import Curves
from kws.report.svg import CURVE, INK, LINE, RIGHT, SERIES, SHADE, SOFT, WRONG, bare, draw_svg
from kws.spotting.metrics import Det

_RATES = (
    0.0001,
    0.0002,
    0.0005,
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.4,
    0.6,
    0.8,
    0.9,
)
"""Marked on axes of error rates."""


def learning_curves(curves: Curves) -> str:
    """Loss and validation accuracy by epoch, counted from 1; the ``qat`` phase is shaded."""

    def draw(figure: Figure) -> None:
        upper, lower = figure.subplots(2, sharex=True)
        epochs = np.arange(1, len(curves.phases) + 1)
        marker = "." if len(epochs) <= 60 else ""
        upper.plot(epochs, curves.loss, color=CURVE, marker=marker)
        lower.plot(epochs, curves.validation_accuracy, color=CURVE, marker=marker)
        upper.set_ylabel("training loss")
        lower.set_ylabel("validation accuracy")
        lower.set_xlabel("epoch")
        lower.yaxis.set_major_formatter(PercentFormatter(1.0))
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        lower.set_xlim(0.5, len(epochs) + 0.5)
        _shade_qat(curves.phases, upper, lower)

    return draw_svg("learning curves", (7.2, 4.4), draw)


def size_bars(sizes: Mapping[str, Mapping[str, int]]) -> str:
    """Bars of bytes, a group for each file: ``{"model.tflite": {"model file": 30_000}}``."""

    def draw(figure: Figure) -> None:
        groups = figure.subplots(len(sizes), sharex=True, squeeze=False)[:, 0]
        largest = max(max(bars.values()) for bars in sizes.values())
        for axes, (file, bars) in zip(groups, sizes.items(), strict=True):
            drawn = axes.barh(list(bars), list(bars.values()), 0.62, color=RIGHT)
            axes.bar_label(drawn, [f"{count:,}" for count in bars.values()], padding=4)
            axes.set_title(file)
            axes.invert_yaxis()
            axes.set_xlim(0, 1.15 * max(largest, 1))
            bare(axes)
            axes.tick_params(labelbottom=False)

    rows = sum(len(bars) + 1.4 for bars in sizes.values())
    return draw_svg("sizes", (7.2, 0.25 * rows), draw)


def confusion(name: str, counts: np.ndarray, labels: tuple[str, ...]) -> str:
    """Clips by true label (rows) and given label (columns), with the counts in the cells.

    A cell is the stronger the larger its share of the row: opacity is the share's square root, so
    that rare mistakes are seen. ``counts`` is int (labels, labels); ``name`` keeps the plots of one
    page apart.
    """
    size = len(labels)
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    strengths = np.sqrt(counts / totals)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour, strength = RIGHT if row == column else WRONG, float(strengths[row, column])
                corner = (column - 0.5, row - 0.5)
                axes.add_patch(Rectangle(corner, 1, 1, facecolor=colour, alpha=strength, lw=0))
                axes.text(column, row, str(count), ha="center", va="center_baseline")
        axes.set_xlim(-0.5, size - 0.5)
        axes.set_ylim(size - 0.5, -0.5)
        long = max(map(len, labels)) > 5
        axes.set_xticks(range(size), labels, rotation=90 if long else 0)
        axes.set_yticks(range(size), labels)
        axes.tick_params(labelcolor=INK)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set_xlabel("taken for")
        axes.set_ylabel("was")
        bare(axes)
        for edge in np.arange(size + 1) - 0.5:
            axes.axhline(edge, color=LINE, lw=0.6)
            axes.axvline(edge, color=LINE, lw=0.6)

    side = size * min(0.6, max(0.42, 4.5 / size))
    margin = 0.5 + 0.085 * max(map(len, labels))
    return draw_svg(f"confusion of {name}", (side + margin, side + margin), draw)


def _shade_qat(phases: tuple[str, ...], *all_axes: Axes) -> None:
    start = 1
    for phase, epochs in groupby(phases):
        end = start + len(list(epochs))
        if phase == "qat":
            for axes in all_axes:
                axes.axvspan(start - 0.5, end - 0.5, facecolor=SHADE, edgecolor="none", zorder=0)
            middle = (start + end - 1) / 2
            transform = all_axes[0].get_xaxis_transform()
            all_axes[0].text(middle, 0.97, "qat", transform=transform, ha="center", va="top")
        start = end


def trade_offs(name: str, curves: Mapping[str, Det], thresholds: Mapping[str, float]) -> str:
    """DET curves, one a keyword, on normal-deviate axes; a dot is at its own of ``thresholds``.

    The keywords that fare worst, by equal error rate, have a colour each; others are grey. A rate
    of 0, which is nowhere on these axes, is drawn at their edge: half a clip.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        worst = sorted(curves, key=lambda keyword: -curves[keyword].equal_error_rate)
        lowest_x = min(_lowest(det.false_accept_rate) for det in curves.values())
        lowest_y = min(_lowest(det.miss_rate) for det in curves.values())
        highest = 0.4 if curves[worst[0]].equal_error_rate < 0.3 else 0.95
        for number, keyword in reversed(list(enumerate(worst))):
            det, own = curves[keyword], number < len(SERIES)
            x, y = _deviates(det.false_accept_rate, lowest_x), _deviates(det.miss_rate, lowest_y)
            label = f"{keyword}  {det.equal_error_rate:.1%}"
            colour = SERIES[number] if own else LINE
            axes.plot(x, y, color=colour, lw=1.4 if own else 1, label=label if own else None)
            at = int(np.searchsorted(det.thresholds, thresholds[keyword]))
            axes.plot(x[at], y[at], "o", color=colour, ms=4)
        for axis, lowest in ((axes.xaxis, lowest_x), (axes.yaxis, lowest_y)):
            ticks = [rate for rate in _RATES if lowest <= rate <= highest]
            axis.set_ticks(ndtri(ticks), [f"{100 * rate:g}" for rate in ticks])
        axes.set_xlim(ndtri(lowest_x) - 0.05, ndtri(highest) + 0.05)
        axes.set_ylim(ndtri(lowest_y) - 0.05, ndtri(highest) + 0.05)
        axes.plot([-4, 4], [-4, 4], color=SOFT, lw=0.8, ls=":")
        axes.set_xlabel("other clips taken for the keyword, %")
        axes.set_ylabel("clips of the keyword missed, %")
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(
            handles[::-1], labels[::-1], title="equal error rate", loc="upper left",
            bbox_to_anchor=(1.02, 1), alignment="left",
        )  # fmt: skip

    return draw_svg(f"trade-off of {name}", (7.2, 4.8), draw)


def _lowest(rates: np.ndarray) -> float:
    """What a rate of 0 is drawn at."""
    return float(rates[rates > 0].min()) / 2


def _deviates(rates: np.ndarray, lowest: float) -> np.ndarray:
    """Rates on a normal-deviate axis: what a normal distribution has below is the rate."""
    return ndtri(np.clip(rates, lowest, 1 - lowest))

"""The search's results: the front of accuracy against bytes, as a picture and on the terminal."""

from collections import Counter
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from rich.console import Console
from rich.table import Table

from kws.report.svg import PAPER, draw_png
from kws.search.plan import Budget
from kws.search.results import REPEATED, STOPPED, TRAINED, Tried, front, winner
from kws.search.space import CELLS, stem_text, units_text

_COLOURS = dict(zip(CELLS, ("#0072b2", "#d55e00", "#009e73", "#cc79a7"), strict=True))
"""Of Okabe and Ito (2008): told apart by all eyes"""


def plot_front(tried: list[Tried], budget: Budget, title: str, path: Path) -> None:
    """Write a PNG: a dot for each trained candidate, the front as a line, the winner ringed.

    Candidates that were stopped early are small and hollow, at the accuracy they had then.
    """
    draw_png(path, (7.2, 4.4), partial(_draw, tried=tried, budget=budget, title=title))


def _draw(figure: Figure, tried: list[Tried], budget: Budget, title: str) -> None:
    axes = figure.subplots()
    _dots(axes, tried)
    line = front(tried)
    sizes, shares = [_bytes(one) for one in line], [one.accuracy or 0.0 for one in line]
    axes.step(sizes, shares, where="post", color=PAPER.soft, lw=1, zorder=1)
    if line:
        axes.plot(sizes[-1], shares[-1], "o", ms=12, mfc="none", mec=PAPER.ink, label="winner")
    axes.axvline(budget.max_bytes, color=PAPER.soft, ls="--", lw=1, label="budget")
    axes.set_title(title, loc="left")
    axes.set_xlabel("bytes of model.tflite")
    axes.set_ylabel("validation accuracy")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(loc="outside right center")


def _dots(axes: Axes, tried: list[Tried]) -> None:
    for cell, colour in _COLOURS.items():
        for outcome in (TRAINED, STOPPED):
            some = [
                one
                for one in tried
                if one.outcome == outcome and one.recipe and one.recipe.model.cell == cell
            ]
            if some:
                done = outcome == TRAINED
                axes.scatter(
                    [_bytes(one) for one in some],
                    [one.accuracy or 0.0 for one in some],
                    s=36 if done else 16,
                    facecolors=colour if done else "none",
                    edgecolors=colour,
                    label=cell if done else f"{cell}, {STOPPED}",
                    zorder=2,
                )


def print_front(tried: list[Tried]) -> None:
    """Print the front as a table, the winner marked."""
    best = winner(tried)
    table = Table(
        title="the front: none that was trained is both smaller and better",
        caption="unseen: clips of words never heard that are taken for a keyword",
    )
    for heading in ("trial", "accuracy", "unseen", "bytes", "arena", "MAC/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("model", overflow="fold", min_width=16)
    for one in front(tried):
        assert one.cost is not None
        table.add_row(
            f"{'* ' if one is best else ''}{one.number}",
            f"{one.accuracy:.2%}",
            "–" if one.unseen_taken is None else f"{one.unseen_taken:.1%}",
            f"{one.cost.file_bytes:,}",
            f"{one.cost.arena_bytes:,}",
            f"{one.cost.macs_per_second / 1e6:.2f} M",
            model_text(one),
        )
    Console().print(table)


def model_text(one: Tried) -> str:
    """A candidate's model and features in a line."""
    assert one.recipe is not None
    stem = stem_text(one.recipe)
    model = f"{one.recipe.model.cell} {units_text(one.recipe)}"
    model += f" after {stem}" if stem else ""
    return f"{model}, {one.recipe.features.mel_bands} bands every {one.recipe.features.hop_ms:g} ms"


def tally(tried: list[Tried]) -> str:
    """How many candidates were trained, stopped, and left out for which reason."""
    counts = Counter(one.outcome for one in tried)
    parts = [f"{counts[outcome]} {outcome}" for outcome in (TRAINED, STOPPED)]
    unfit = {name: count for name, count in counts.most_common() if name not in (TRAINED, STOPPED)}
    rejected = sum(count for name, count in unfit.items() if name != REPEATED)
    text = ", ".join(f"{count} {name}" for name, count in unfit.items())
    parts.append(f"{rejected} rejected before training" + (f" ({text})" if text else ""))
    return ", ".join(parts)


def _bytes(one: Tried) -> int:
    assert one.cost is not None
    return one.cost.file_bytes

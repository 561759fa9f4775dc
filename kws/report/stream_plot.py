"""Misses against false accepts per hour, as a picture."""

from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from kws.recipe import DecoderConfig
from kws.report.svg import PAPER, draw_png
from kws.spotting.stream_score import StreamJudge


def plot_trade_off(judge: StreamJudge, decoder: DecoderConfig, path: Path) -> None:
    """Write a PNG: a point a threshold for all keywords; a dot at the decoder's own thresholds.

    A rate of 0, which no logarithmic axis has, is drawn at half a false accept in all the hours.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    draw_png(path, (6.4, 4.2), partial(_draw, judge=judge, decoder=decoder))


def _draw(figure: Figure, judge: StreamJudge, decoder: DecoderConfig) -> None:
    axes = figure.subplots()
    points = [point.scores for point in judge.trade_off()]
    own = judge.score(decoder)
    hours = own.false_accepts.hours
    axes.plot(
        [max(one.false_accepts.count, 0.5) / hours for one in points],
        [one.missed.value or 0.0 for one in points],
        color=PAPER.series[0], label="one threshold for all",
    )  # fmt: skip
    axes.plot(
        max(own.false_accepts.count, 0.5) / hours,
        own.missed.value or 0.0,
        "o", color=PAPER.series[1], label="the decoder's thresholds",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_ylim(0, None)
    axes.set_xlabel(f"false accepts an hour ({hours:.2g} hours of audio)")
    axes.set_ylabel(f"missed, of {own.missed.total} keywords")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend()

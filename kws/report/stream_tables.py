"""A detector's figures on long recordings, for the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kws.recipe import DecoderConfig
from kws.spotting.metrics import Share
from kws.spotting.stream_score import Rate, StreamJudge, StreamScores
from kws.tflite.metadata import ThresholdChoice

_WIDTH = 400
"""More than any table needs: a number must never be cut off"""
_FEW = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Thresholds of the trade-off that is shown"""


def print_stream(judge: StreamJudge, decoder: DecoderConfig) -> None:
    """Print the figures of all recordings, by keyword, by condition and by threshold."""
    console = Console(width=_WIDTH, highlight=False)
    scores = judge.score(decoder)
    console.print(_sentences(judge, scores), markup=False)
    console.print(_by_keyword(scores, decoder))
    for name in judge.conditions:
        console.print(_by_condition(judge, decoder, name))
    console.print(_by_threshold(judge))


def _sentences(judge: StreamJudge, scores: StreamScores) -> str:
    missed, false, late = scores.missed, scores.false_accepts, scores.latency
    lines = [
        f"{len(judge.heard)} recordings, {spoken_length(false.hours)}; 95 % intervals in brackets",
        f"missed: {missed.count} of {missed.total} keywords{_bracket(missed)}",
        f"false accepts: {false.count}, {rate_text(false)} an hour",
    ]
    if len(scores.keywords) > 1:
        lines.append(
            f"of them {scores.confused.count} where another keyword was said: so many are taken "
            f"for another{_bracket(scores.confused)}"
        )
    if late:
        lines.append(
            f"detected {1000 * late.median_s:.0f} ms after the word's end (median; nine in ten "
            f"within {1000 * late.p90_s:.0f} ms, all within {1000 * late.largest_s:.0f} ms)"
        )
        soon = late.within_250_ms
        lines.append(f"within 250 ms: {soon.count} of {soon.total} detected{_bracket(soon)}")
    return "\n".join(lines)


def choice_sentence(choice: ThresholdChoice) -> str:
    """What a model's thresholds were chosen for, and what they gave there."""
    rates, shares = choice.false_accepts_per_hour, choice.missed_share
    return (
        f"its thresholds were chosen for at most {choice.wanted_per_hour:g} false accepts an hour, "
        f"and gave {choice.false_accepts} in {spoken_length(choice.hours)} "
        f"({_brief(rates[0])} to {_brief(rates[1])} an hour) and {choice.missed} of {choice.said} "
        f"keywords missed ({100 * shares[0]:.1f} to {100 * shares[1]:.1f} %)"
    )


def _by_keyword(scores: StreamScores, decoder: DecoderConfig) -> Table:
    table = stream_table("by keyword", "keyword", "threshold")
    for one in scores.keywords:
        threshold = f"{decoder.threshold_of(one.keyword):.2f}"
        table.add_row(Text(one.keyword), threshold, *cells(one.missed, one.false_accepts))
    return table


def _by_condition(judge: StreamJudge, decoder: DecoderConfig, name: str) -> Table:
    table = stream_table(f"by {name}", name)
    for value, scores in judge.score_by(name, decoder).items():
        table.add_row(Text(value or "(none)"), *cells(scores.missed, scores.false_accepts))
    return table


def _by_threshold(judge: StreamJudge) -> Table:
    table = stream_table("one threshold for all", "threshold")
    for point in judge.trade_off(_FEW):
        scores = point.scores
        table.add_row(f"{point.threshold:g}", *cells(scores.missed, scores.false_accepts))
    return table


def stream_table(title: str, *first: str) -> Table:
    """An empty table: the columns named, then those of :func:`cells`."""
    table = Table(title=title, title_justify="left")
    for name in first:
        table.add_column(name)
    for name in ("said", "missed", "false accepts", "an hour"):
        table.add_column(name, justify="right")
    return table


def cells(missed: Share, false: Rate) -> tuple[str, ...]:
    """How often said, missed with its interval, false accepts, and these by the hour."""
    return str(missed.total), share_text(missed), str(false.count), rate_text(false)


def share_text(part: Share) -> str:
    """Such as "12.5 % (9.2 to 16.8 %)"; a dash of nothing."""
    return f"{100 * part.value:.1f} %{_bracket(part)}" if part.value is not None else "–"


def _bracket(share: Share) -> str:
    if share.value is None:
        return ""
    return f" ({100 * share.low:.1f} to {100 * share.high:.1f} %)"


def rate_text(rate: Rate) -> str:
    """Such as "130 (97 to 170)"; a dash of no time."""
    if rate.per_hour is None:
        return "–"
    return f"{_brief(rate.per_hour)} ({_brief(rate.low)} to {_brief(rate.high)})"


def _brief(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def spoken_length(hours: float) -> str:
    """Such as "1.40 hours", or "20.0 minutes"."""
    return f"{hours:.2f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"

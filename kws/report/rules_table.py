"""A detector's figures by the rules of a published benchmark, for the terminal."""

from rich.console import Console

from kws.recipe import DecoderConfig
from kws.report.stream_tables import cells, spoken_length, stream_table
from kws.spotting.rules import (
    MOST_MLPERF,
    PICOVOICE_PER_HOUR,
    RULES,
    Counted,
    RuleName,
    at_rate,
    count_at,
    passing,
    said,
)
from kws.spotting.stream_score import StreamJudge, poisson_interval

_EVERY = 8
"""Of the thresholds that are counted, one in so many is shown"""


def print_by_rules(
    judge: StreamJudge, name: RuleName, decoder: DecoderConfig, counted: list[Counted]
) -> None:
    """Print what the decoder's own thresholds give, what others would, and the benchmark's figure.

    Parameters
    ----------
    counted : of :func:`kws.spotting.rules.count_by_threshold`.

    Raises
    ------
    DataError
        When no keyword of the model is said in the recordings.
    """
    console = Console(width=400, highlight=False)
    rules, words = RULES[name], ", ".join(said(judge))
    missed, false = count_at(judge, rules, decoder)
    table = stream_table(f"by the rules of {name}: {words}", "threshold")
    table.add_row("as they are", *cells(missed, false), end_section=True)
    for one in counted[::_EVERY]:
        table.add_row(f"{one.threshold:.2f}", *cells(one.missed, one.false_accepts))
    console.print(table)
    console.print(f"{len(judge.heard)} recordings, {spoken_length(false.hours)}")
    verdict = _mlperf(counted) if name == "mlperf" else _picovoice(counted)
    console.print(verdict, markup=False)


def _mlperf(counted: list[Counted]) -> str:
    """The benchmark's limit is a count, of one recording of twenty minutes with fifty words."""
    limit = f"at most {MOST_MLPERF} missed and {MOST_MLPERF} false accepts"
    good = passing(counted)
    if not good:
        return f"not reached at any threshold: {limit}"
    return (
        f"reached at thresholds from {good[0].threshold:.2f} to {good[-1].threshold:.2f}: {limit}"
    )


def _picovoice(counted: list[Counted]) -> str:
    limit = "one false accept in ten hours"
    best = at_rate(counted, PICOVOICE_PER_HOUR)
    if best is None:
        return f"no threshold is as quiet as {limit}"
    text = (
        f"{best.missed.count} of {best.missed.total} missed at {limit} (threshold "
        f"{best.threshold:.2f}, {best.false_accepts.count} false accepts)"
    )
    _, high = poisson_interval(0, best.false_accepts.hours)
    if high > PICOVOICE_PER_HOUR:
        hours = best.false_accepts.hours * high / PICOVOICE_PER_HOUR
        text += f"; no claim: that rate takes {hours:.0f} hours to show, even without any"
    return text

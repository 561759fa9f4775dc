"""What was said beside what was heard, on one time axis."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kws.audio.annotation import SpokenWord
from kws.spotting.decoder import Detection
from kws.spotting.matching import match


@dataclass(frozen=True)
class Line:
    """A keyword that was said, heard or both; ``None`` for what is missing."""

    time_s: float
    said: SpokenWord | None
    heard: Detection | None


def timeline(
    detections: Sequence[Detection], words: Sequence[SpokenWord], keywords: Sequence[str]
) -> list[Line]:
    """The keywords said and heard, in order of time."""
    found = match(detections, words, keywords)
    lines = [Line(word.start_s, word, heard) for word, heard in found.hits]
    lines += [Line(word.start_s, word, None) for word in found.missed]
    lines += [Line(detection.time_s, None, detection) for detection in found.false]
    return sorted(lines, key=lambda line: line.time_s)


def print_timeline(
    detections: Sequence[Detection],
    words: Sequence[SpokenWord],
    keywords: Sequence[str],
    seconds: float,
) -> None:
    """Print one line for each keyword said or heard, and the counts below."""
    console, table = Console(), Table()
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("heard", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("said", no_wrap=True)
    table.add_column("in", no_wrap=True, overflow="ellipsis", max_width=24)
    lines = timeline(detections, words, keywords)
    for line in lines:
        said, heard = line.said, line.heard
        at = heard.time_s if heard else line.time_s
        colour = "green" if said and heard else "red"
        table.add_row(
            f"{at:.2f} s",
            f"[{colour}]{escape(heard.keyword) if heard else '(missed)'}[/]",
            f"{heard.score:.2f}" if heard else "",
            f"{escape(said.word)} {said.start_s:.2f} s" if said else "(false accept)",
            escape(around(words, said.start_s if said else at)),
        )
    console.print(table)
    hits = sum(1 for line in lines if line.said and line.heard)
    missed = sum(1 for line in lines if line.said and not line.heard)
    false = sum(1 for line in lines if not line.said)
    console.print(
        f"{hits} of {hits + missed} keywords heard, {false} false accepts, in {seconds:.0f} s of "
        "synthesized speech: a sign of life, no measure of a detector"
    )


def around(words: Sequence[SpokenWord], time_s: float) -> str:
    """The words that begin within a second and a half of a time, as a quotation."""
    return " ".join(word.word for word in words if abs(word.start_s - time_s) < 1.5)

"""What a model does with words it never heard, as a table for the terminal."""

from rich.table import Table
from rich.text import Text

from kws.spotting.metrics import Share
from kws.spotting.open_set import OpenSet, OperatingPoint


def open_set_table(found: OpenSet) -> Table:
    """A column for each way to decide, a row for each word, with 95 % intervals."""
    total = found.maximum.taken.total
    table = Table(
        title="words never heard, taken for a keyword: % (95 % interval)"
        if total
        else "accuracy by what decides: % (95 % interval); no clips of words never heard",
        title_justify="left",
        caption="chosen: the highest threshold that costs at most half a point here",
        caption_justify="left",
    )
    table.add_column("", no_wrap=True)
    for point in found.points:
        table.add_column(_heading(point), justify="right", no_wrap=True)
    table.add_row("accuracy", *(_cell(point.accuracy) for point in found.points))
    if not total:
        return table
    table.add_section()
    table.add_row(f"all {total} clips", *(_cell(point.taken) for point in found.points))
    for rows in zip(*(point.words for point in found.points), strict=True):
        name = Text(f"{rows[0].word}, {rows[0].taken.total}")
        table.add_row(name, *(_cell(row.taken) for row in rows))
    return table


def _heading(point: OperatingPoint) -> str:
    if point.threshold is None:
        return point.name
    return f"{point.name.removesuffix(' threshold')}\nthreshold {point.threshold:.2f}"


def _cell(share: Share) -> str:
    if share.value is None:
        return "–"
    return f"{100 * share.value:.1f} ({100 * share.low:.1f}–{100 * share.high:.1f})"

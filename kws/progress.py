"""Progress bars with rate and time left; one line at the end where there is no terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Report ``count`` finished items; ``text`` replaces the text behind the bar."""

    def __call__(self, count: int = 1, text: str = "", /) -> None: ...


def tell(line: str) -> None:
    """Say why nothing moves, on standard error."""
    sys.stderr.write(line + "\n")


@contextmanager
def progress(title: str, total: int, unit: str) -> Iterator[Advance]:
    """Show how far a long job is, on standard error.

    On a terminal: a bar with rate, time left and a note. Elsewhere (a log, CI): one line when
    the job ends, so that logs stay short.

    Parameters
    ----------
    title : what is being done, in a few words.
    total : number of items.
    unit : what is counted, in the plural, such as ``clips``.
    """
    if sys.stderr.isatty():
        with _bar(title, total, unit) as advance:
            yield advance
        return
    start, done, note = time.monotonic(), 0, ""

    def count_quietly(count: int = 1, text: str = "") -> None:
        nonlocal done, note
        done, note = done + count, text or note

    yield count_quietly
    seconds = max(time.monotonic() - start, 1e-9)
    line = f"{title}: {done} {unit} in {seconds:.1f} s ({done / seconds:.0f} {unit}/s) {note}"
    sys.stderr.write(line.rstrip() + "\n")


@contextmanager
def _bar(title: str, total: int, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    console, narrow = Console(stderr=True), Column(no_wrap=True)
    note = Column(no_wrap=True, overflow="ellipsis", max_width=max(12, console.width - 64))
    columns = (
        TextColumn("{task.description}", table_column=narrow),
        BarColumn(bar_width=10),
        TextColumn(
            "{task.completed:.0f}/{task.total:.0f} {task.fields[unit]} {task.fields[rate]}",
            table_column=narrow,
        ),
        TimeRemainingColumn(),
        TextColumn("left {task.fields[note]}", table_column=note),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total, unit=unit, rate="", note="")
        start = time.monotonic()

        def advance(count: int = 1, text: str = "") -> None:
            bar.advance(task, count)
            done = bar.tasks[task].completed
            bar.tasks[task].fields["rate"] = f"{done / max(time.monotonic() - start, 1e-9):.0f}/s"
            bar.tasks[task].fields["note"] = text or bar.tasks[task].fields["note"]

        yield advance

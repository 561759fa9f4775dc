"""A live screen: level, a bar a keyword, what was heard, the spectrogram."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from prepare.record_screen import BARS, PLAIN_BARS, meter_line
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kws.audio.level import Meter

if TYPE_CHECKING:
    from kws.spotting.decoder import Detection
    from kws.spotting.live import Moment
    from kws.tflite.metadata import Metadata

BLOCKS_A_PICTURE = 4
COLUMNS, ROWS, SHOWN = 72, 8, 6
_FRAMES = 2
"""In a column of the spectrogram: three seconds are seen"""
_BAR = 40
_LEVELS = (
    "#000004", "#1b0c41", "#4a0c6b", "#781c6d", "#a52c60",
    "#cf4446", "#ed6925", "#fb9b06", "#f7d13d", "#fcffa4",
)  # fmt: skip
"""From quiet to loud: matplotlib's inferno"""
_RANGE_DB = 60.0


class Screen:
    """Draws moments some twelve times a second.

    Parameters
    ----------
    dropped : gives the number of blocks that were lost.
    """

    def __init__(
        self, facts: "Metadata", dropped: Callable[[], int], console: Console | None = None
    ):
        self.facts, self.dropped = facts, dropped
        self.console = console or Console(highlight=False)
        self.meter = Meter(facts.features.sample_rate_hz)
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._frames: deque[np.ndarray] = deque(maxlen=COLUMNS * _FRAMES)
        self._found: deque[Detection] = deque(maxlen=SHOWN)
        self._moment: Moment | None = None
        self._note, self._count = "", 0
        self._utf = "utf" in self.console.encoding.lower()

    def __enter__(self) -> "Screen":
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was, with what was heard last."""
        self._live.__exit__(None, None, None)
        self.console.print(self._heard())

    def push(self, moment: "Moment") -> None:
        """Take a moment; draw every so often, and at once where something was detected."""
        self._moment = moment
        self.meter.push(moment.block)
        self._frames.extend(moment.frames)
        self._found.extend(moment.detections)
        self._count += 1
        if self._count % BLOCKS_A_PICTURE == 0 or moment.detections:
            self._live.update(self.picture(), refresh=True)

    def note(self, text: str) -> None:
        """Show a sentence below the rest."""
        self._note = text
        self._live.update(self.picture(), refresh=True)

    def picture(self) -> Group:
        """All that is shown."""
        bars = BARS if self._utf else PLAIN_BARS
        return Group(
            meter_line(self.meter, bars),
            Text(),
            self._scores(),
            Text(),
            self._spectrogram(),
            Text(),
            self._heard(),
            Text(self._footer(), style="dim"),
        )

    def _scores(self) -> Table:
        table = Table.grid(padding=(0, 1))
        scores = self._moment.scores if self._moment else np.zeros(len(self.facts.labels))
        full = "█" if self._utf else "#"
        for keyword, score in zip(self.facts.keywords, scores, strict=False):
            threshold = self.facts.decoder.threshold_of(keyword)
            lit, mark = round(float(score) * _BAR), min(_BAR - 1, round(threshold * _BAR))
            line = Text()
            colour = "green" if score >= threshold else "cyan"
            for column in range(_BAR):
                if column == mark:
                    line.append("|", style="yellow")
                else:
                    line.append(full if column < lit else "·" if self._utf else ".", style=colour)
            table.add_row(Text(keyword), line, f"{score:.2f}")
        return table

    def _spectrogram(self) -> Text:
        """The last frames, low bands below; a cell is two bands high where half blocks can be."""
        cells = ROWS * 2 if self._utf else ROWS
        picture = np.full((cells, COLUMNS), -np.inf)
        for back, frame in enumerate(reversed(self._frames)):
            parts = [part.max() for part in np.array_split(frame, cells)]
            column = COLUMNS - 1 - back // _FRAMES
            picture[::-1, column] = np.maximum(picture[::-1, column], parts)
        top = max((float(frame.max()) for frame in self._frames), default=0.0)
        share = np.clip(1 + (picture - top) / _RANGE_DB, 0, 1)
        text = Text()
        for row in range(ROWS):
            for column in range(COLUMNS):
                if self._utf:
                    upper, lower = (_colour(share[2 * row + half, column]) for half in (0, 1))
                    text.append("▀", style=f"{upper} on {lower}")
                else:
                    text.append(PLAIN_BARS[round(share[row, column] * (len(PLAIN_BARS) - 1))])
            text.append("\n")
        text.rstrip()
        return text

    def _heard(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for found in reversed(self._found):
            keyword = Text(found.keyword, style="bold green")
            table.add_row(f"{found.time_s:8.2f} s", keyword, f"{found.score:.2f}")
        return table

    def _footer(self) -> str:
        share = self._moment.core_share if self._moment else 0.0
        parts = [
            f"{100 * share:.1f} % of a core",
            f"{self.dropped()} blocks dropped",
            "Ctrl-C ends",
        ]
        return " · ".join([*parts, self._note] if self._note else parts)


def _colour(share: float) -> str:
    return _LEVELS[min(len(_LEVELS) - 1, int(share * len(_LEVELS)))]

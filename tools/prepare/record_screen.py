"""What a recording session shows: a live screen on a terminal, else a line for each event."""

import math
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from kws.audio.level import SILENT_DBFS, Meter, envelope
from kws.data.recording import Session, State

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

    from kws.audio.take import Take

BARS, PLAIN_BARS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
_METER_LOW_DBFS, _LOUD_DBFS, _TOO_LOUD_DBFS = -60.0, -12.0, -1.0
_METER_COLUMNS, _WAVE_COLUMNS = 48, 60
_BLOCKS_A_PICTURE = 3


class Screen(Protocol):
    """Shows a session while sound comes in."""

    note: str

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def push(self, block: np.ndarray) -> None: ...


class Lines:
    """A line for each event, for logs and programs."""

    def __init__(self, session: Session):
        self.session, self.note = session, ""
        self._shown, self._state = 0, session.state

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._report()

    def push(self, block: np.ndarray) -> None:  # noqa: ARG002 (a screen's face)
        """Tell what has changed."""
        session = self.session
        self._report()
        if session.state is not self._state and session.state is State.RECORDING:
            number = f"{session.index + 1}/{len(session.words)}"
            print(f"{number} say: {spoken(session.word)}", flush=True)
        self._state = session.state

    def _report(self) -> None:
        for outcome in self.session.outcomes[self._shown :]:
            what = outcome.path.name if outcome.path else outcome.decision
            print(f"    {what}: {facts(outcome.take)}" if outcome.take else f"    {what}")
        self._shown = len(self.session.outcomes)


class Live:
    """A picture that is drawn anew some 16 times a second: prompt, meter, last take, keys."""

    def __init__(self, session: Session):
        from rich.console import Console
        from rich.live import Live as RichLive

        self.session, self.note = session, ""
        self.console = Console(highlight=False)
        self.meter = Meter(session.sample_rate_hz)
        self._live = RichLive(console=self.console, auto_refresh=False, transient=True)
        self._blocks = 0

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def push(self, block: np.ndarray) -> None:
        """Show the level of the sound, and what has changed."""
        self.meter.push(block)
        self._blocks += 1
        if self._blocks % _BLOCKS_A_PICTURE == 0:
            self._live.update(self.picture(), refresh=True)

    def picture(self) -> "Group":
        """All that is shown."""
        from rich.align import Align
        from rich.console import Group
        from rich.panel import Panel
        from rich.text import Text

        session = self.session
        title, colour = self._title()
        word = Text("\n" + " ".join(spoken(session.word).upper()) + "\n", style=f"bold {colour}")
        number = f"{min(session.index + 1, len(session.words))} of {len(session.words)}"
        prompt = Panel(Align.center(word), title=title, subtitle=number, border_style=colour)
        bars = BARS if "utf" in self.console.encoding.lower() else PLAIN_BARS
        parts = [prompt, meter_line(self.meter, bars)]
        if session.take:
            parts += [waveform(session.take, bars), *_findings(session.take)]
        if self.note:
            parts.append(Text(self.note, style="yellow"))
        return Group(*parts, Text(self._keys(), style="dim"))

    def _title(self) -> tuple[str, str]:
        session = self.session
        if session.state is State.COUNTDOWN:
            return f"get ready ... {math.ceil(session.left_s / 0.5)}", "yellow"
        if session.state is State.RECORDING:
            return f"● say it now   {session.left_s:.1f} s", "red"
        if session.state is State.REVIEW and session.take:
            return ("good", "green") if session.take.passes else ("not so good", "yellow")
        return "the next word", "cyan"

    def _keys(self) -> str:
        session = self.session
        if session.state is State.READY:
            return "Enter begin · s skip · q quit"
        if session.state is not State.REVIEW or session.take is None:
            return "r begin anew · s skip · q quit"
        if session.take.passes:
            return "Enter keep · r retry · p replay · s skip · q quit"
        keep = "k keep all the same · " if session.take.word else ""
        return f"Enter retry · {keep}p replay · s skip · q quit"


def meter_line(meter: Meter, bars: str) -> "Text":
    """A bar from -60 to 0 dBFS with the held peak as a mark."""
    from rich.text import Text

    line = Text("level ")
    lit, held = _column(meter.level_dbfs), _column(meter.held_dbfs)
    for column in range(_METER_COLUMNS):
        at_dbfs = _METER_LOW_DBFS * (1 - column / _METER_COLUMNS)
        colour = "red" if at_dbfs >= -3 else "yellow" if at_dbfs >= _LOUD_DBFS else "green"
        mark = bars[-1] if column < lit else "|" if column == held - 1 else "."
        line.append(mark, style="dim" if mark == "." else colour)
    shown = f"{meter.held_dbfs:5.0f} dBFS" if meter.held_dbfs > SILENT_DBFS else " silent"
    line.append(f" {shown}", style="bold red" if meter.held_dbfs > _TOO_LOUD_DBFS else "")
    return line


def waveform(take: "Take", bars: str) -> "Text":
    """The clip's outline, a character a column, the word in colour."""
    from rich.text import Text

    outline = envelope(take.clip, _WAVE_COLUMNS)
    heights = np.ceil(outline / max(outline.max(), 1e-9) * (len(bars) - 1)).astype(int)
    seconds = len(take.clip) / take.sample_rate_hz / _WAVE_COLUMNS
    line = Text("take  ")
    start, end = take.word or (0.0, 0.0)
    for column, height in enumerate(heights):
        inside = start <= (column + 0.5) * seconds < end
        line.append(bars[height], style="bold green" if inside else "dim")
    return line


def facts(take: "Take") -> str:
    """A take in a line: what is wrong with it, or the word's length and levels."""
    if not take.passes:
        return "; ".join(f"{problem.kind}: {problem.sentence}" for problem in take.problems)
    start_s, end_s = take.word or (0.0, 0.0)
    noise = "none" if take.noise_dbfs <= SILENT_DBFS else f"{take.noise_dbfs:.0f} dBFS"
    return f"word {end_s - start_s:.2f} s at {take.level_dbfs:.0f} dBFS, noise {noise}"


def spoken(word: str) -> str:
    """A label as it is said: ``hey-robot`` is two words."""
    return word.replace("-", " ").replace("_", " ")


def _findings(take: "Take") -> list["Text"]:
    from rich.text import Text

    if take.passes:
        return [Text(f"✓ {facts(take)}", style="green")]
    return [Text(f"✗ {p.kind}: {p.sentence}", style="yellow") for p in take.problems]


def _column(level_dbfs: float) -> int:
    share = 1 - max(level_dbfs, _METER_LOW_DBFS) / _METER_LOW_DBFS
    return round(share * _METER_COLUMNS)

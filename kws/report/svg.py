"""Figures as SVG to stand inside an HTML page, in the page's colours and font; or as a PNG file.

Colours are drawn as stand-ins and then replaced by the CSS variables of ``templates/report.css``,
so that a figure follows the page into dark mode and onto paper. Text stays text.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from kws.files import write_bytes

INK, SOFT, LINE, CURVE, RIGHT, WRONG, SHADE = (f"#a0b0c{digit}" for digit in range(1, 8))
SERIES = tuple(f"#a0b0d{digit}" for digit in range(1, 9))
"""For lines that are to be told apart."""
_NAMES = ("ink", "soft", "line", "curve", "right", "wrong", "shade")
_VARIABLES = {
    **dict(zip((INK, SOFT, LINE, CURVE, RIGHT, WRONG, SHADE), _NAMES, strict=True)),
    **{colour: f"series{digit}" for digit, colour in enumerate(SERIES, 1)},
}


@dataclass(frozen=True)
class Colours:
    """What a figure that is wanted both on a page and as a file is drawn in."""

    ink: str
    soft: str
    line: str
    series: tuple[str, ...]


PAGE = Colours(INK, SOFT, LINE, SERIES)
PAPER = Colours(
    "#1c2024", "#5b646d", "#d5dade",
    ("#2f6fad", "#d0642a", "#2e8b57", "#a84a9c", "#8a7000", "#1f9bb3", "#6a4fc4", "#b8324f"),
)  # fmt: skip
"""The page's by daylight; see ``templates/report.css``."""
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def draw_svg(name: str, inches: tuple[float, float], draw: Callable[[Figure], None]) -> str:
    """Draw a figure and give its SVG element; ``name`` keeps its ids apart from other figures'."""
    written = io.StringIO()
    with _figure(inches, PAGE, {"svg.hashsalt": name}) as figure:
        FigureCanvasSVG(figure)
        draw(figure)
        figure.savefig(written, format="svg", transparent=True, metadata=_NO_METADATA)
    text = written.getvalue()
    text = text[text.index("<svg") :]
    for pattern, by in (
        (r' xmlns(:xlink)?="[^"]*"| version="1.1"', ""),  # as HTML has it
        (r"\s*<defs>\s*<style.*?</style>\s*</defs>", ""),
        (r' id="[^"]*_\d+"', ""),  # names of parts, the same in every figure
        (r"xlink:href=", "href="),
        (r"font-family: [^;]*; ", ""),
    ):
        text = re.sub(pattern, by, text, flags=re.DOTALL)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    return text


def draw_png(path: Path, inches: tuple[float, float], draw: Callable[[Figure], None]) -> None:
    """Draw a figure into a file, in :data:`PAPER` colours.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    written = io.BytesIO()
    with _figure(inches, PAPER, {}) as figure:
        FigureCanvasAgg(figure)
        draw(figure)
        figure.savefig(written, format="png", dpi=160, metadata={"Software": None})
    write_bytes(path, written.getvalue())


def bare(axes: Axes) -> None:
    """Take grid, ticks and frame away."""
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


@contextmanager
def _figure(
    inches: tuple[float, float], colours: Colours, more: dict[str, str]
) -> Iterator[Figure]:
    style = {
        "svg.fonttype": "none",
        "text.parse_math": False,  # a label may hold a dollar sign
        "font.size": 9,
        "text.color": colours.ink,
        "axes.labelcolor": colours.soft,
        "axes.edgecolor": colours.line,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 9,
        "axes.titlelocation": "left",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": colours.line,
        "xtick.color": colours.line,
        "ytick.color": colours.line,
        "xtick.labelcolor": colours.soft,
        "ytick.labelcolor": colours.soft,
        "legend.frameon": False,
    }
    with matplotlib.style.context(["default", style | more]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the browser has its own fonts
        yield Figure(figsize=inches, layout="constrained")

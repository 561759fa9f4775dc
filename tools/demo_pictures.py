"""Draw what the demo shows at a moment of a sound file: its terminal as SVG, its page as PNG."""

import argparse
import io
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from cli import run

from kws.errors import DataError
from kws.files import whole

if TYPE_CHECKING:
    from kws.spotting.live import Moment
    from kws.spotting.model import Model

TERMINAL, PAGE = "terminal.svg", "page.png"
_COLUMNS = 76
_PAGE_SIZE = (900, 780)


def main() -> None:
    """Read arguments, hear the sound twice, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL.tflite")
    parser.add_argument("sound", type=Path, metavar="FILE", help="what is heard, such as a WAV")
    parser.add_argument(
        "--at", type=float, default=10.0, metavar="SECONDS", help="the moment (default: 10)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the pictures")
    arguments = parser.parse_args()
    from demo.browser import missing_browser

    import kws

    if missing := missing_browser():
        raise DataError(f"{missing}; it draws the page")
    model = kws.load(arguments.model)
    draw_terminal(model, arguments.sound, arguments.at, arguments.out / TERMINAL)
    print(f"the terminal: {arguments.out / TERMINAL}")
    draw_page(model, arguments.sound, arguments.at, arguments.out / PAGE)
    print(f"the page: {arguments.out / PAGE}")


def draw_terminal(model: "Model", sound: Path, at_s: float, path: Path) -> None:
    """Draw the live screen as it is at a second of the sound."""
    from demo.screen import Screen
    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=True, width=_COLUMNS)
    with Screen(model.metadata, lambda: 0, console) as screen:
        for moment in moments_until(at_s, model, sound, fast=True):
            screen.push(moment)
        paper = Console(
            file=io.StringIO(), record=True, force_terminal=True, width=_COLUMNS, highlight=False
        )
        paper.print(screen.picture())
    drawn = paper.export_svg(title=f"mic_demo.py {model.metadata.recipe}", unique_id="demo")
    with whole(path) as temporary:  # fonts from elsewhere are left out: the reader's own serve
        temporary.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), "utf-8")


def moments_until(at_s: float, model: "Model", sound: Path, fast: bool) -> Iterator["Moment"]:
    """What is heard up to a second of the sound; refuse one that it has not."""
    from kws.audio.blocks import file_blocks
    from kws.spotting.live import watch

    heard_s = 0.0
    blocks = file_blocks(sound, model.metadata.features.sample_rate_hz, fast)
    for moment in watch(model.stream(), blocks):
        if moment.time_s > at_s:
            return
        heard_s = moment.time_s
        yield moment
    if heard_s < at_s - 0.1:
        raise DataError(
            f"--at {at_s:g}: the sound ends after {heard_s:.1f} s; give an earlier moment"
        )


def draw_page(model: "Model", sound: Path, at_s: float, path: Path) -> None:
    """Draw the page in a browser that has watched the sound at its pace up to a second of it."""
    from demo.browser import browse
    from demo.web import HOST, Page

    class Nobody:
        """The face on the terminal: none."""

        __enter__ = __exit__ = push = note = lambda *_: None

    with ExitStack() as stack:
        page = stack.enter_context(Page(Nobody(), model.metadata, lambda: 0, 0))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        address = f"http://{HOST}:{page.port}"
        browser = stack.enter_context(browse(address, Path(folder), _PAGE_SIZE))
        browser.wait("document.querySelectorAll('.keyword').length > 0")
        for moment in moments_until(at_s, model, sound, fast=False):
            page.push(moment)
        browser.wait(
            f"document.getElementById('footer').textContent.includes(' {at_s:.0f} s heard')"
        )
        with whole(path) as temporary:
            browser.picture(temporary)


if __name__ == "__main__":
    run(main)

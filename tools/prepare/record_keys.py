"""Keys of a terminal as they are pressed, without waiting for Enter."""

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kws.errors import KwsError


@contextmanager
def terminal_keys(nobody: bool) -> Iterator[Callable[[], str]]:
    """Give a function that says which key was pressed, or nothing; where nobody is, always nothing.

    Ctrl-C interrupts as ever; the terminal is as before when the block ends.
    """
    if nobody:
        yield lambda: ""
        return
    try:
        import termios
        import tty
    except ImportError as error:  # Windows
        raise KwsError("keys cannot be read on this system; give --auto") from error
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        tty.setcbreak(keyboard)
        yield lambda: _pressed(keyboard)
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _pressed(keyboard: int) -> str:
    if not select.select([keyboard], [], [], 0)[0]:
        return ""
    key = os.read(keyboard, 1).decode(errors="replace")
    return key or "q"  # the terminal has gone

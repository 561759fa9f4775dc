"""A command that is run at each detection."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kws.errors import DataError

if TYPE_CHECKING:
    from kws.spotting.decoder import Detection

_MOST = 8
"""That run at once; a detection while so many do is not told to another"""


class Command:
    """Runs without a shell and is not waited for; which keyword it was is in its environment.

    It gets no input, and its output never meets the demo's own.

    Parameters
    ----------
    shown : what it prints goes to standard error, else nowhere (a live screen is drawn there).

    Raises
    ------
    DataError
        When it is empty, or there is no such program.
    """

    def __init__(self, text: str, shown: bool):
        try:
            self._words = shlex.split(text)
        except ValueError as error:
            raise DataError(f"--exec {text!r}: {error}; expected a program and words") from error
        if not self._words or not shutil.which(self._words[0]):
            raise DataError(
                f"--exec {text!r}: no such program; expected one that can be run, and its words "
                "(there is no shell: for pipes, give a script)"
            )
        self._output = sys.stderr if shown else subprocess.DEVNULL
        self._running: list[subprocess.Popen[bytes]] = []

    def push(self, detections: "Sequence[Detection]", note: Callable[[str], None]) -> None:
        """Run it for each detection; failures of earlier ones go to ``note``."""
        for child in [child for child in self._running if child.poll() is not None]:
            self._running.remove(child)
            if child.returncode:
                note(f"--exec {self._words[0]}: ended with status {child.returncode}")
        for found in detections:
            if len(self._running) >= _MOST:
                note(f"--exec {self._words[0]}: {_MOST} run already; not run for {found.keyword}")
                continue
            facts = {
                "KWS_KEYWORD": found.keyword,
                "KWS_SCORE": f"{found.score:.4f}",
                "KWS_TIME_S": f"{found.time_s:.3f}",
            }
            try:
                child = subprocess.Popen(
                    self._words,
                    env={**os.environ, **facts},
                    stdin=subprocess.DEVNULL,
                    stdout=self._output,
                    stderr=self._output,
                )
            except OSError as error:
                note(f"--exec {self._words[0]}: {error}")
                continue
            self._running.append(child)

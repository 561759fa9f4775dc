"""The demo's screen at a terminal, and what its own output and a command's have in common: none."""

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, run_tool
from tones import RATE, SPEECH

from kws.audio.io import write

DEMO = ROOT / "tools" / "mic_demo.py"
HIDDEN, VISIBLE = "\x1b[?25l", "\x1b[?25h"
"""What hides the cursor, and shows it again"""
ALTERNATE, NORMAL = "\x1b[?1049h", "\x1b[?1049l"
"""What enters another screen, and leaves it"""
TALK = """
import os, sys
os.write(1, f"said {sys.argv[1]}\\n".encode())  # in one piece: several run at once
os.write(2, f"typed {sys.stdin.read()!r}\\n".encode())
"""


@pytest.fixture(scope="module")
def speech(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "tones.wav"
    write(path, SPEECH, RATE)
    return path


@pytest.fixture
def talk(tmp_path) -> str:
    """A command that prints on both its outputs, and reads all its input."""
    (tmp_path / "talk.py").write_text(TALK)
    return f"{sys.executable} {tmp_path / 'talk.py'} over-it"


class Terminal:
    """The demo at a pseudo-terminal, which is its input, its outputs and where Ctrl-C is typed."""

    def __init__(self, *arguments: object):
        self._ours, self._its = pty.openpty()
        self.seen, self.before = "", self.settings()
        self._child = subprocess.Popen(
            [sys.executable, str(DEMO), *map(str, arguments)],
            env={**os.environ, "TERM": "xterm", "COLUMNS": "90", "LINES": "40"},
            stdin=self._its,
            stdout=self._its,
            stderr=self._its,
            start_new_session=True,
            preexec_fn=_take_the_terminal,
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()
        os.close(self._ours)
        os.close(self._its)

    def settings(self) -> list:
        return termios.tcgetattr(self._its)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def until(self, words: str) -> None:
        while words not in self.seen:
            assert self._read(30), f"{words!r} does not come: {self.seen[-2000:]}"

    def end(self) -> int:
        """Its exit status, when all that it wrote has been read."""
        while self._child.poll() is None:
            self._read(0.05)
        while self._read(0.05):
            pass
        return self._child.returncode

    def _read(self, patience_s: float) -> bool:
        ready = bool(select.select([self._ours], [], [], patience_s)[0])
        if ready:
            self.seen += os.read(self._ours, 65536).decode(errors="replace")
        return ready


def _take_the_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_the_terminal_as_it_was(hearing, tmp_path):
    write(tmp_path / "long.wav", np.tile(SPEECH, 10), RATE)
    with Terminal(hearing, "--wav", tmp_path / "long.wav") as terminal:
        terminal.until("% of a core")
        assert terminal.seen.rindex(HIDDEN) > terminal.seen.rfind(VISIBLE)
        terminal.type(b"\x03")
        assert terminal.end() == 0
        assert terminal.seen.rindex(VISIBLE) > terminal.seen.rindex(HIDDEN)
        assert terminal.seen.count(ALTERNATE) == terminal.seen.count(NORMAL)
        assert terminal.settings() == terminal.before
    last = terminal.seen.splitlines()[-1]
    assert last.startswith(f"{tmp_path / 'long.wav'}: ")
    assert last.endswith((" detection", " detections"))


def test_a_command_prints_nothing_over_the_screen(hearing, speech, talk):
    with Terminal(hearing, "--wav", speech, "--exec", talk) as terminal:
        assert terminal.end() == 0
    assert "% of a core" in terminal.seen
    assert "3 detections" in terminal.seen
    assert "over-it" not in terminal.seen
    assert "typed" not in terminal.seen


@pytest.mark.parametrize("face", ["--json", "--plain"])
def test_what_a_command_prints_is_apart_from_the_detections(hearing, speech, talk, face):
    """It goes to standard error; the demo's input is none of the command's."""
    done = run_tool(
        "mic_demo.py", hearing, "--wav", speech, "--fast", face, "--exec", talk, input="keys"
    )
    told = done.stderr
    for line in [*["said over-it\n", "typed ''\n"] * 3, f"{speech}: 3 detections"]:
        assert line in told
        told = told.replace(line, "", 1)
    assert told == "\n"
    assert len(done.stdout.splitlines()) == 3
    if face == "--json":
        assert [json.loads(line)["keyword"] for line in done.stdout.splitlines()] == [
            "yes",
            "no",
            "yes",
        ]

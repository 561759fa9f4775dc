"""A headless Chromium that is told what to do over its own protocol (CDP)."""

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from kws.errors import DataError

NAMES = ("chromium", "chromium-browser", "google-chrome")
PARTS = "apt-get install chromium"


def missing_browser() -> str:
    """Why there can be no browser here; nothing where there can."""
    return "" if _program() else f"no chromium here: {PARTS}"


class Browser:
    """One page."""

    def __init__(self, socket: Any):
        self._socket, self._number = socket, 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and give its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(command))
        while True:
            answer = json.loads(self._socket.recv(timeout=20))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"chromium refuses {method}: {answer['error']}")
                return answer["result"]

    def evaluate(self, script: str) -> Any:
        """The value of a script in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"the page fails at {script!r}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = 20) -> None:
        """Until a script's value is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(script):
            if time.monotonic() > end:
                raise TimeoutError(f"not true in {seconds:g} s: {script}")
            time.sleep(0.05)

    def picture(self, path: Path) -> None:
        """A PNG of what is seen."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))


@contextmanager
def browse(url: str, folder: Path, size: tuple[int, int] = (900, 620)) -> Iterator[Browser]:
    """Open a page; ``folder`` takes the browser's own files."""
    program = _program()
    if program is None:
        raise DataError(missing_browser())
    command = [
        *(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--remote-debugging-port=0", f"--user-data-dir={folder}"),
        *(f"--window-size={size[0]},{size[1]}", "--hide-scrollbars", url),
    ]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, start_new_session=True, **pipes) as child:
        try:
            with connect(_address(child, url), max_size=2**24) as socket:
                yield Browser(socket)
        finally:
            # All its processes, and not the first alone: each writes into the folder.
            os.killpg(child.pid, signal.SIGKILL)
            assert child.stderr is not None
            child.stderr.read()  # to the end, which is when the last of them is gone


def _address(child: subprocess.Popen[bytes], url: str) -> str:
    """Of the page's own socket: the browser prints its port, and lists its pages there."""
    from urllib.request import urlopen

    assert child.stderr is not None
    for line in child.stderr:
        if b"DevTools listening on ws://" in line:
            host = line.decode().split("ws://")[1].split("/")[0]
            break
    else:
        raise RuntimeError("chromium ended before it was ready")
    for _ in range(100):
        pages = json.load(urlopen(f"http://{host}/json/list", timeout=10))
        for page in pages:
            if page["type"] == "page" and page["url"].startswith(url):
                return page["webSocketDebuggerUrl"]
        time.sleep(0.1)
    raise RuntimeError(f"chromium has no page of {url}: {pages}")


def _program() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)

"""A page on this machine alone: spectrogram, scores and detections as they come."""

import json
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kws.audio.level import dbfs
from kws.errors import StorageError

if TYPE_CHECKING:
    from websockets.http11 import Request, Response
    from websockets.sync.server import ServerConnection

    from kws.spotting.live import Moment
    from kws.tflite.metadata import Metadata

HOST = "127.0.0.1"
PAGE = Path(__file__).with_name("page.html")
_BACKLOG = 100
"""Messages that wait for a slow page; then it loses some"""
_WAIT_S = 0.2
"""An idle page looks this often whether all has ended"""
_RANGE_DB, _LOW_DBFS = 60.0, -60.0
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "connect-src 'self'"
)


class Page:
    """Serves the page beside another face, which shows the same on the terminal.

    Only pages of its own may connect: the name that the browser asked for must be this machine's,
    and the page that opens the socket must be this one.

    Parameters
    ----------
    inner : the face on the terminal. dropped : gives the number of blocks that were lost.
    port : 0 takes a free one.

    Raises
    ------
    StorageError
        When the port is taken.
    """

    def __init__(self, inner: Any, facts: "Metadata", dropped: Callable[[], int], port: int):
        from websockets.sync.server import serve

        self.inner, self.facts, self.dropped = inner, facts, dropped
        self._pages: list[queue.Queue[str]] = []
        self._note, self._loudest = "", -np.inf
        self._ended = threading.Event()
        try:
            self._server = serve(self._client, HOST, port, process_request=self._answer)
        except OSError as error:
            raise StorageError(
                f"--web: port {port} cannot be had ({error.strerror}); give another: --web PORT"
            ) from error
        self.port = self._server.socket.getsockname()[1]
        self._names = {f"{name}:{self.port}" for name in (HOST, "localhost")}

    def __enter__(self) -> "Page":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.inner.__enter__()
        self.inner.note(f"page: http://{HOST}:{self.port}")
        return self

    def __exit__(self, *error: object) -> None:
        self.inner.__exit__(*error)
        self._ended.set()
        self._server.shutdown()

    def push(self, moment: "Moment") -> None:
        """Send a moment to all pages."""
        self.inner.push(moment)
        if len(moment.frames):  # the loudest of late is white
            self._loudest = max(float(moment.frames.max()), self._loudest - 0.02)
        if self._pages:
            self._send(self._message(moment))

    def note(self, text: str) -> None:
        """Show a sentence, on the terminal and on the pages."""
        self._note = text
        self.inner.note(text)
        self._send({"note": text})

    def _message(self, moment: "Moment") -> dict[str, Any]:
        share = 1 + (moment.frames - self._loudest) / _RANGE_DB
        level_dbfs = dbfs(float(np.abs(moment.block).max(initial=0.0)))
        keywords = self.facts.keywords
        return {
            "time": round(moment.time_s, 2),
            "frames": np.clip(np.rint(255 * share), 0, 255).astype(int).tolist(),
            "level": round(max(0.0, 1 - level_dbfs / _LOW_DBFS), 3),
            "scores": np.round(moment.scores[: len(keywords)], 3).tolist(),
            "detections": [
                [
                    round(one.time_s, 2),
                    keywords.index(one.keyword),
                    one.keyword,
                    round(one.score, 3),
                ]
                for one in moment.detections
            ],
            "share": round(moment.core_share, 4),
            "dropped": self.dropped(),
        }

    def _send(self, message: dict[str, Any]) -> None:
        text = json.dumps(message)
        for page in list(self._pages):
            try:
                page.put_nowait(text)
            except queue.Full:
                continue

    def _client(self, socket: "ServerConnection") -> None:
        """A page's own thread, until it is closed."""
        from websockets.exceptions import ConnectionClosed

        waiting: queue.Queue[str] = queue.Queue(_BACKLOG)
        decoder, features = self.facts.decoder, self.facts.features
        facts = {
            "recipe": self.facts.recipe,
            "keywords": self.facts.keywords,
            "thresholds": [decoder.threshold_of(keyword) for keyword in self.facts.keywords],
            "bands": features.size,
        }
        self._pages.append(waiting)
        try:
            socket.send(json.dumps(facts))
            if self._note:
                socket.send(json.dumps({"note": self._note}))
            while not self._ended.is_set():
                with suppress(queue.Empty):
                    socket.send(waiting.get(timeout=_WAIT_S))
        except ConnectionClosed:
            pass
        finally:
            self._pages.remove(waiting)

    def _answer(self, connection: "ServerConnection", request: "Request") -> "Response | None":
        """The page itself; None lets a socket through."""
        if request.headers.get("Host") not in self._names:
            return connection.respond(HTTPStatus.FORBIDDEN, "not for other hosts\n")
        if request.path == "/live":
            origin = request.headers.get("Origin", "")
            if origin.removeprefix("http://") not in self._names:
                return connection.respond(HTTPStatus.FORBIDDEN, "not for other pages\n")
            return None
        if request.path != "/":
            return connection.respond(HTTPStatus.NOT_FOUND, "there is only /\n")
        response = connection.respond(HTTPStatus.OK, PAGE.read_text(encoding="utf-8"))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        response.headers["Content-Security-Policy"] = _POLICY
        return response

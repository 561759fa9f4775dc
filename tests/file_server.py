"""A server of one file that misbehaves as it is told, and records what it was asked."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer(ThreadingHTTPServer):
    """Each request takes the next word of ``script``; ``ok`` when it is used up.

    ``ok``; ``break N``: N bytes, then the end; ``whole``: no notion of ranges; ``whole break N``;
    ``length N``: Content-Length N; ``no length``; ``chunked break``; ``status N``; ``stall N``: N
    bytes, then silence; ``shifted``: another range than asked for; ``page``: says that it is HTML.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], script: tuple[str, ...]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.script = files, list(script)
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self.ended = threading.Event()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers["Range"])
        server.paths.append(self.path)
        words = (server.script.pop(0) if server.script else "ok").split()
        numbers = [int(word) for word in words if word.isdigit()]
        if words[0] == "status" or self.path[1:] not in server.files:
            self.send_error(numbers[0] if numbers else 404)
            return
        data = server.files[self.path[1:]]
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(asked[1]) if asked and words[0] not in ("whole", "length") else 0
        if start >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.end_headers()
            return
        self._answer(data, start, words, numbers)

    def _answer(self, data: bytes, start: int, words: list[str], numbers: list[int]):
        self.send_response(206 if start else 200)
        begin = start + 7 if words[0] == "shifted" else start
        if start:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        if words[0] == "page":
            self.send_header("Content-Type", "text/html; charset=utf-8")
        if words[0] == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        elif words[0] != "no":
            length = numbers[0] if words[0] == "length" else len(data) - start
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if words[0] == "chunked":
            self.wfile.write(b"64\r\n" + data[:100] + b"\r\n64\r\n" + data[100:150])
        elif "break" in words:
            self.wfile.write(data[start : start + numbers[0]])
        elif words[0] == "stall":
            self.wfile.write(data[start : start + numbers[0]])
            self.wfile.flush()
            self.server.ended.wait(10)
        else:
            self.wfile.write(data[begin:])

    def log_message(self, *_):
        pass


@contextmanager
def serve(files: dict[str, bytes], *script: str) -> Iterator[FileServer]:
    """Serve ``files`` by name on this machine, in a thread."""
    server = FileServer(files, script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()

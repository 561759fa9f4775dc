"""A file from the web, whole and checked; a broken download goes on where it stopped."""

import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from typing import cast

from kws.data.big_files import CHUNK_BYTES, bytes_bar, check_space, megabytes, sha256_of
from kws.errors import DataError
from kws.files import storage_error

WAITS_S = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Pauses between tries; as many tries in a row may bring nothing new."""
TIMEOUT_S = 60.0
"""A server that is silent for so long has broken off."""
_WORTH_ANOTHER_TRY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True)
class Remote:
    """A file on a server, and what is known of it beforehand."""

    url: str
    size_bytes: int | None = None
    sha256: str | None = None
    elsewhere: str = "fetch it in another way and give it with --archive (or --test-archive)"
    """What to do when the server does not give it."""

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


class _BrokenOffError(Exception):
    """A try failed for a reason that may have gone at the next one."""


def download(
    remote: Remote,
    path: Path,
    spare_bytes: int = 0,
    waits_s: Sequence[float] = WAITS_S,
    timeout_s: float = TIMEOUT_S,
) -> str:
    """Fetch a file, or the part of it that is not there yet, and check it.

    What has come lies in ``<path>.part`` until all is there; after a break, in this run or a later
    one, only the rest is asked for.

    Parameters
    ----------
    path : where the file goes; one that is there already is only checked.
    spare_bytes : disk space that must be left when it has come.
    waits_s : pauses between tries, in seconds, one at least.
    timeout_s : longest silence of the server, in seconds.

    Returns
    -------
    The file's SHA-256.

    Raises
    ------
    DataError
        When the server does not have the file, breaks off again and again, or sends another file.
    StorageError
        When there is no room for it, or it cannot be written.
    """
    if path.is_file():
        return _checked(path, remote, "delete it and run the same command again")
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path.parent) from error
    _try_until_whole(remote, part, spare_bytes, waits_s, timeout_s)
    try:
        found = _checked(
            part,
            remote,
            "what came is removed: run the same command again, or fetch the file in another way",
        )
    except DataError:
        part.unlink()
        raise
    try:
        os.replace(part, path)
    except OSError as error:
        raise storage_error(error, path) from error
    return found


def _try_until_whole(
    remote: Remote, part: Path, spare_bytes: int, waits_s: Sequence[float], timeout_s: float
) -> None:
    furthest, fruitless = _size(part), 0
    while True:
        try:
            return _fetch(remote, part, spare_bytes, timeout_s)
        except _BrokenOffError as error:
            # Only new ground counts: a server that always begins anew would be asked for ever.
            there = _size(part)
            fruitless = 0 if there > furthest else fruitless + 1
            furthest = max(furthest, there)
            if fruitless >= len(waits_s):
                raise DataError(
                    f"{remote.url}: {error}; given up after {fruitless} tries in a row without "
                    f"anything new. {there:,} bytes are kept in {part}: run the same command again "
                    "to go on from there"
                ) from error
            time.sleep(waits_s[fruitless])


def _fetch(remote: Remote, part: Path, spare_bytes: int, timeout_s: float) -> None:
    """Ask for what is missing of ``part`` and add it, until nothing more comes."""
    have = _size(part)
    if remote.size_bytes is not None and have > remote.size_bytes:
        part.unlink()
        have = 0
    if have == remote.size_bytes:
        return
    with _ask(remote, have, timeout_s) as response:
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            _judge_end(response.headers, part, have)
            return
        if response.headers.get("Content-Type", "").startswith("text/"):
            raise DataError(
                f"{remote.url}: a page of text comes instead of the file (of a proxy, or a network "
                "that wants a login?); open the address in a browser, then run this again"
            )
        start, end = _answered_range(response, have)
        wanted = end if remote.size_bytes is None else remote.size_bytes
        check_space(part.parent, (wanted or start) - start + spare_bytes, remote.name)
        there = _append(response, part, start, wanted)
    if wanted is not None and there < wanted:
        announced = "" if end in (None, wanted) else f" (the server announces {end:,})"
        raise _BrokenOffError(f"broken off at {there:,} of {wanted:,} bytes{announced}")


def _ask(remote: Remote, have: int, timeout_s: float) -> http.client.HTTPResponse:
    """Send the request; a refused range is an answer, other refusals are raised."""
    headers = {"User-Agent": "kws", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        request = urllib.request.Request(remote.url, headers=headers)
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout_s)
        return response
    except urllib.error.HTTPError as error:
        if have and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return cast(http.client.HTTPResponse, error)
        with error:
            raise _refusal(remote, error) from error
    except (OSError, http.client.HTTPException) as error:
        raise _broken_off(error) from error


def _append(response: http.client.HTTPResponse, part: Path, start: int, wanted: int | None) -> int:
    """Write what comes from ``start`` on, until nothing more comes or ``wanted`` bytes are there.

    Everything that came before a break is kept. Gives the size then.
    """
    there = start
    title = f"downloading {part.stem}" + (f" from {megabytes(start)} on" if start else "")
    try:
        with (
            open(part, "r+b" if start else "wb") as file,
            bytes_bar(title, (wanted or start) - start) as count,
        ):
            file.seek(start)
            while wanted is None or there < wanted:
                room = CHUNK_BYTES if wanted is None else min(CHUNK_BYTES, wanted - there)
                try:
                    chunk = response.read1(room)
                except (OSError, http.client.HTTPException) as error:
                    raise _broken_off(error) from error
                if not chunk:
                    break
                file.write(chunk)
                there += len(chunk)
                count(len(chunk))
    except OSError as error:
        raise storage_error(error, part) from error
    return there


def _answered_range(response: http.client.HTTPResponse, have: int) -> tuple[int, int | None]:
    """Where the answer begins, and where the file ends by the server's word (None: no word).

    A server that does not know ranges sends all of it anew.
    """
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return 0, response.length
    header = response.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", header.strip())
    if not found or int(found[1]) != have:
        raise _BrokenOffError(
            f"asked for the bytes from {have:,} on, the server sends others ({header or 'unsaid'})"
        )
    return have, None if found[3] == "*" else int(found[3])


def _judge_end(headers: Message, part: Path, have: int) -> None:
    """The server has nothing after what is there: that is all, or another file than before."""
    found = re.fullmatch(r"bytes \*/(\d+)", headers.get("Content-Range", "").strip())
    if found and int(found[1]) == have:
        return
    part.unlink()
    raise _BrokenOffError(f"the server has no byte {have:,}; what was there is dropped")


def _refusal(remote: Remote, error: urllib.error.HTTPError) -> Exception:
    answer = f"the server answers {error.code} {error.reason}"
    if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in _WORTH_ANOTHER_TRY:
        return _BrokenOffError(answer)
    return DataError(f"{remote.url}: {answer}, expected the file; {remote.elsewhere}")


def _broken_off(error: Exception) -> _BrokenOffError:
    reason = getattr(error, "reason", error)
    return _BrokenOffError(f"the connection failed ({reason or type(error).__name__})")


def _checked(path: Path, remote: Remote, remedy: str) -> str:
    """The file's SHA-256, if it is the right one."""
    size = _size(path)
    if remote.size_bytes not in (None, size):
        raise DataError(f"{path}: {size:,} bytes, expected {remote.size_bytes:,}; {remedy}")
    found = sha256_of(path)
    if remote.sha256 not in (None, found):
        raise DataError(
            f"{path}: SHA-256 {found}, expected {remote.sha256} for {remote.name}; {remedy}"
        )
    return found


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0

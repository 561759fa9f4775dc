"""The demo's page: who may see it, and what is seen in a browser."""

import importlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest
from conftest import refused, run_tool
from tones import RATE, SPEECH
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import kws
from kws.audio.io import write
from kws.errors import StorageError
from kws.spotting.live import watch

DEMO = Path(__file__).parents[1] / "tools" / "mic_demo.py"


class Quiet:
    """The face on the terminal, remembered."""

    def __init__(self):
        self.notes, self.moments = [], 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def push(self, _moment):
        self.moments += 1

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def chromium(monkeypatch):
    """What drives a browser; a test is skipped where there is none."""
    monkeypatch.syspath_prepend(str(DEMO.parent))
    driver = importlib.import_module("demo.browser")
    if missing := driver.missing_browser():
        pytest.skip(missing)
    return driver


@pytest.fixture
def page(hearing, monkeypatch):
    """A page that is served, the hearing, and the face beside it."""
    monkeypatch.syspath_prepend(str(DEMO.parent))
    web, loaded = importlib.import_module("demo.web"), kws.load(hearing)
    with web.Page(Quiet(), loaded.metadata, lambda: 2, 0) as served:
        yield served, loaded


def url(served) -> str:
    return f"http://127.0.0.1:{served.port}"


def test_the_page_is_whole_and_takes_nothing_from_elsewhere(page):
    served, _ = page
    with urlopen(url(served)) as answer:
        text = answer.read().decode()
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert text.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in policy
    assert "http://" not in text.replace("ws://", "")
    assert "https://" not in text
    assert served.inner.notes == [f"page: {url(served)}"]


def test_it_is_on_this_machine_alone(page):
    served, _ = page
    assert served._server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/other", {}, 404),
        ("/", {"Host": "evil.example:80"}, 403),
        ("/live", {"Origin": "http://evil.example"}, 403),
        ("/live", {}, 403),
    ],
)
def test_others_are_turned_away(page, path, headers, status):
    served, _ = page
    with pytest.raises(HTTPError) as error:
        urlopen(Request(url(served) + path, headers=headers))
    error.value.close()
    assert error.value.code == status


def test_a_socket_of_another_page_is_turned_away(page):
    served, _ = page
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://127.0.0.1:{served.port}/live", origin="http://evil.example")


def test_moments_are_sent_as_they_are(page):
    served, loaded = page
    address = f"ws://127.0.0.1:{served.port}/live"
    with connect(address, origin=url(served)) as socket:
        facts = json.loads(socket.recv(timeout=10))
        assert facts["keywords"] == ["yes", "no"]
        assert facts["thresholds"] == [0.7, 0.7]
        assert facts["bands"] == 40
        blocks = [SPEECH[start : start + 640] for start in range(0, 2 * RATE, 640)]
        moments = list(watch(loaded.stream(), blocks))
        for moment in moments:
            served.push(moment)
        told = [json.loads(socket.recv(timeout=10)) for _ in moments]
    assert served.inner.moments == len(moments)
    assert sum(len(one["frames"]) for one in told) == sum(len(one.frames) for one in moments)
    assert all(0 <= value <= 255 for one in told for frame in one["frames"] for value in frame)
    (found,) = [one for moment in told for one in moment["detections"]]
    assert found[1:3] == [0, "yes"]
    assert told[-1]["dropped"] == 2
    assert told[-1]["time"] == pytest.approx(2, abs=0.01)
    loud, silent = told[35]["level"], told[5]["level"]
    assert loud > 0.7
    assert silent == 0
    np.testing.assert_allclose(told[-1]["scores"], moments[-1].scores[:2], atol=1e-3)


def test_a_slow_page_loses_some_and_hinders_nobody(page):
    served, loaded = page
    address = f"ws://127.0.0.1:{served.port}/live"
    with connect(address, origin=url(served), close_timeout=0.1) as socket:
        socket.recv(timeout=10)
        (moment,) = watch(loaded.stream(), [np.zeros(320 * 2000, np.float32)])
        pushed = threading.Thread(target=lambda: [served.push(moment) for _ in range(300)])
        pushed.start()
        pushed.join(60)
        assert not pushed.is_alive()


def test_a_port_that_is_taken(hearing, monkeypatch):
    monkeypatch.syspath_prepend(str(DEMO.parent))
    web = importlib.import_module("demo.web")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StorageError, match=f"port {port} cannot be had"):
            web.Page(Quiet(), kws.load(hearing).metadata, lambda: 0, port)


def test_a_browser_shows_scores_spectrogram_and_detections(hearing, chromium, tmp_path):
    write(tmp_path / "long.wav", np.tile(SPEECH, 10), RATE)
    command = [sys.executable, str(DEMO), str(hearing), "--web", "0", "--plain"]
    child = subprocess.Popen(
        [*command, "--wav", str(tmp_path / "long.wav")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        address = child.stderr.readline().split("page: ")[1].strip()
        with chromium.browse(address, tmp_path / "browser") as browser:
            browser.wait("document.querySelectorAll('.keyword').length == 2")
            heard = (
                "[...document.querySelectorAll('#heard tr')].map(row => row.cells[1].textContent)"
            )
            # A page that is late may hear "yes" twice before "no".
            browser.wait(f"new Set({heard}).size >= 2")
            names = "[...document.querySelectorAll('.keyword span')].map(one => one.textContent)"
            assert browser.evaluate(names) == ["yes", "no"]
            assert set(browser.evaluate(heard)) == {"yes", "no"}
            flashes = "document.querySelectorAll('.keyword.flash').length"
            assert browser.evaluate(flashes) >= 1
            mark = "document.querySelector('.track b').style.left"
            assert browser.evaluate(mark) == "70%"
            bright = (
                "(() => { const all = document.querySelector('canvas').getContext('2d')"
                ".getImageData(0, 0, 300, 40).data; let most = 0;"
                "for (let i = 0; i < all.length; i += 4) most = Math.max(most, all[i]);"
                "return most; })()"
            )
            browser.wait(f"{bright} > 240")
            assert "% of a core" in browser.evaluate("document.querySelector('footer').textContent")
            child.send_signal(signal.SIGINT)
            child.wait(timeout=20)
            browser.wait("document.getElementById('state').textContent == 'not connected'")
    finally:
        child.kill()
        out, err = child.communicate()
    assert "detections" in err
    assert {line.split()[2] for line in out.splitlines()} == {"yes", "no"}


@pytest.mark.usefixtures("chromium")
def test_pictures_of_terminal_and_page(hearing, tmp_path):
    write(tmp_path / "said.wav", SPEECH, RATE)
    given = (hearing, tmp_path / "said.wav", "--out", tmp_path / "pictures")
    run_tool("demo_pictures.py", *given, "--at", 4)
    drawn = (tmp_path / "pictures" / "terminal.svg").read_text()
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "font-face" not in drawn
    text = re.sub(r"<[^>]*>", "", drawn).replace("&#160;", " ")
    for shown in ("mic_demo.py tiny", "level", "% of a core", "yes", "no"):
        assert shown in text
    found = re.findall(r"\d\.\d\d s *(yes|no)", text)
    assert found == ["no", "yes"]  # the last one first
    picture = matplotlib.image.imread(tmp_path / "pictures" / "page.png")
    assert picture.shape[1] == 900
    assert picture[..., :3].std() > 0.1
    line = refused("demo_pictures.py", *given, "--at", 70)
    assert re.search(r"--at 70: the sound ends after \d+\.\d s; give an earlier moment", line)

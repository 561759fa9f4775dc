"""The microphone and the demo: from a file, on a virtual microphone, and without one."""

import importlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import soxr
from rich.console import Console
from tones import RATE, SPEECH, tone

import kws
from kws.audio.blocks import Microphones
from kws.audio.devices import Device, input_devices, rescan
from kws.audio.io import read, write
from kws.audio.microphone import Microphone
from kws.errors import AudioError
from kws.spotting.live import watch
from kws.spotting.spotter import spot_file
from kws.tflite.interpreter import open_model

DEMO = Path(__file__).parents[1] / "tools" / "mic_demo.py"
RECORDER = """
import json, sys
import numpy as np
from kws.audio.microphone import Microphone
rate, seconds, out = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
with Microphone(rate) as microphone:
    blocks = []
    for block in microphone:
        if not blocks:
            facts = {"name": microphone.name, "rate": microphone.device_rate_hz}
            print(json.dumps(facts), flush=True)
        blocks.append(block)
        if sum(map(len, blocks)) >= rate * seconds:
            break
np.save(out, np.concatenate(blocks))
print(microphone.dropped)
"""


@pytest.fixture(scope="module")
def speech(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "tones.wav"
    write(path, SPEECH, RATE)
    return path


def demo(*arguments, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, str(DEMO), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def detections(printed: str) -> list[tuple[float, str, float]]:
    """The demo's lines: ``1.23 s  yes  0.75``."""
    lines = [line.split() for line in printed.splitlines()]
    assert all(len(line) == 4 and line[1] == "s" for line in lines), printed
    return [(float(line[0]), line[2], float(line[3])) for line in lines]


def test_detections_in_a_file_are_printed_one_a_line(hearing, speech):
    done = demo(hearing, "--wav", speech, "--fast")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)
    for (time_s, keyword, score), found in zip(
        detections(done.stdout), spot_file(speech, open_model(hearing)), strict=True
    ):
        assert (keyword, score) == (found.keyword, round(found.score, 2))
        assert time_s == pytest.approx(found.time_s, abs=0.006)
    assert done.stderr.splitlines()[-1] == f"{speech}: 3 detections"


def test_tflm_hears_the_same(hearing, speech):
    given = detections(demo(hearing, "--wav", speech, "--fast", "--engine", "tflm").stdout)
    assert [keyword for _, keyword, _ in given] == ["yes", "no", "yes"]


STARTED = """
import json, runpy, sys
done = []
sys.addaudithook(lambda event, _: done.append(event))
demo, *sys.argv = sys.argv[1:]
sys.path.insert(0, demo.rpartition("/")[0])
runpy.run_path(demo, run_name="__main__")
events = {event.split(".")[0] for event in done}
print(json.dumps({"modules": sorted(sys.modules), "events": sorted(events)}))
"""


def test_the_demo_starts_with_no_more_than_it_needs(hearing, speech):
    """No TensorFlow, no librosa; no sound device, socket, program or picture for plain lines."""
    command = [sys.executable, "-c", STARTED, str(DEMO), "mic_demo.py", str(hearing)]
    command += ["--wav", str(speech), "--fast", "--plain"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    *lines, last = done.stdout.splitlines()
    assert len(lines) == 3
    started = json.loads(last)
    modules = {name.split(".")[0] for name in started["modules"]}
    assert not modules & {"tensorflow", "tf_keras", "keras", "librosa", "numba", "sklearn", "scipy"}
    assert not modules & {"sounddevice", "rich", "websockets", "matplotlib", "dask", "optuna"}
    own = {name for name in started["modules"] if name.startswith(("demo.", "kws."))}
    assert {name for name in own if name.startswith("demo.")} == {"demo.lines"}
    assert not {name for name in own if name.startswith(("kws.data", "kws.nn", "kws.report"))}
    assert "open" in started["events"]
    assert not set(started["events"]) & {"socket", "subprocess"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.tflite"], "nowhere.tflite: no such model file"),
        ([DEMO, "--wav", "x.wav"], "not a TFLite model"),
        (["MODEL", "--wav", "nowhere.wav", "--fast"], "nowhere.wav: no such file"),
    ],
)
def test_bad_input_is_one_line_and_status_2(hearing, arguments, message):
    done = demo(*[hearing if argument == "MODEL" else argument for argument in arguments])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_model_must_be_named():
    done = demo()
    assert (done.returncode, done.stdout) == (2, "")
    assert "MODEL.tflite is missing" in done.stderr


def test_a_file_is_heard_at_its_pace(hearing, speech):
    started = time.monotonic()
    plain, fast = demo(hearing, "--wav", speech), demo(hearing, "--wav", speech, "--fast")
    assert plain.stdout == fast.stdout
    assert time.monotonic() - started > len(SPEECH) / RATE


def test_json_is_one_object_a_line(hearing, speech):
    done = demo(hearing, "--wav", speech, "--fast", "--json")
    values = [json.loads(line) for line in done.stdout.splitlines()]
    found = spot_file(speech, open_model(hearing))
    assert [value["keyword"] for value in values] == [one.keyword for one in found]
    for value, one in zip(values, found, strict=True):
        assert value["time_s"] == pytest.approx(one.time_s, abs=1e-3)
        assert value["score"] == pytest.approx(one.score, abs=1e-4)


def test_a_command_is_run_at_each_detection(hearing, speech, tmp_path):
    script = tmp_path / "tell.py"
    out = tmp_path / "told"
    script.write_text(
        "import os, pathlib, sys\n"
        "names = ('KWS_KEYWORD', 'KWS_SCORE', 'KWS_TIME_S')\n"
        "line = ' '.join([*(os.environ[name] for name in names), *sys.argv[2:]])\n"
        "out = pathlib.Path(sys.argv[1]) / os.environ['KWS_TIME_S']\n"
        "out.write_text(line)\n"
    )
    out.mkdir()
    command = f"{sys.executable} {script} '{out}' 'two words' $HOME;"
    done = demo(hearing, "--wav", speech, "--exec", command)
    found = spot_file(speech, open_model(hearing))
    expected = {f"{d.keyword} {d.score:.4f} {d.time_s:.3f} two words $HOME;" for d in found}
    assert done.returncode == 0
    deadline = time.monotonic() + 20
    while len(list(out.iterdir())) < len(expected) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)  # the last one is being written
    assert {path.read_text() for path in out.iterdir()} == expected


def test_a_command_that_fails_is_told_of(hearing, speech):
    done = demo(hearing, "--wav", speech, "--exec", "false")
    assert done.stderr.count("--exec false: ended with status 1") >= 2
    assert done.returncode == 0


def test_the_sound_around_triggers_is_kept(hearing, speech, tmp_path):
    done = demo(hearing, "--wav", speech, "--fast", "--save-triggers", tmp_path / "kept")
    found = spot_file(speech, open_model(hearing))
    assert done.returncode == 0
    kept = sorted((tmp_path / "kept" / "detections").rglob("*.wav"))
    assert sorted(path.parent.name for path in kept) == ["no", "yes", "yes"]
    lines = (tmp_path / "kept" / "triggers.csv").read_text().splitlines()
    assert lines[0] == "time_s,kind,keyword,score,path"
    rows = [line.split(",") for line in lines[1:] if ",detections," in line]
    assert f"{len(lines) - 1} sounds kept in" in done.stderr
    for row, one in zip(rows, found, strict=True):
        audio = read(tmp_path / "kept" / row[4], RATE)
        at = round(float(row[0]) * RATE)
        assert float(row[0]) == pytest.approx(one.time_s, abs=0.05)
        expected = SPEECH[max(0, at - round(1.5 * RATE)) : at + round(0.5 * RATE)]
        np.testing.assert_allclose(audio[: len(expected)], expected, atol=1e-4)


def test_the_screen_shows_level_scores_spectrogram_and_detections(hearing, monkeypatch):
    monkeypatch.syspath_prepend(str(DEMO.parent))
    screen_of = importlib.import_module("demo.screen").Screen
    console = Console(record=True, force_terminal=True, width=100, file=io.StringIO())
    loaded = kws.load(hearing)
    with screen_of(loaded.metadata, lambda: 3, console) as screen:
        blocks = (SPEECH[start : start + 320] for start in range(0, 2 * RATE, 320))
        for moment in watch(loaded.stream(), blocks):
            screen.push(moment)
        drawn = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
        drawn.print(screen.picture())
        text = drawn.export_text()
        screen.note("waiting")
    assert text.splitlines()[0].startswith("level ")
    (bar,) = [line for line in text.splitlines() if line.startswith("yes ")]
    assert "|" in bar
    assert text.count("▀") == 8 * 72
    assert " yes  " in text.split("▀")[-1]
    assert "3 blocks dropped" in text
    assert "% of a core" in text
    assert "waiting" in console.export_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fast"], "--fast is for a file"),
        (["--plain", "--json"], "give one of the two"),
        (["--wav", "x.wav", "--device", "1"], "give one of the two"),
        (["--exec", "no-such-program-at-all x"], "no such program"),
        (["--exec", "'"], "No closing quotation"),
    ],
)
def test_wrong_arguments(hearing, arguments, message):
    done = demo(hearing, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


# --- PortAudio on a virtual microphone ---


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_what_is_played_is_what_is_heard(microphone, tmp_path, rate):
    at = np.arange(RATE) / RATE
    chirp = (0.3 * np.sin(2 * np.pi * (100 * at + 450 * at**2))).astype(np.float32)
    played = np.concatenate((np.zeros(RATE // 2, np.float32), chirp))
    write(tmp_path / "played.wav", played, RATE)
    command = [sys.executable, "-c", RECORDER, str(rate), "3", str(tmp_path / "heard.npy")]
    with subprocess.Popen(command, env=microphone.env, stdout=subprocess.PIPE, text=True) as child:
        facts = json.loads(child.stdout.readline())
        microphone.play(tmp_path / "played.wav")
        dropped = int(child.stdout.readline())
    assert facts == {"name": "default", "rate": rate}
    assert dropped == 0
    heard = np.load(tmp_path / "heard.npy")
    assert heard.dtype == np.float32
    wanted = soxr.resample(chirp, RATE, rate) if rate != RATE else chirp
    spectrum = np.fft.rfft(heard, 1 << 19) * np.conj(np.fft.rfft(wanted, 1 << 19))
    start = int(np.argmax(np.fft.irfft(spectrum)[: len(heard) - len(wanted)]))
    found = heard[start : start + len(wanted)]
    correlation = found @ wanted / np.sqrt((found @ found) * (wanted @ wanted))
    assert correlation > 0.995
    assert found @ found == pytest.approx(wanted @ wanted, rel=0.01)
    assert np.abs(heard[: max(0, start - rate // 10)]).max(initial=0) < 1e-4


def test_live_detections_are_those_of_the_file(microphone, hearing, speech):
    from_file = detections(demo(hearing, "--wav", speech, "--fast").stdout)
    command = [sys.executable, str(DEMO), str(hearing), "--device", "0"]
    child = subprocess.Popen(
        command,
        env=microphone.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        said = ""
        while not said.startswith("listening"):
            said = child.stderr.readline()
            assert said, "the demo ended before it listened"
        microphone.play(speech)
        lines = [child.stdout.readline() for _ in from_file]  # each is flushed at once
        child.send_signal(signal.SIGINT)
        rest, notes = child.communicate(timeout=30)
    finally:
        child.kill()
        child.wait()
    live = detections("".join(lines) + rest)
    assert said == "listening to 'default' at 16000 Hz for: yes no (Ctrl-C ends)\n"
    assert [keyword for _, keyword, _ in live] == [keyword for _, keyword, _ in from_file]
    offsets = [ours[0] - theirs[0] for ours, theirs in zip(live, from_file, strict=True)]
    assert max(offsets) - min(offsets) <= 0.041
    for ours, theirs in zip(live, from_file, strict=True):
        assert ours[2] == pytest.approx(theirs[2], abs=0.1)
    assert child.returncode == 0
    assert notes.endswith(" s: 3 detections, 0 blocks dropped\n")


def test_devices_are_listed_without_a_model(microphone):
    done = demo("--list-devices", env=microphone.env)
    assert done.returncode == 0
    assert done.stdout.startswith("*   0  default  (32 in, ")


def test_a_wrong_device_number_names_the_right_ones(microphone, hearing):
    done = demo(hearing, "--device", 7, env=microphone.env)
    expected = "error: device 7 is none that records; there are: 0 (default)"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, expected)


# --- A PortAudio that is told what to do ---


class Refused(Exception):
    """PortAudio's error: a text and a code."""


def facts(name: str, index: int = 0, **others) -> dict:
    """What PortAudio knows of a device."""
    known = {"max_input_channels": 1, "default_samplerate": float(RATE), "hostapi": 0}
    return {"name": name, "index": index, **known, **others}


class FakeSound(types.SimpleNamespace):
    """As much of ``sounddevice`` as a microphone needs; ``rates`` are what the device can do."""

    PortAudioError = Refused

    def __init__(self, blocks=(), rates=(RATE,), default=0, devices=None, start=None, channels=1):
        super().__init__(blocks=blocks, rates=rates, default=default, start=start, asked=[])
        self.channels = channels
        desk = facts("desk", max_input_channels=channels, default_samplerate=float(rates[0]))
        self.devices = [desk] if devices is None else devices

    def query_devices(self, number=None, kind=None):
        if kind is None:
            return self.devices
        number = self.default if number is None else number
        if not 0 <= number < len(self.devices):
            raise Refused(f"Error querying device {number}")
        return self.devices[number]

    def _terminate(self):
        self.scans = getattr(self, "scans", 0) + 1

    def _initialize(self):
        if self.scans >= 3:  # it is plugged in again
            self.rates = (RATE,)

    def InputStream(self, **options):
        self.asked.append(options)
        if self.channels != options["channels"]:
            raise Refused("Invalid number of channels", -9998)
        if isinstance(self.rates, Exception):
            raise self.rates
        if options["samplerate"] not in self.rates:
            raise Refused("Invalid sample rate", -9997)
        return FakeStream(self, options["callback"])


class FakeStream:
    def __init__(self, sound, callback):
        self.sound, self.callback, self.closed = sound, callback, False

    def start(self):
        if self.sound.start:
            raise self.sound.start
        for block, overflow in self.sound.blocks:
            status = types.SimpleNamespace(input_overflow=overflow)
            given = block[:, None] if block.ndim == 1 else block
            self.callback(given, len(block), None, status)
            block[:] = np.nan  # PortAudio's memory is used again

    def close(self):
        self.closed = True


@pytest.fixture
def portaudio(monkeypatch, tmp_path):
    def install(**facts) -> FakeSound:
        sound = FakeSound(**facts)
        monkeypatch.setitem(sys.modules, "sounddevice", sound)
        return sound

    monkeypatch.setattr("kws.audio.microphone.PATIENCE_S", 0.01)
    monkeypatch.setattr("kws.audio.blocks.RETRY_S", 0.001)
    monkeypatch.setattr("kws.audio.devices.SOUND_FILES", tmp_path / "snd")
    return install


def heard(sample_rate_hz: int) -> tuple[np.ndarray, Microphone]:
    """All blocks up to the device's silence."""
    blocks: list[np.ndarray] = []
    with Microphone(sample_rate_hz) as microphone, pytest.raises(AudioError, match="plugged in"):
        blocks.extend(microphone)
    return np.concatenate(blocks), microphone


def test_blocks_come_as_they_are_at_the_wanted_rate(portaudio):
    audio = tone(440, 0.1)
    sound = portaudio(blocks=[(part.copy(), False) for part in audio.reshape(5, 320)])
    given, microphone = heard(RATE)
    assert np.array_equal(given, audio)
    assert (microphone.device_rate_hz, microphone.dropped, microphone.name) == (RATE, 0, "desk")
    asked = {key: sound.asked[0][key] for key in ("samplerate", "blocksize", "channels", "dtype")}
    assert asked == {"samplerate": RATE, "blocksize": 320, "channels": 1, "dtype": "float32"}
    assert microphone._stream.closed


def test_another_rate_is_resampled_without_seams(portaudio):
    audio = (0.3 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)).astype(np.float32)
    portaudio(rates=(48000,), blocks=[(part.copy(), False) for part in audio.reshape(50, 960)])
    given, microphone = heard(RATE)
    assert microphone.device_rate_hz == 48000
    assert 0.9 * RATE < len(given) <= RATE
    middle = slice(1000, len(given) - 1000)
    np.testing.assert_allclose(given[middle], tone(440, 1.0)[middle], atol=1e-3)


def test_dropped_blocks_are_counted(portaudio, monkeypatch):
    monkeypatch.setattr("kws.audio.microphone.BACKLOG_S", 0.06)
    flags = [False, True, False, False, True]
    portaudio(blocks=[(np.full(320, i, np.float32), flag) for i, flag in enumerate(flags)])
    given, microphone = heard(RATE)
    assert given[::320].tolist() == [0, 1, 2]  # a backlog of three blocks, then two are lost
    assert microphone.dropped == 4  # those two, and two that PortAudio had lost before


def test_no_microphone(portaudio):
    portaudio(devices=[])
    with pytest.raises(AudioError, match=r"no microphone found: .* knows of no device .*; plug"):
        Microphone(RATE)
    assert input_devices() == []


def test_sound_devices_that_this_user_may_not_read(portaudio, monkeypatch, tmp_path):
    """Without rights PortAudio finds no device, or opens none; others' files do not matter."""
    sound = portaudio(devices=[])
    (tmp_path / "snd" / "by-path").mkdir(parents=True)
    for name in ("pcmC0D0p", "timer"):
        (tmp_path / "snd" / name).touch(0o644)
    with pytest.raises(AudioError, match="plug one in"):
        Microphone(RATE)
    (tmp_path / "snd" / "pcmC0D0c").touch()
    (tmp_path / "snd" / "pcmC0D0c").chmod(0)
    access = os.access  # by its bits: root may read all
    monkeypatch.setattr(os, "access", lambda path, mode: access(path, mode) and open_to_all(path))
    advice = (
        "this user may not read the sound devices in /dev/snd; join the group audio "
        "(sudo usermod -aG audio $USER) and log in again"
    )
    with pytest.raises(AudioError) as error:
        Microphone(RATE)
    assert str(error.value) == f"no microphone found: {advice}"
    sound.devices, sound.rates = [facts("desk")], Refused("Illegal combination", -9993)
    with pytest.raises(AudioError) as error:
        Microphone(RATE)
    assert str(error.value) == f"microphone 'desk' (device 0): {advice}"
    (tmp_path / "snd" / "pcmC1D0c").touch(0o644)
    with pytest.raises(
        AudioError, match=r"cannot be opened \(.*Illegal.*; see that the system lets"
    ):
        Microphone(RATE)


def open_to_all(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o004)


def test_no_default_microphone_names_the_others(portaudio):
    portaudio(default=-1)
    with pytest.raises(AudioError, match=r"choose one with --device: 0 \(desk\)"):
        Microphone(RATE)
    assert input_devices() == [Device(0, "desk", 1, float(RATE), False, 0)]


@pytest.mark.parametrize("number", [3, -2])
def test_a_wrong_device_number(portaudio, number):
    portaudio()
    with pytest.raises(AudioError, match=rf"device {number} is none that records; .* 0 \(desk\)"):
        Microphone(RATE, number)


def test_a_busy_device(portaudio):
    portaudio().rates = Refused("Device unavailable", -9985)
    with pytest.raises(AudioError, match=r"'desk' \(device 0\): busy; .* end that program$"):
        Microphone(RATE)


def test_a_device_that_cannot_be_opened(portaudio):
    portaudio().rates = Refused("Illegal combination of I/O devices", -9993)
    with pytest.raises(AudioError, match=r"cannot be opened .*Illegal combination"):
        Microphone(RATE)


def test_a_device_that_does_not_start(portaudio):
    portaudio(start=Refused("Unanticipated host error", -9999))
    microphone = Microphone(RATE)
    with pytest.raises(AudioError, match=r"does not start .*Unanticipated"):
        microphone.__enter__()
    assert microphone._stream.closed


def test_portaudio_is_missing(tmp_path, hearing):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = demo(hearing, env=env)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: the microphone needs the PortAudio library")
    assert last.endswith("apt-get install libportaudio2")


def test_sounddevice_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError, match="the Python package sounddevice; install it: pip install"):
        input_devices()


def test_channels_are_averaged_where_a_device_has_no_single_one(portaudio):
    left, right = np.full(320, 0.5, np.float32), np.full(320, 0.1, np.float32)
    sound = portaudio(blocks=[(np.stack([left, right], axis=1), False)], channels=2)
    given, _ = heard(RATE)
    assert [options["channels"] for options in sound.asked] == [1, 2]
    np.testing.assert_allclose(given, 0.3, atol=1e-6)


LISTENING = "listening to 'desk' at 16000 Hz"
WAITING = "microphone 'desk': no sound any more; waiting for it to come back"


def steady(level: float, overflow: bool = False) -> list[tuple[np.ndarray, bool]]:
    """A block that a microphone gives, and then falls silent."""
    return [(np.full(320, level, np.float32), overflow)]


def changes(sound: FakeSound, *facts: dict | Exception) -> None:
    """What each rescan finds changed, or what it raises."""
    coming = iter(facts)

    def initialize() -> None:
        change = next(coming)
        if isinstance(change, Exception):
            raise change
        vars(sound).update(change)

    sound._initialize = initialize


def test_a_microphone_that_goes_is_waited_for(portaudio):
    """It gives a block and falls silent; looked for three times, it is there again."""
    sound = portaudio(blocks=steady(0.25))
    told: list[str] = []
    microphones = Microphones(RATE, None, told.append)
    blocks = iter(microphones)
    assert next(blocks)[0] == 0.25
    sound.blocks = steady(0.5, overflow=True)
    sound.rates = Refused("Device unavailable", -9985)
    assert next(blocks)[0] == 0.5
    assert sound.scans == 3
    assert told == [LISTENING, WAITING, LISTENING]
    assert microphones.dropped == 1


def test_a_microphone_that_comes_back_lame_is_waited_for_on(portaudio):
    """It opens and does not start, then starts and stays silent, then gives sound."""
    sound = portaudio(blocks=steady(0.25))
    told: list[str] = []
    blocks = iter(Microphones(RATE, None, told.append))
    assert next(blocks)[0] == 0.25
    lame = {"blocks": [], "start": Refused("Unanticipated host error", -9999)}
    changes(sound, lame, {"start": None}, {"blocks": steady(0.5)})
    assert next(blocks)[0] == 0.5
    assert told == [LISTENING, WAITING, LISTENING]
    assert len(sound.asked) == 4


@pytest.mark.parametrize("device", [1, None])
def test_a_microphone_is_known_again_by_its_name(portaudio, device):
    """Its number is another's meanwhile, and its name is another's of another host API."""
    with_it = [facts("webcam"), facts("desk", 1)]
    without = [facts("webcam"), facts("line in", 1), facts("desk", 2, hostapi=1)]
    shifted = [facts("line in"), facts("desk", 1, hostapi=1), facts("desk", 2)]
    sound = portaudio(devices=with_it, default=1, blocks=steady(0.25))
    blocks = iter(Microphones(RATE, device, print))
    assert next(blocks)[0] == 0.25
    changes(sound, {"devices": without, "blocks": steady(0.5)}, {"devices": shifted})
    assert next(blocks)[0] == 0.5
    assert [options["device"] for options in sound.asked] == [1, 2]


def test_a_sound_system_that_is_down_is_waited_for(portaudio):
    """PortAudio cannot be started for a while, and cannot be ended where it was not started."""
    sound = portaudio(blocks=steady(0.25))
    blocks = iter(Microphones(RATE, None, print))
    next(blocks)
    down = Refused("Error initializing PortAudio", -9999)
    changes(sound, down, down, {"blocks": steady(0.5)}, down)
    ended = iter([None, Refused("not initialized", -10000), Refused("not initialized", -10000)])
    sound._terminate = lambda: refuse(next(ended, None))
    assert next(blocks)[0] == 0.5
    with pytest.raises(AudioError, match="PortAudio does not start"):
        rescan()


def refuse(error: Exception | None) -> None:
    if error:
        raise error


def test_a_microphone_that_is_silent_from_the_start_is_an_error(portaudio):
    portaudio()
    with pytest.raises(AudioError, match="see that it is still plugged in, and start again"):
        next(iter(Microphones(RATE, None, print)))


def test_a_microphone_that_was_never_there_is_not_waited_for(portaudio):
    portaudio(devices=[])
    with pytest.raises(AudioError, match="no microphone found"):
        next(iter(Microphones(RATE, None, print)))

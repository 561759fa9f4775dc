"""``kws.load``: files, blocks and the microphone, in a program's own hands."""

import subprocess
import sys

import pytest
from tones import RATE, SPEECH

import kws
from kws.audio.io import write
from kws.errors import AudioError, ModelError
from kws.spotting.spotter import spot_file
from kws.tflite.interpreter import open_model

LISTENER = """
import sys
import kws
model, count = kws.load(sys.argv[1]), int(sys.argv[2])
from kws.audio.microphone import Microphone
entered = Microphone.__enter__
def enter(self):
    print("listening", flush=True)
    return entered(self)
Microphone.__enter__ = enter
def tell(detection):
    print(detection.keyword, flush=True)
"""
LISTEN = """
for heard, detection in enumerate(model.listen(), 1):
    tell(detection)
    if heard == count:
        break
"""
LISTEN_ASYNC = """
import asyncio
beats = 0
async def beat():
    global beats
    while True:
        await asyncio.sleep(0.05)
        beats += 1
async def main():
    task, heard = asyncio.create_task(beat()), 0
    async for detection in model.listen_async():
        tell(detection)
        heard += 1
        if heard == count:
            break
    task.cancel()
    assert beats > 20, beats
asyncio.run(main())
"""


def test_a_file_is_spotted(hearing, tmp_path):
    write(tmp_path / "a.wav", SPEECH, RATE)
    model = kws.load(hearing)
    found = model.spot(tmp_path / "a.wav")
    assert [d.keyword for d in found] == ["yes", "no", "yes"]
    assert found == model.spot(str(tmp_path / "a.wav"))
    assert found == spot_file(tmp_path / "a.wav", open_model(hearing))
    assert [d.keyword for d in kws.load(str(hearing), "tflm").spot(tmp_path / "a.wav")] == [
        d.keyword for d in found
    ]


def test_it_says_what_it_hears(hearing):
    model = kws.load(hearing)
    assert model.keywords == ("yes", "no")
    assert model.sample_rate_hz == RATE
    assert model.metadata.form == "stream"


def test_streams_are_apart(hearing):
    model = kws.load(hearing)
    one, other = model.stream(), model.stream()
    alone = model.stream().push(SPEECH)
    found = []
    for start in range(0, len(SPEECH), 1000):
        found += one.push(SPEECH[start : start + 1000])
        other.push(SPEECH[start : start + 1000] * 0)
    assert found == alone
    assert len(alone) == 3


@pytest.mark.parametrize("program", [LISTEN, LISTEN_ASYNC], ids=["loop", "async"])
def test_it_listens(microphone, hearing, tmp_path, program):
    write(tmp_path / "played.wav", SPEECH, RATE)
    command = [sys.executable, "-c", LISTENER + program, str(hearing), "3"]
    with subprocess.Popen(command, env=microphone.env, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "listening\n"
        microphone.play(tmp_path / "played.wav")
        assert child.stdout.read().split() == ["yes", "no", "yes"]
    assert child.returncode == 0


def test_importing_takes_nothing_with_it():
    code = (
        "import sys, kws; kws.load; "
        "print(sorted({'tensorflow', 'numpy', 'librosa', 'pydantic', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_spotting_needs_no_tensorflow(hearing, tmp_path):
    write(tmp_path / "a.wav", SPEECH, RATE)
    code = (
        "import sys, kws; assert kws.load(sys.argv[1]).spot(sys.argv[2]); "
        "assert 'tensorflow' not in sys.modules"
    )
    command = [sys.executable, "-c", code, str(hearing), str(tmp_path / "a.wav")]
    subprocess.run(command, check=True, capture_output=True)


def test_what_cannot_be_used_is_named(hearing, tmp_path):
    with pytest.raises(ModelError, match="no such model file"):
        kws.load(tmp_path / "none.tflite")
    with pytest.raises(AudioError, match="no such file"):
        kws.load(hearing).spot(tmp_path / "none.wav")

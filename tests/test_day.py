"""A day of sound through each stream model in the box: its state goes nowhere.

The state is int8 and the step is exact, so that what follows depends on the state and the sound
alone. A minute of speech is heard over and over. Once the state after a minute has been there
before, every later minute repeats one already heard, to the bit: the day's last is among the first.

The state of a model may wander within its rounding instead, and not come back for a day. Such a
model hears the whole day, in the C engine (to the byte what TFLM computes, and faster): what it
says late is no farther from what it said early than early minutes are from each other.
"""

import numpy as np
import pytest
from c_package import build_package
from test_pretrained import BOX, IN_THE_BOX

from kws.audio.features import StreamingFeatures
from kws.audio.io import read
from kws.audio.noise import coloured_noise, mix
from kws.tflite.interpreter import Runner, open_model
from kws.tflite.metadata import metadata_of

STREAMS = [name for name in IN_THE_BOX if metadata_of(BOX / name / "model.tflite").form == "stream"]
WANDERING = ("speech_commands_8/gru_stream",)
DAY = 24 * 60


@pytest.fixture(scope="module")
def minute(speech_data):
    """Sentences with pauses, in noise, (samples,) at 16 kHz."""
    rng = np.random.default_rng(0)
    files = sorted((speech_data / "continuous_speech").rglob("*.flac"))
    parts = [part for path in files[:10] for part in (read(path, 16000), np.zeros(8000))]
    speech = np.concatenate(parts)[: 60 * 16000].astype(np.float32)
    return mix(speech, coloured_noise(len(speech), 1.0, rng, 16000), 15.0, 16000)


def minute_of_features(runner: Runner, minute: np.ndarray) -> np.ndarray:
    """(frames, size) of the minute as it sounds after itself."""
    config = runner.metadata.features
    features = StreamingFeatures(config)
    features.push(minute)
    again = features.push(minute)
    assert len(again) == 60 * config.frames_per_second
    return again


def hear(runner: Runner, frames: np.ndarray) -> bytes:
    """Posteriors of a minute that the runner's state goes through."""
    taken = runner.metadata.frames_per_step
    assert len(frames) % taken == 0
    steps = (runner.step(frames[at : at + taken]) for at in range(0, len(frames), taken))
    return b"".join(step.tobytes() for step in steps)


@pytest.mark.parametrize("name", [name for name in STREAMS if name not in WANDERING])
def test_a_day_repeats_its_first_minutes(name, minute):
    runner = open_model(BOX / name / "model.tflite", "litert")
    frames = minute_of_features(runner, minute)
    heard: list[bytes] = []
    after: dict[bytes, int] = {}
    for number in range(30):  # a state that goes on for longer is drifting, or wanders
        heard.append(hear(runner, frames))
        state = b"".join(part.tobytes() for part in runner.state)
        if state in after:
            break
        after[state] = number
    else:
        pytest.fail("the state never came back within half an hour")
    first, period = after[state] + 1, number - after[state]
    for index in range(first, first + period):  # those that follow, one period of them
        assert hear(runner, frames) == heard[index]


def distances(some: list[np.ndarray], others: list[np.ndarray]) -> np.ndarray:
    """Mean differences of stored posteriors, in steps of 1/256, of each minute from each other."""
    pairs = [(one, other) for one in some for other in others if one is not other]
    return np.array([np.abs(one.astype(int) - other).mean() for one, other in pairs])


@pytest.mark.parametrize("name", WANDERING)
def test_a_day_wanders_within_its_rounding(name, minute, tmp_path):
    package = build_package(BOX / name / "model.tflite", tmp_path / "c", "-O3")
    frames = package.runner.inputs[0].quantize(minute_of_features(package.runner, minute))
    heard = [package.run(frames) for _ in range(DAY)]
    early, late = heard[1:21], heard[-20:]
    usual = distances(early, early)
    assert 0 < usual.max() < 4
    assert np.median(distances(late, early)) <= 1.1 * np.median(usual)
    assert distances(late, early).max() <= 1.25 * usual.max()
    labels = [np.mean(one.argmax(1) == early[0].argmax(1)) for one in (*early[1:], *late)]
    assert min(labels[len(early) - 1 :]) >= min(labels[: len(early) - 1]) - 0.01

"""How far a stream's int8 state is from the float one, against the same by hand."""

import numpy as np
import pytest
from tiny_models import model_bytes, untrained

from kws.tflite.interpreter import Runner
from kws.tflite.verify import measure_drift

STEM = [
    {"channels": 6, "kernel": [5, 4], "stride": [2, 2]},
    {"channels": 8, "kernel": [3, 3], "stride": [2, 2]},
]
MODELS = [
    {"units": (12, 8)},
    {"units": (12,), "stem": STEM},
    {"units": (12,), "stem": STEM, "cell": "lstm"},
]


def clips() -> np.ndarray:
    return np.random.default_rng(1).uniform(-70, 25, (5, 49, 40)).astype(np.float32)


@pytest.mark.parametrize("model", MODELS, ids=["gru", "stem", "stem-lstm"])
def test_a_minute_of_state(model):
    weights = untrained(**model)
    files = [model_bytes(weights, "stream", int8=int8) for int8 in (False, True)]
    found = measure_drift(*files, clips(), minutes=1)
    assert (found.of, found.minutes) == ("state", 1)

    frames = clips()[np.random.default_rng(0).permutation(5)].reshape(-1, 40)
    exact, deployed = Runner(files[0], "litert", "float"), Runner(files[1], "tflm", "int8")
    taken, means = weights.stride, []
    whole = len(frames) // taken * taken
    for call in range(60 * 50 // taken):
        at = call * taken % whole
        exact.step(frames[at : at + taken])
        deployed.step(frames[at : at + taken])
        states = zip(deployed.inputs[1:], deployed.state, exact.state, strict=True)
        means.append(
            np.mean([
                np.abs(kept.astype(float) - info.zero_point - real / info.scale).mean()
                for info, kept, real in states
            ])
        )  # fmt: skip
    assert found.first_minute_steps == pytest.approx(np.mean(means), rel=1e-3)
    assert 0 < found.first_minute_steps < 8


def test_a_state_that_is_inside_shows_in_the_posteriors():
    weights = untrained((12,), stem=STEM)
    files = [model_bytes(weights, "stream", "internal", int8) for int8 in (False, True)]
    found = measure_drift(*files, clips(), minutes=2)
    assert found.of == "posteriors"
    assert 0 < found.first_minute_steps <= found.largest_minute_steps < 64

"""Models and speech that several tests share."""

import os
from pathlib import Path

import numpy as np
import pytest

from kws.recipe import DecoderConfig, FeatureConfig
from kws.tflite.emit import build_stream, build_window
from kws.tflite.metadata import NAME, Metadata, metadata_json
from kws.tflite.weights import Direction, ModelWeights

LABELS = ("yes", "no", "unknown", "silence")


@pytest.fixture(scope="session")
def speech_data() -> Path:
    """The folder of real speech; a test that needs it is skipped without."""
    folder = os.environ.get("KWS_SPEECH_DATA")
    if not folder:
        pytest.skip("needs real speech: set KWS_SPEECH_DATA to its folder")
    return Path(folder)


def random_weights(
    units: tuple[int, ...], bidirectional: bool, classes: int = len(LABELS), seed: int = 0,
    per_channel: bool = False,
) -> ModelWeights:  # fmt: skip
    """An untrained model whose posteriors differ from frame to frame."""
    rng, size = np.random.default_rng(seed), FeatureConfig().size
    ranges = {
        "x.zr": (-8.0, 8.0), "x.n": (-8.0, 8.0), "h.zr": (-8.0, 8.0), "h.n": (-8.0, 8.0),
        "zr": (-6.0, 6.0), "n": (-4.0, 4.0), "reset": (-4.0, 4.0), "keep": (-1.0, 1.0),
        "write": (-1.0, 1.0),
    }  # fmt: skip
    layers, width = [], size
    for count in units:
        directions = [
            Direction(
                rng.normal(0, width**-0.5, (width, 3 * count)),
                rng.normal(0, count**-0.5, (count, 3 * count)),
                rng.normal(0, 0.1, (2, 3 * count)),
                ranges,
            )
            for _ in range(2 if bidirectional else 1)
        ]
        layers.append(tuple(directions))
        width = count * len(directions)
    return ModelWeights(
        layers=tuple(layers),
        head_kernel=rng.normal(0, 2 * width**-0.5, (width, classes)),
        head_bias=rng.normal(0, 0.1, classes),
        logits_range=(-8.0, 8.0),
        mean=rng.normal(-35, 5, size),
        deviation=15.0,
        feature_range=(-70.0, 25.0),
        per_channel=per_channel,
    )


def metadata(form: str, state: str = "none", precision: str = "int8", labels=LABELS) -> Metadata:
    features = FeatureConfig()
    return Metadata(
        recipe="tiny",
        labels=labels,
        features=features,
        form=form,
        state=state,
        precision=precision,
        frames_per_step=1 if form == "stream" else features.frames(16000),
        clip_ms=1000.0,
        decoder=DecoderConfig(),
        macs_per_second=1,
    )


def model_bytes(weights: ModelWeights, form: str, state: str = "explicit", int8: bool = True) -> bytes:
    """The file of an untrained model."""
    facts = metadata(form, state if form == "stream" else "none", "int8" if int8 else "float32")
    if form == "stream":
        builder = build_stream(weights, state, int8, "tiny")
    else:
        builder = build_window(weights, facts.frames_per_step, int8, "tiny")
    builder.add_metadata(NAME, metadata_json(facts))
    return builder.finish()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A stream model of 16 units, untrained."""
    path = tmp_path_factory.mktemp("tiny") / "model.tflite"
    path.write_bytes(model_bytes(random_weights((16,), False), "stream"))
    return path


@pytest.fixture(scope="session")
def tiny_window_model(tmp_path_factory) -> Path:
    """A bidirectional window model of 8 units a direction, untrained."""
    path = tmp_path_factory.mktemp("tiny") / "window.tflite"
    path.write_bytes(model_bytes(random_weights((8,), True), "window"))
    return path

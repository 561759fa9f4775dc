"""What a device is to compute from given sound, to prove on the board that it does."""

from dataclasses import dataclass

import numpy as np

from kws.audio.features import extract
from kws.firmware.literals import c_array
from kws.recipe import FeatureConfig
from kws.spotting.decoder import Decoder
from kws.spotting.hearing import calls_per_second
from kws.tflite.interpreter import Runner

SECONDS = 1.0
_DECODER_CALLS = 500


@dataclass(frozen=True)
class Golden:
    """Sound and what comes of it; posteriors that a decoder takes, and what it makes of them."""

    audio: np.ndarray
    """int16 (samples,)"""
    features: np.ndarray
    """int8 (frames, size), of the desk: a device may be a step off"""
    posteriors: np.ndarray
    """int8 (calls, labels), of these features, in TFLM: to the byte"""
    decoded: np.ndarray
    """int8 (calls, labels)"""
    detections: np.ndarray
    """int8 (calls,), a label or -1, of ``decoded``"""


def golden(runner: Runner) -> Golden:
    """Make them for a model; the same at every export."""
    facts = runner.metadata
    audio = chirps(facts.features)
    features = runner.inputs[0].quantize(extract(audio / 32768, facts.features))
    taken = facts.frames_per_step
    whole = features[: len(features) // taken * taken]
    runner.reset()
    posteriors = [
        runner.step_stored(frames.reshape(runner.inputs[0].shape))[0]
        for frames in whole.reshape(-1, taken, facts.features.size)
    ]
    decoded = _waves(len(facts.labels), len(facts.keywords))
    decoder = Decoder(facts.labels, facts.decoder, calls_per_second(facts))
    found = [decoder.push((row.astype(float) + 128) / 256, 0.0) for row in decoded]
    labels = [-1 if one is None else facts.labels.index(one.keyword) for one in found]
    return Golden(audio, whole, np.array(posteriors), decoded, np.array(labels, np.int8))


def chirps(config: FeatureConfig) -> np.ndarray:
    """A second, or three frames where they last longer: falling and rising tones, and pauses."""
    rate = config.sample_rate_hz
    samples = max(round(SECONDS * rate), config.fft_size + 2 * config.hop_samples)
    time_s = np.arange(samples) / rate
    pitch_hz = 0.2 * rate * (1 + 0.8 * np.sin(2 * np.pi * 1.7 * time_s))
    loud = np.clip(np.sin(2 * np.pi * 2.3 * time_s), 0, None) ** 2
    return np.round(12000 * loud * np.sin(2 * np.pi * np.cumsum(pitch_hz) / rate)).astype(np.int16)


def golden_tables(found: Golden) -> dict[str, str | int]:
    """As C: arrays, and how much there is."""
    return {
        "audio": c_array("int16_t", "kws_golden_audio", map(str, found.audio.tolist())),
        "features": _bytes("kws_golden_features", found.features),
        "posteriors": _bytes("kws_golden_posteriors", found.posteriors),
        "decoded": _bytes("kws_golden_decoded", found.decoded),
        "detections": _bytes("kws_golden_detections", found.detections),
        "samples": len(found.audio),
        "frames": len(found.features),
        "calls": len(found.posteriors),
        "decoder_calls": len(found.decoded),
    }


def _waves(labels: int, keywords: int) -> np.ndarray:
    """Posteriors of words, in random order, some faint, some soon after another, some held long."""
    rng = np.random.default_rng(0)
    rows: list[np.ndarray] = []
    while len(rows) < _DECODER_CALLS:
        row = np.full(labels, -128)
        row[rng.integers(keywords)] = rng.integers(20, 128)
        row[rng.integers(labels)] = rng.integers(-128, 100)
        rows += [row] * int(rng.integers(2, 30))
        rows += [np.full(labels, -128)] * int(rng.integers(0, 12))
    return np.array(rows[:_DECODER_CALLS]).astype(np.int8)


def _bytes(name: str, values: np.ndarray) -> str:
    return c_array("int8_t", name, map(str, values.reshape(-1).tolist()))

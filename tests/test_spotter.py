"""From audio to detections, with models that hear tones: 1 kHz is "yes", 3 kHz is "no"."""

from pathlib import Path

import numpy as np
import pytest
from tiny_models import metadata
from tones import RATE, SPEECH, tone, tone_model, tones

from kws.audio.features import extract
from kws.audio.io import write
from kws.errors import AudioError
from kws.recipe import DecoderConfig, FeatureConfig
from kws.spotting.hearing import calls_per_second, frames_between_calls
from kws.spotting.spotter import Spotter, spot_file
from kws.tflite.interpreter import Runner, open_model


@pytest.fixture(scope="module", params=["stream", "window"])
def runner(request) -> Runner:
    return Runner(tone_model(request.param), "litert", request.param)


def test_tones_are_spotted_where_they_are(runner):
    found = Spotter(runner).push(SPEECH)
    assert [d.keyword for d in found] == ["yes", "no", "yes"]
    for detection, start in zip(found, (1.0, 2.7, 4.5), strict=True):
        assert start + 0.1 < detection.time_s < start + 0.8
        assert 0.7 <= detection.score <= 1


@pytest.mark.parametrize("size", [1, 7, 160, 321, 4096])
def test_how_the_audio_is_cut_changes_nothing(runner, size):
    noise = np.random.default_rng(1).normal(0, 1e-3, len(SPEECH)).astype(np.float32)
    audio = (SPEECH + noise)[:40000]
    spotter = Spotter(runner)
    whole, last = spotter.push(audio), spotter.posteriors
    spotter.reset()
    cut = [d for i in range(0, len(audio), size) for d in spotter.push(audio[i : i + size])]
    assert cut == whole
    assert len(whole) >= 1
    assert np.array_equal(spotter.posteriors, last)


def test_a_stream_says_what_its_steps_say(tiny_model):
    runner = open_model(tiny_model)
    audio = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    frames = extract(audio, runner.metadata.features)
    runner.reset()
    expected = [runner.step(frame[None]) for frame in frames]
    spotter, hop = Spotter(runner), runner.metadata.features.hop_samples
    assert spotter.posteriors.tolist() == [0, 0, 0, 0]
    given = []
    for start in range(0, RATE, hop):
        before = spotter.posteriors
        spotter.push(audio[start : start + hop])
        given += [spotter.posteriors] if spotter.posteriors is not before else []
    assert len(given) == len(expected) == 49
    np.testing.assert_allclose(given, expected, atol=1.01 / 256)


def test_a_window_slides_by_a_tenth_of_a_second(tiny_window_model):
    runner = open_model(tiny_window_model)
    audio = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
    frames = extract(audio, runner.metadata.features)
    calls = []
    spotter = Spotter(runner)
    for start in range(0, len(audio), 320):
        before = spotter.posteriors
        spotter.push(audio[start : start + 320])
        if spotter.posteriors is not before:
            calls.append((start + 320, spotter.posteriors))
    heard = [-(-(48 * 320 + 512) // 320) * 320 + 1600 * i for i in range(len(calls))]
    assert [samples for samples, _ in calls] == heard
    assert len(calls) == 1 + (len(frames) - 49) // 5
    for i, (_, posteriors) in enumerate(calls):
        expected = runner.classify(frames[5 * i : 5 * i + 49])
        np.testing.assert_allclose(posteriors, expected, atol=1.01 / 256)


def test_scores_are_the_decoders_averages():
    spotter = Spotter(Runner(tone_model("stream"), "litert", "tones"))
    spotter.push(tone(0, 0.5))
    assert spotter.scores[0] < 0.1
    spotter.push(tone(1000, 0.5))
    assert spotter.scores[0] > 0.9
    assert spotter.scores.sum() == pytest.approx(1, abs=0.02)


def test_reset_forgets_all_audio(runner):
    spotter = Spotter(runner)
    first = spotter.push(SPEECH)
    spotter.push(tones((1000, 0.4333)))
    spotter.reset()
    assert spotter.posteriors.tolist() == [0, 0, 0, 0]
    assert spotter.push(SPEECH) == first


def test_several_frames_a_step_are_collected():
    class Recorder:
        metadata = metadata("stream").model_copy(
            update={"frames_per_step": 4, "decoder": DecoderConfig(smoothing_ms=1, refractory_ms=0)}
        )
        calls: list[np.ndarray] = []  # noqa: RUF012

        def reset(self) -> None:
            self.calls.clear()

        def step(self, frames: np.ndarray) -> np.ndarray:
            self.calls.append(frames)
            return np.eye(4, dtype=np.float32)[len(self.calls) % 2]  # yes and no in turn

    recorder, audio = Recorder(), SPEECH[:RATE]
    found = Spotter(recorder).push(audio)
    frames = extract(audio, FeatureConfig())
    assert len(recorder.calls) == 12
    np.testing.assert_allclose(np.concatenate(recorder.calls), frames[:48], atol=1e-4)
    ends = [(3 + 4 * i) * 320 + 512 for i in range(12)]
    assert [d.time_s for d in found] == [end / RATE for end in ends]
    assert calls_per_second(recorder.metadata) == 12.5


def test_a_window_is_never_called_with_a_gap():
    facts = metadata("window").model_copy(update={"frames_per_step": 3})
    assert frames_between_calls(metadata("window")) == 5
    assert frames_between_calls(facts) == 3
    slow = facts.model_copy(update={"features": FeatureConfig(hop_ms=150.0)})
    assert frames_between_calls(slow) == 1


def test_a_file_is_spotted_to_its_last_word(runner, tmp_path):
    path = tmp_path / "words.wav"
    audio = tones((0, 1.0), (1000, 0.5), (0, 1.2), (3000, 0.3))
    write(path, audio, RATE)
    found = spot_file(path, runner)
    assert [d.keyword for d in found] == ["yes", "no"]
    assert found[1].time_s < len(audio) / RATE + 0.5


def test_a_file_at_another_rate_is_resampled(runner, tmp_path):
    from soxr import resample

    path = tmp_path / "words.flac"
    write(path, resample(SPEECH, RATE, 44100), 44100)
    found = spot_file(path, runner)
    assert [d.keyword for d in found] == ["yes", "no", "yes"]


def test_a_missing_file_is_named(runner):
    with pytest.raises(AudioError, match=r"nowhere\.wav: no such file"):
        spot_file(Path("nowhere.wav"), runner)


def test_stereo_is_refused(runner):
    with pytest.raises(ValueError, match=r"\(5, 2\): expected mono"):
        Spotter(runner).push(np.zeros((5, 2), np.float32))

"""Audio blocks to detections, as a device does it: features, int8 model, decoder."""

from pathlib import Path

import numpy as np

from kws.audio.features import StreamingFeatures
from kws.audio.io import read
from kws.spotting.decoder import Decoder, Detection
from kws.tflite.interpreter import Runner
from kws.tflite.metadata import Metadata

WINDOW_EVERY_MS = 100.0
"""A window model is run this often, or with every frame where frames are further apart."""
FILE_TAIL_S = 0.5
"""Silence heard after a file, in which the decoder makes up its mind about a last word."""


class Spotter:
    """Keywords in audio that comes in blocks of any size, without end.

    A stream model carries its state on; a window model is run every ``WINDOW_EVERY_MS`` on the last
    ``clip_frames`` frames. How the audio is cut into blocks changes nothing: it is taken in one hop
    at a time. The runner is the spotter's alone while it listens, for it keeps the state.

    >>> spotter = Spotter(open_model(Path("model.tflite")))
    >>> for block in microphone: print(spotter.push(block))
    """

    def __init__(self, runner: Runner):
        facts = runner.metadata
        self.runner, self.config = runner, facts.features
        self._every = frames_between_calls(facts)
        self._features = StreamingFeatures(facts.features)
        self._decoder = Decoder(facts.labels, facts.decoder, calls_per_second(facts))
        self.reset()

    def reset(self) -> None:
        """Forget all audio; time starts at 0 again."""
        self.runner.reset()
        self._features.reset()
        self._decoder.reset()
        self._audio = np.zeros(0, np.float32)
        self._window = np.zeros((0, self.config.size), np.float32)
        self._frames = 0
        self.posteriors = np.zeros(len(self.runner.metadata.labels), np.float32)
        """What the model said last, (labels,); zeros before it was first called."""

    @property
    def scores(self) -> np.ndarray:
        """Average posteriors, (labels,), which the decoder compares with the threshold."""
        return self._decoder.scores

    def push(self, block: np.ndarray) -> list[Detection]:
        """Take (samples,) mono audio, -1..1 at the model's rate; give what it completes.

        A detection's time is the end of the last frame heard, in seconds since the first sample.
        """
        if np.ndim(block) != 1:
            raise ValueError(f"audio of shape {np.shape(block)}: expected mono, (samples,)")
        self._audio = np.concatenate((self._audio, block))
        hop = self.config.hop_samples
        used = len(self._audio) // hop * hop
        found = []
        for start in range(0, used, hop):
            for frame in self._features.push(self._audio[start : start + hop]):
                detection = self._push_frame(frame)
                if detection is not None:
                    found.append(detection)
        self._audio = self._audio[used:]
        return found

    def _push_frame(self, frame: np.ndarray) -> Detection | None:
        needed = self.runner.metadata.frames_per_step
        self._window = np.concatenate((self._window, frame[None]))
        self._frames += 1
        if len(self._window) < needed:
            return None
        self.posteriors = self.runner.step(self._window)
        self._window = self._window[self._every :]
        return self._decoder.push(self.posteriors, self._time_s())

    def _time_s(self) -> float:
        start = (self._frames - 1) * self.config.hop_samples
        return (start + self.config.fft_size) / self.config.sample_rate_hz


def spot_file(path: Path, runner: Runner) -> list[Detection]:
    """Spot keywords in a sound file, from its start, and in ``FILE_TAIL_S`` of silence after it.

    Raises
    ------
    AudioError
        When the file cannot be used.
    """
    rate = runner.metadata.features.sample_rate_hz
    audio = read(path, rate)
    return Spotter(runner).push(np.pad(audio, (0, round(FILE_TAIL_S * rate))))


def frames_between_calls(facts: Metadata) -> int:
    """Frames from one call of the model to the next."""
    if facts.form == "stream":
        return facts.frames_per_step
    wanted = round(WINDOW_EVERY_MS * facts.features.frames_per_second / 1000)
    return min(max(1, wanted), facts.frames_per_step)


def calls_per_second(facts: Metadata) -> float:
    """Calls of the model in a second of audio, which is also how many posteriors it gives."""
    return facts.features.frames_per_second / frames_between_calls(facts)

"""Audio blocks to detections, as a device does it: features, int8 model, decoder."""

from pathlib import Path

import numpy as np

from kws.audio.blocks import read_to_hear
from kws.spotting.decoder import Decoder, Detection
from kws.spotting.hearing import Hearing, calls_per_second
from kws.tflite.interpreter import Runner


class Spotter:
    """Keywords in audio that comes in blocks of any size, without end.

    How the audio is cut into blocks changes nothing. The runner is the spotter's alone while it
    listens, for it keeps the state.

    >>> spotter = Spotter(open_model(Path("model.tflite")))
    >>> for block in microphone: print(spotter.push(block))
    """

    def __init__(self, runner: Runner):
        facts = runner.metadata
        self.runner = runner
        self._hearing = Hearing(runner)
        self._decoder = Decoder(facts.labels, facts.decoder, calls_per_second(facts))
        self.reset()

    def reset(self) -> None:
        """Forget all audio; time starts at 0 again."""
        self._hearing.reset()
        self._decoder.reset()
        self.posteriors = np.zeros(len(self.runner.metadata.labels), np.float32)
        """What the model said last, (labels,); zeros before it was first called."""

    @property
    def scores(self) -> np.ndarray:
        """Average posteriors, (labels,), which the decoder compares with the threshold."""
        return self._decoder.scores

    @property
    def frames(self) -> np.ndarray:
        """Features that the last push completed, (frames, size)."""
        return self._hearing.frames

    def push(self, block: np.ndarray) -> list[Detection]:
        """Take (samples,) mono audio, -1..1 at the model's rate; give what it completes.

        A detection's time is the end of the last frame heard, in seconds since the first sample.
        """
        found = []
        for posteriors, time_s in self._hearing.push(block):
            self.posteriors = posteriors
            detection = self._decoder.push(posteriors, time_s)
            if detection is not None:
                found.append(detection)
        return found


def spot_file(path: Path, runner: Runner) -> list[Detection]:
    """Spot keywords in a sound file, from its start, and in ``TAIL_S`` of silence after it.

    Raises
    ------
    AudioError
        When the file cannot be used.
    """
    return Spotter(runner).push(read_to_hear(path, runner.metadata.features.sample_rate_hz))

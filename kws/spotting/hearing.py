"""Audio blocks to posteriors: features, and the model called as often as a device calls it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kws.audio.annotation import Recording
from kws.audio.blocks import TAIL_S, read_to_hear
from kws.audio.features import StreamingFeatures
from kws.progress import progress
from kws.tflite.interpreter import Engine, Runner, open_model
from kws.tflite.metadata import Metadata

WINDOW_EVERY_MS = 100.0
"""A window model is run this often, or with every frame where frames are further apart."""


class Hearing:
    """Posteriors of audio that comes in blocks of any size, without end.

    A stream model carries its state on; a window model is run every ``WINDOW_EVERY_MS`` on the last
    ``clip_frames`` frames. How the audio is cut into blocks changes nothing: it is taken in one hop
    at a time. The runner is the hearing's alone, for it keeps the state.

    >>> hearing = Hearing(open_model(Path("model.tflite")))
    >>> for posteriors, time_s in hearing.push(block): ...
    """

    def __init__(self, runner: Runner):
        self.runner, self.config = runner, runner.metadata.features
        self._every = frames_between_calls(runner.metadata)
        self._features = StreamingFeatures(self.config)
        self.reset()

    def reset(self) -> None:
        """Forget all audio; time starts at 0 again."""
        self.runner.reset()
        self._features.reset()
        self._audio = np.zeros(0, np.float32)
        self._window = np.zeros((0, self.config.size), np.float32)
        self._frames = 0
        self.frames = np.zeros((0, self.config.size), np.float32)
        """Features that the last push completed, (frames, size)."""

    def push(self, block: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
        """Take (samples,) mono audio, -1..1 at the model's rate; give what it completes.

        Yields
        ------
        (labels,) posteriors, and the end of the last frame heard, in seconds since the first
        sample. All must be taken before the next push.
        """
        if np.ndim(block) != 1:
            raise ValueError(f"audio of shape {np.shape(block)}: expected mono, (samples,)")
        audio, hop = np.concatenate((self._audio, block)), self.config.hop_samples
        used = len(audio) // hop * hop
        self._audio = audio[used:]
        completed = [self.frames[:0]]
        for start in range(0, used, hop):
            completed.append(self._features.push(audio[start : start + hop]))
            for frame in completed[-1]:
                posteriors = self._push_frame(frame)
                if posteriors is not None:
                    yield posteriors, self._time_s()
        self.frames = np.concatenate(completed)

    def _push_frame(self, frame: np.ndarray) -> np.ndarray | None:
        needed = self.runner.metadata.frames_per_step
        self._window = np.concatenate((self._window, frame[None]))
        self._frames += 1
        if len(self._window) < needed:
            return None
        posteriors = self.runner.step(self._window)
        self._window = self._window[self._every :]
        return posteriors

    def _time_s(self) -> float:
        start = (self._frames - 1) * self.config.hop_samples
        return (start + self.config.fft_size) / self.config.sample_rate_hz


@dataclass(frozen=True)
class Heard:
    """A recording as a model heard it."""

    recording: Recording
    seconds: float
    posteriors: np.ndarray
    """(calls, labels)"""
    times_s: np.ndarray
    """(calls,), the end of what each call had heard"""


def hear(recording: Recording, runner: Runner) -> Heard:
    """Let a model hear a recording from its start, and ``TAIL_S`` of silence after it.

    Raises
    ------
    AudioError
        When the file cannot be used.
    """
    rate = runner.metadata.features.sample_rate_hz
    audio = read_to_hear(recording.path, rate)
    given = list(Hearing(runner).push(audio))
    posteriors = np.array([one for one, _ in given], np.float32)
    return Heard(
        recording=recording,
        seconds=(len(audio) - round(TAIL_S * rate)) / rate,
        posteriors=posteriors.reshape(-1, len(runner.metadata.labels)),
        times_s=np.array([time_s for _, time_s in given]),
    )


def hear_all(model: Path, recordings: Sequence[Recording], engine: Engine) -> list[Heard]:
    """Hear recordings on all cores, in their order; errors as of :func:`hear`."""
    import joblib  # a fifth of a second, which a demo has no use for

    found = []
    parallel = joblib.Parallel(n_jobs=-1, return_as="generator")
    with progress(f"hearing ({engine})", len(recordings), "recordings") as advance:
        for heard in parallel(joblib.delayed(_hear_with)(one, model, engine) for one in recordings):
            found.append(heard)
            advance()
    return found


def _hear_with(recording: Recording, model: Path, engine: Engine) -> Heard:
    return hear(recording, open_model(model, engine))


def frames_between_calls(facts: Metadata) -> int:
    """Frames from one call of the model to the next."""
    if facts.form == "stream":
        return facts.frames_per_step
    wanted = round(WINDOW_EVERY_MS * facts.features.frames_per_second / 1000)
    return min(max(1, wanted), facts.frames_per_step)


def calls_per_second(facts: Metadata) -> float:
    """Calls of the model in a second of audio, which is also how many posteriors it gives."""
    return facts.features.frames_per_second / frames_between_calls(facts)

"""A model as a program uses it: ``kws.load("model.tflite")``."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from os import PathLike
from pathlib import Path

from kws.spotting.decoder import Detection
from kws.spotting.spotter import Spotter, spot_file
from kws.tflite.interpreter import Engine, Runner
from kws.tflite.metadata import Metadata, read_bytes


class Model:
    """A model file: each of its streams has a state of its own.

    >>> model = kws.load("model.tflite")
    >>> model.spot("audio.wav")                             # a list of detections
    >>> stream = model.stream(); stream.push(block)         # the same, block by block
    >>> for detection in model.listen(): ...                # at the microphone
    >>> async for detection in model.listen_async(): ...    # the same, beside other tasks
    """

    def __init__(self, path: str | PathLike[str], engine: Engine = "litert"):
        self.path, self.engine = Path(path), engine
        self._data = read_bytes(self.path)
        self.metadata: Metadata = self._open().metadata
        """Labels, features, decoder settings and measured figures."""

    @property
    def keywords(self) -> tuple[str, ...]:
        """What it can detect."""
        return self.metadata.keywords

    @property
    def sample_rate_hz(self) -> int:
        """Of the blocks that :meth:`stream` takes."""
        return self.metadata.features.sample_rate_hz

    def spot(self, path: str | PathLike[str]) -> list[Detection]:
        """Spot keywords in a sound file of any rate and channel count.

        Raises
        ------
        AudioError
            When the file cannot be used.
        """
        return spot_file(Path(path), self._open())

    def stream(self) -> Spotter:
        """A new stream from silence: ``push`` it float32 (samples,) blocks of any size."""
        return Spotter(self._open())

    def listen(self, device: int | None = None) -> Iterator[Detection]:
        """Detections at a microphone, without end, each as soon as it is heard.

        Parameters
        ----------
        device : its number (``tools/mic_demo.py --list-devices``); the system's default if None.

        Raises
        ------
        AudioError
            When the microphone is missing, busy, refused or falls silent.
        """
        from kws.audio.microphone import Microphone

        spotter = self.stream()
        with Microphone(self.sample_rate_hz, device) as microphone:
            for block in microphone:
                yield from spotter.push(block)

    async def listen_async(self, device: int | None = None) -> AsyncIterator[Detection]:
        """As :meth:`listen`; other tasks of the event loop run while it waits for sound."""
        from kws.audio.microphone import Microphone

        spotter = self.stream()
        with Microphone(self.sample_rate_hz, device) as microphone:
            blocks = iter(microphone)
            while True:
                block = await asyncio.to_thread(next, blocks)
                for detection in spotter.push(block):
                    yield detection

    def _open(self) -> Runner:
        return Runner(self._data, self.engine, str(self.path))

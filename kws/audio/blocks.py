"""Blocks of sound to listen to: from a file, at its pace or at once, or from a microphone."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from kws.audio.devices import number_of, rescan
from kws.audio.io import read
from kws.audio.microphone import BLOCK_MS, Microphone
from kws.errors import AudioError

RETRY_S = 1.0
"""A microphone that has gone is looked for this often"""
TAIL_S = 0.5
"""Silence heard after a recording, in which a decoder makes up its mind about a last word."""
LONGEST_S = 6 * 3600.0
"""A recording that is heard at once"""


def read_to_hear(path: Path, sample_rate_hz: int) -> np.ndarray:
    """A sound file, float32 (samples,), and ``TAIL_S`` of silence; an AudioError where it fails."""
    audio = read(path, sample_rate_hz, LONGEST_S)
    return np.pad(audio, (0, round(TAIL_S * sample_rate_hz)))


def file_blocks(path: Path, sample_rate_hz: int, fast: bool) -> Iterator[np.ndarray]:
    """The blocks, float32 (samples,), of a sound file and the silence after it.

    Parameters
    ----------
    fast : at once, instead of each when a microphone would have given it.

    Raises
    ------
    AudioError
        When the file cannot be used.
    """
    audio = read_to_hear(path, sample_rate_hz)
    size, started = round(BLOCK_MS * sample_rate_hz / 1000), time.monotonic()
    for start in range(0, len(audio), size):
        block = audio[start : start + size]
        if not fast:
            due = started + (start + len(block)) / sample_rate_hz
            time.sleep(max(0.0, due - time.monotonic()))
        yield block


class Microphones:
    """A microphone's blocks without end; where it goes, it is waited for, and for no other.

    It is known again by its name: its number may be another's by then.

    >>> microphones = Microphones(16000, None, print)
    >>> for block in microphones: ...

    Parameters
    ----------
    tell : takes a sentence when listening begins, and when the microphone goes and comes back.

    Raises
    ------
    AudioError
        While iterating: when it cannot be opened the first time, or gives no sound then.
    """

    def __init__(self, sample_rate_hz: int, device: int | None, tell: Callable[[str], None]):
        self.sample_rate_hz, self.device, self._tell = sample_rate_hz, device, tell
        self._dropped_before = 0
        self._now: Microphone | None = None

    @property
    def dropped(self) -> int:
        """Blocks that came too fast to be taken."""
        return self._dropped_before + (self._now.dropped if self._now else 0)

    def __iter__(self) -> Iterator[np.ndarray]:
        first = Microphone(self.sample_rate_hz, self.device)
        yield from self._listen(first, again=False)
        while True:
            yield from self._listen(self._wait(first.name, first.host_api), again=True)

    def _listen(self, microphone: Microphone, again: bool) -> Iterator[np.ndarray]:
        """Blocks until the microphone goes; the first time it must have given one."""
        heard = False
        self._now = microphone
        try:
            with microphone:
                for block in microphone:
                    if not heard:
                        at = f"{microphone.device_rate_hz} Hz"
                        self._tell(f"listening to {microphone.name!r} at {at}")
                    heard = True
                    yield block
        except AudioError:
            if heard:
                gone = f"microphone {microphone.name!r}: no sound any more"
                self._tell(f"{gone}; waiting for it to come back")
            elif not again:
                raise
        finally:
            self._dropped_before += microphone.dropped
            self._now = None

    def _wait(self, name: str, host_api: int) -> Microphone:
        while True:
            time.sleep(RETRY_S)
            try:
                rescan()
                return Microphone(self.sample_rate_hz, number_of(name, host_api))
            except AudioError:
                continue

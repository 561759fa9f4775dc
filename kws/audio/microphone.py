"""Live sound from a microphone, by PortAudio (the ``sounddevice`` package)."""

import queue
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
import soxr

from kws.audio.devices import MAY_NOT, forbidden, input_device, portaudio
from kws.errors import AudioError

BLOCK_MS = 20.0
"""Length of the blocks that PortAudio hands over."""
BACKLOG_S = 5.0
"""Sound that waits for a slow listener; what comes after it is dropped and counted."""
PATIENCE_S = 5.0
"""A microphone that gives no sound for so long is taken to be gone."""

_INVALID_RATE, _INVALID_CHANNELS, _UNAVAILABLE = -9997, -9998, -9985
"""portaudio.h: paInvalidSampleRate, paInvalidChannelCount, paDeviceUnavailable"""


class Microphone:
    """An open microphone: an iterator over mono blocks without end.

    >>> with Microphone(16000) as microphone:
    ...     for block in microphone: ...       # float32 (samples,), -1..1

    It is opened at the wanted rate and with one channel, or at its own rate and with all its
    channels where it cannot do that: its blocks are then resampled as one stream (soxr), without a
    seam, and its channels averaged. Blocks that came too fast are counted in :attr:`dropped`.

    Parameters
    ----------
    sample_rate_hz : rate of the blocks.
    device : number of the device; the system's default where none is given.

    Raises
    ------
    AudioError
        When PortAudio or the device is missing, busy, refuses or is forbidden; while listening,
        when it falls silent altogether for ``PATIENCE_S`` (unplugged).
    """

    def __init__(self, sample_rate_hz: int, device: int | None = None):
        self.sample_rate_hz, self.dropped = sample_rate_hz, 0
        sound = portaudio()
        found = input_device(sound, device)
        self.name, self.host_api = str(found["name"]), int(found["hostapi"])
        self._blocks: queue.Queue[np.ndarray] = queue.Queue(round(BACKLOG_S * 1000 / BLOCK_MS))
        self._resampler: soxr.ResampleStream | None = None
        try:
            self._stream, self.device_rate_hz = self._open(sound, found)
        except (sound.PortAudioError, ValueError) as error:
            raise AudioError(_why_not_open(found, error)) from error
        if self.device_rate_hz != sample_rate_hz:
            self._resampler = soxr.ResampleStream(self.device_rate_hz, sample_rate_hz, 1)

    def _open(self, sound: Any, device: Any) -> tuple[Any, int]:
        rate, channels = self.sample_rate_hz, 1
        while True:
            try:
                return self._stream_at(sound, device, rate, channels), rate
            except sound.PortAudioError as error:
                own_rate, own_channels = round(device["default_samplerate"]), _channels(device)
                if _code(error) == _INVALID_RATE and rate != own_rate:
                    rate = own_rate
                elif _code(error) == _INVALID_CHANNELS and channels != own_channels:
                    channels = own_channels
                else:
                    raise

    def _stream_at(self, sound: Any, device: Any, rate: int, channels: int) -> Any:
        return sound.InputStream(
            device=device["index"],
            samplerate=rate,
            blocksize=round(rate * BLOCK_MS / 1000),
            channels=channels,
            dtype="float32",
            callback=self._take,
        )

    def _take(self, block: np.ndarray, _frames: int, _time: Any, status: Any) -> None:
        """Called by PortAudio's own thread; the block's memory is its own again afterwards."""
        if status.input_overflow:
            self.dropped += 1
        try:
            self._blocks.put_nowait(block.mean(axis=1, dtype=np.float32))
        except queue.Full:
            self.dropped += 1

    def __enter__(self) -> "Microphone":
        try:
            self._stream.start()
        except portaudio().PortAudioError as error:
            self._stream.close()
            raise AudioError(f"microphone {self.name!r}: does not start ({error})") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()  # stops it first, and reports no errors

    def __iter__(self) -> Iterator[np.ndarray]:
        while True:
            try:
                block = self._blocks.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise AudioError(
                    f"microphone {self.name!r}: no sound for {PATIENCE_S:.0f} s; "
                    "see that it is still plugged in, and start again"
                ) from None
            if self._resampler is not None:
                block = self._resampler.resample_chunk(block)
            if len(block):
                yield block


def _channels(device: Any) -> int:
    return int(device["max_input_channels"])


def _why_not_open(device: Any, error: Exception) -> str:
    what = f"microphone {device['name']!r} (device {device['index']})"
    if forbidden():
        return f"{what}: {MAY_NOT}"
    if _code(error) == _UNAVAILABLE:
        return f"{what}: busy; another program holds it: end that program"
    return (
        f"{what}: cannot be opened ({error}); see that the system lets this program use it, "
        "or try another with --device"
    )


def _code(error: Exception) -> int | None:
    """PortAudio's error code."""
    return error.args[1] if len(error.args) > 1 else None

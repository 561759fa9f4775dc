"""The devices that can record, as PortAudio (the ``sounddevice`` package) knows them."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kws.errors import AudioError

SOUND_FILES = Path("/dev/snd")
"""Linux: a file ``pcmC0D0c`` is a device that records"""
MAY_NOT = (
    f"this user may not read the sound devices in {SOUND_FILES}; join the group audio "
    "(sudo usermod -aG audio $USER) and log in again"
)


@dataclass(frozen=True)
class Device:
    """An input device, as PortAudio numbers it."""

    number: int
    name: str
    channels: int
    sample_rate_hz: float
    is_default: bool
    host_api: int
    """PortAudio's number of the system's way to sound: ALSA, WASAPI, ..."""


def input_devices() -> list[Device]:
    """All devices that can record.

    Raises
    ------
    AudioError
        When the PortAudio library is missing.
    """
    sound = portaudio()
    try:
        default = sound.query_devices(kind="input")["index"]
    except (sound.PortAudioError, ValueError):
        default = None
    return [
        Device(
            number=device["index"],
            name=str(device["name"]),
            channels=device["max_input_channels"],
            sample_rate_hz=device["default_samplerate"],
            is_default=device["index"] == default,
            host_api=device["hostapi"],
        )
        for device in sound.query_devices()
        if device["max_input_channels"] > 0
    ]


def rescan() -> None:
    """Let PortAudio look again which devices there are; no microphone may be open.

    Raises
    ------
    AudioError
        When it fails; it may be tried again.
    """
    sound = portaudio()
    with suppress(sound.PortAudioError):  # not running, where the last rescan failed
        sound._terminate()
    try:
        sound._initialize()
    except sound.PortAudioError as error:
        raise AudioError(f"PortAudio does not start ({error})") from error


def number_of(name: str, host_api: int) -> int:
    """The number that a device has now: a rescan may have given its old one to another.

    Raises
    ------
    AudioError
        When it is not there.
    """
    for device in input_devices():
        if (device.name, device.host_api) == (name, host_api):
            return device.number
    raise AudioError(f"microphone {name!r}: not there; plug it in")


def why_none() -> str:
    """Why no device records, and what to do."""
    if forbidden():
        return f"no microphone found: {MAY_NOT}"
    return "no microphone found: PortAudio knows of no device that records; plug one in"


def portaudio() -> Any:
    """The ``sounddevice`` module, imported when first needed: it starts PortAudio."""
    try:
        import sounddevice
    except OSError as error:
        raise AudioError(
            f"the microphone needs the PortAudio library, which is missing ({error}); install it: "
            "apt-get install libportaudio2"
        ) from error
    except ImportError as error:
        raise AudioError(
            "the microphone needs the Python package sounddevice; install it: "
            "pip install -r requirements.txt"
        ) from error
    return sounddevice


def input_device(sound: Any, number: int | None) -> Any:
    """PortAudio's facts of a device that can record; an AudioError where there is none."""
    try:
        return sound.query_devices(number, "input")
    except (sound.PortAudioError, ValueError) as error:
        known = input_devices()
        if not known:
            raise AudioError(why_none()) from error
        names = ", ".join(f"{device.number} ({device.name})" for device in known)
        if number is None:
            raise AudioError(f"no default microphone; choose one with --device: {names}") from error
        raise AudioError(f"device {number} is none that records; there are: {names}") from error


def forbidden() -> bool:
    """There are devices that record, and this user may read none of them."""
    files = list(SOUND_FILES.glob("pcm*c"))
    return bool(files) and not any(os.access(file, os.R_OK) for file in files)

"""Sound out, by PortAudio (the ``sounddevice`` package)."""

import sys

import numpy as np

from kws.errors import AudioError


def play(audio: np.ndarray, sample_rate_hz: int) -> None:
    """Play mono sound on the system's default output, without waiting for its end.

    Raises
    ------
    AudioError
        When there is no output, or it refuses.
    """
    try:
        import sounddevice

        sounddevice.query_devices(kind="output")
        sounddevice.play(audio, sample_rate_hz)
    except (OSError, ImportError) as error:
        raise AudioError(f"no replay: PortAudio is missing ({error})") from error
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(f"no replay: no loudspeaker that can be used ({error})") from error


def stop() -> None:
    """Stop what :func:`play` began, if anything."""
    sounddevice = sys.modules.get("sounddevice")
    if sounddevice is not None:
        sounddevice.stop()

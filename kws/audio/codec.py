"""What is kept of a sound by 16-bit integers, telephones and compressed files."""

import io
from collections.abc import Callable

import numpy as np
import soundfile
import soxr

from kws.audio.channel import band_pass
from kws.errors import RecipeError

TELEPHONE_HZ = 8000
_TELEPHONE_BAND_HZ = (300.0, 3400.0)
_COMPRESSED_HZ = 16000
"""A rate that MP3 and Vorbis have; sound at another is resampled for them."""


def through_codec(audio: np.ndarray, codec: str, sample_rate_hz: int) -> np.ndarray:
    """Write (samples,) audio with a codec and read it again.

    Parameters
    ----------
    audio : float32, -1..1.
    codec : ``int16`` rounds alone. ``telephone``: 300 to 3400 Hz, G.711 mu-law at 8000 Hz;
        ``gsm`` the same band, GSM 06.10. ``adpcm``: Microsoft's, 4 bits a sample. ``vorbis`` and
        ``mp3`` at 16 kHz, as libsndfile sets them.

    Returns
    -------
    float32 (samples,), not moved in time.

    Raises
    ------
    RecipeError
        When this machine's libsndfile has no such codec.
    """
    try:
        return _CODECS[codec](audio, sample_rate_hz)
    except (soundfile.LibsndfileError, ValueError) as error:  # ValueError: no such format at all
        version = soundfile.__libsndfile_version__
        raise RecipeError(
            f"augment.codecs: libsndfile {version} cannot write {codec} ({error}); take it out of "
            "the recipe, or install libsndfile 1.1 or newer"
        ) from error


def round_to_int16(audio: np.ndarray) -> np.ndarray:
    """Round (samples,) audio to steps of 1/32768, clipped to what 16 bits hold."""
    steps = np.clip(np.round(audio * np.float32(32768)), -32768, 32767)
    return (steps / np.float32(32768)).astype(np.float32)


def _file(format: str, subtype: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """The way through a file in memory, at the sound's own rate."""

    def through(audio: np.ndarray, sample_rate_hz: int) -> np.ndarray:
        if len(audio) == 0:
            return audio
        written = io.BytesIO()
        soundfile.write(written, audio, sample_rate_hz, format=format, subtype=subtype)
        written.seek(0)
        return _at_length(soundfile.read(written, dtype="float32")[0], len(audio))

    return through


def _at_rate(
    rate_hz: int, through: Callable[[np.ndarray, int], np.ndarray]
) -> Callable[[np.ndarray, int], np.ndarray]:
    """The same, with the sound resampled before and after."""

    def there_and_back(audio: np.ndarray, sample_rate_hz: int) -> np.ndarray:
        if sample_rate_hz == rate_hz:
            return through(audio, rate_hz)
        there = through(soxr.resample(audio, sample_rate_hz, rate_hz, quality="MQ"), rate_hz)
        back = soxr.resample(there, rate_hz, sample_rate_hz, quality="MQ")
        return _at_length(back, len(audio))

    return there_and_back


def _telephone(subtype: str) -> Callable[[np.ndarray, int], np.ndarray]:
    through = _file("WAV", subtype)

    def call(audio: np.ndarray, sample_rate_hz: int) -> np.ndarray:
        return through(band_pass(audio, *_TELEPHONE_BAND_HZ, sample_rate_hz), sample_rate_hz)

    return _at_rate(TELEPHONE_HZ, call)


def _at_length(audio: np.ndarray, samples: int) -> np.ndarray:
    return np.pad(audio[:samples], (0, max(0, samples - len(audio))))


_CODECS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "int16": lambda audio, _: round_to_int16(audio),
    "telephone": _telephone("ULAW"),
    "adpcm": _file("WAV", "MS_ADPCM"),
    "gsm": _telephone("GSM610"),
    "vorbis": _at_rate(_COMPRESSED_HZ, _file("OGG", "VORBIS")),
    "mp3": _at_rate(_COMPRESSED_HZ, _file("MP3", "MPEG_LAYER_III")),
}

"""The steps by which a clip is varied, from the speaker's voice to the file; each draws its values.

Each takes the audio, what all steps have in common, and a generator; it gives the audio and notes
what it drew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from kws.audio.channel import band_pass, equalize, octaves_hz, overdrive, tilt
from kws.audio.codec import through_codec
from kws.audio.context import lay_beside
from kws.audio.noise import babble, cut_noise, mix
from kws.audio.pitch import change_pitch, change_speed
from kws.audio.rooms import Room, reverberate
from kws.recipe import AugmentConfig

Log = list[tuple[str, str]]
"""What was done: name and value of each step, for people to read."""


@dataclass(frozen=True)
class Material:
    """What clips are varied with; all float32 at the clips' rate."""

    noises: Sequence[np.ndarray] = ()
    """Recordings to cut noise from; without any, noise is made."""
    voices: Sequence[np.ndarray] = ()
    """Other training clips, for babble."""
    rooms: Sequence[Room] = ()
    words: Sequence[np.ndarray] = ()
    """Words that are no keywords, cut out of their clips, to be said beside others"""


@dataclass(frozen=True)
class Chain:
    """What all steps have in common."""

    config: AugmentConfig
    material: Material
    sample_rate_hz: int
    log: Log = field(default_factory=list)

    def note(self, name: str, value: str) -> None:
        self.log.append((name, value))


def shift(audio: np.ndarray, samples: int) -> np.ndarray:
    """Move (samples,) audio later, or earlier where negative; zeros fill what it leaves."""
    moved = np.zeros_like(audio)
    kept = max(0, len(audio) - abs(samples))
    if samples >= 0:
        moved[len(audio) - kept :] = audio[:kept]
    else:
        moved[:kept] = audio[len(audio) - kept :]
    return moved


def gain(audio: np.ndarray, gain_db: float) -> np.ndarray:
    """Scale audio by an amplitude gain in dB; not clipped."""
    return audio * np.float32(10.0 ** (gain_db / 20.0))


Step = Callable[[np.ndarray, Chain, np.random.Generator], np.ndarray]


def _pitch(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    semitones = rng.uniform(*chain.config.pitch_semitones)
    chain.note("pitch", f"{semitones:+.1f} semitones")
    return change_pitch(audio, semitones, chain.sample_rate_hz)


def _context(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    chain.note("context", "words beside it")
    return lay_beside(audio, chain.material.words, rng, chain.sample_rate_hz)


def _speed(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    speed = rng.uniform(*chain.config.speed)
    chain.note("speed", f"{speed:.2f} ×")
    return change_speed(audio, speed)


def _shift(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    most = round(chain.config.shift_ms * chain.sample_rate_hz / 1000)
    samples = int(rng.integers(-most, most + 1))
    chain.note("shift", f"{1000 * samples / chain.sample_rate_hz:+.0f} ms")
    return shift(audio, samples)


def _room(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    room = chain.material.rooms[int(rng.integers(len(chain.material.rooms)))]
    chain.note("room", room.name)
    return reverberate(audio, room.response)


def _babble(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    config, voices = chain.config, chain.material.voices
    fewest, most = config.babble_voices
    count = int(rng.integers(fewest, most + 1))
    snr_db = rng.uniform(*config.babble_snr_db)
    chain.note("babble", f"{min(count, len(voices))} voices, SNR {snr_db:.1f} dB")
    noise = babble(voices, count, len(audio), rng, chain.sample_rate_hz)
    return mix(audio, noise, snr_db, chain.sample_rate_hz)


def _noise(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    if rng.random() >= chain.config.noise_probability:
        return audio
    noise = cut_noise(chain.material.noises, len(audio), rng, chain.sample_rate_hz)
    snr_db = rng.uniform(*chain.config.snr_db)
    chain.note("noise", f"SNR {snr_db:.1f} dB")
    return mix(audio, noise, snr_db, chain.sample_rate_hz)


def _equalizer(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    slope_db = rng.uniform(*chain.config.tilt_db_per_octave)
    octaves = int(np.log2(chain.sample_rate_hz / 2 / octaves_hz(1)[0])) + 1
    gains_db = rng.uniform(*chain.config.equalizer_db, octaves)
    written = " ".join(f"{round(value):+d}" for value in gains_db)
    chain.note("equalizer", f"{slope_db:+.1f} dB an octave; by octave {written} dB")
    return equalize(audio, tilt(gains_db, slope_db), chain.sample_rate_hz)


def _band(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    low_hz, high_hz = (
        rng.uniform(*ends) for ends in (chain.config.band_low_hz, chain.config.band_high_hz)
    )
    chain.note("band", f"{low_hz:.0f} to {high_hz:.0f} Hz")
    return band_pass(audio, low_hz, high_hz, chain.sample_rate_hz)


def _clipping(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    share = rng.uniform(*chain.config.clipping_share)
    chain.note("clipping", f"{share:.1%} of the loud part")
    return overdrive(audio, share, chain.sample_rate_hz)


def _gain(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    gain_db = rng.uniform(*chain.config.gain_db)
    chain.note("gain", f"{gain_db:+.1f} dB")
    return np.clip(gain(audio, gain_db), -1.0, 1.0)


def _codec(audio: np.ndarray, chain: Chain, rng: np.random.Generator) -> np.ndarray:
    codec = chain.config.codecs[int(rng.integers(len(chain.config.codecs)))]
    chain.note("codec", codec)
    return np.clip(through_codec(audio, codec, chain.sample_rate_hz), -1.0, 1.0)


STEPS: dict[str, Step] = {
    "pitch": _pitch,
    "context": _context,
    "speed": _speed,
    "shift": _shift,
    "room": _room,
    "babble": _babble,
    "noise": _noise,
    "equalizer": _equalizer,
    "band": _band,
    "clipping": _clipping,
    "gain": _gain,
    "codec": _codec,
}
"""In the order of the sound's way."""
OWN = ("pitch", "room", "babble", "equalizer", "band", "clipping", "codec", "context")
"""Kinds that draw from generators of their own."""
SOMETIMES = ("speed", "shift", "gain")
"""Kinds that draw from the common generator even where they are left out, so that the others draw
what they would (noise follows the clip's length, and so its speed)."""
SPAWNED = (*(kind for kind in OWN if kind != "context"), *SOMETIMES, "context")
"""By place, the generator that a kind has: new ones come at the end, so that others keep theirs."""
DEVICE = ("equalizer", "band", "codec")

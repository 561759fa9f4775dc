"""Rooms: impulse responses, made by image sources or recorded, and sound heard in them."""

from dataclasses import dataclass

import numpy as np

from kws.audio.channel import fast_length

SOUND_M_PER_S = 343.0
IMAGES_S = 0.08
"""Reflections until then are computed one by one; later ones are too many to be told apart."""
_JITTER_M = 0.08
_WALL_M = 0.3
_DISTANCE_M = (0.3, 3.0)
_SMALLEST_M, _LARGEST_M = (2.5, 2.5, 2.2), (8.0, 6.0, 3.5)
_RUMBLE_HZ = 50.0
_LONGEST_S = 2.0


@dataclass(frozen=True)
class Room:
    """What a room does to sound, from one place to another."""

    name: str
    response: np.ndarray
    """float32 (samples,); begins with the direct sound, 1 at sample 0"""


def make_room(rt60_s: tuple[float, float], rng: np.random.Generator, sample_rate_hz: int) -> Room:
    """Make a room of random size, with a talker and a microphone 0.3 to 3 m apart in it.

    A box whose walls all reflect alike: its first 80 ms by image sources (Allen & Berkley 1979),
    their places moved by up to 8 cm so that no sweeping echoes arise (De Sena et al. 2015); then
    noise that decays as the reverberation time says (Lehmann & Johansson 2010).

    Parameters
    ----------
    rt60_s : shortest and longest time in which the sound falls by 60 dB, in seconds; uniform.
    """
    time_s = rng.uniform(*rt60_s)
    size_m = rng.uniform(_SMALLEST_M, _LARGEST_M)
    microphone_m = rng.uniform(_WALL_M, size_m - _WALL_M)
    talker_m = _place_near(microphone_m, size_m, rng)
    volume = float(np.prod(size_m))
    surface = 2 * volume * float(np.sum(1 / size_m))
    # Eyring's formula, for the share of energy that a wall gives back.
    kept = np.exp(-24 * np.log(10) / SOUND_M_PER_S * volume / (surface * time_s))
    early = image_sources(size_m, talker_m, microphone_m, np.sqrt(kept), rng, sample_rate_hz)
    response = _with_tail(_without_rumble(early, sample_rate_hz), time_s, rng, sample_rate_hz)
    distance_m = float(np.linalg.norm(talker_m - microphone_m))
    name = (
        f"{size_m[0]:.1f} x {size_m[1]:.1f} x {size_m[2]:.1f} m, {distance_m:.1f} m away, "
        f"RT60 {time_s:.2f} s"
    )
    return Room(name, response)


def image_sources(
    size_m: np.ndarray,
    talker_m: np.ndarray,
    microphone_m: np.ndarray,
    reflection: float,
    rng: np.random.Generator,
    sample_rate_hz: int,
) -> np.ndarray:
    """Reflections in a box until ``IMAGES_S`` after the direct sound, which is 1 at sample 0.

    Parameters
    ----------
    size_m, talker_m, microphone_m : (3,), in metres from a corner.
    reflection : share of the amplitude that a wall gives back, 0..1.

    Returns
    -------
    float64 (IMAGES_S * sample_rate_hz,), all values positive.
    """
    direct_m = float(np.linalg.norm(talker_m - microphone_m))
    farthest_m = direct_m + IMAGES_S * SOUND_M_PER_S
    squared, bounces = np.zeros(1), np.zeros(1, int)
    for size, talker, microphone in zip(size_m, talker_m, microphone_m, strict=True):
        orders = np.arange(-int(farthest_m / size / 2) - 1, int(farthest_m / size / 2) + 2)
        along = np.concatenate((2 * orders * size + talker, 2 * orders * size - talker))
        times = np.concatenate((abs(2 * orders), abs(2 * orders - 1)))
        squared = np.add.outer(squared, (along - microphone) ** 2).ravel()
        bounces = np.add.outer(bounces, times).ravel()
        near = squared < farthest_m**2
        squared, bounces = squared[near], bounces[near]
    distance_m = np.sqrt(squared)
    moved = rng.uniform(-_JITTER_M, _JITTER_M, len(distance_m)) * (bounces > 0)
    later_m = np.maximum(distance_m + moved - direct_m, 0.0)
    samples = round(IMAGES_S * sample_rate_hz)
    at = np.round(later_m / SOUND_M_PER_S * sample_rate_hz).astype(int)
    strength = reflection**bounces * direct_m / np.maximum(distance_m, direct_m)
    inside = at < samples
    return np.bincount(at[inside], strength[inside], samples)


def as_room(name: str, recording: np.ndarray, sample_rate_hz: int) -> Room:
    """A room from a recorded impulse response: from its highest peak on, 2 s at most.

    Raises
    ------
    ValueError
        When the recording is silent.
    """
    peak = int(np.argmax(np.abs(recording)))
    if recording[peak] == 0.0:
        raise ValueError("silent, expected an impulse response")
    response = recording[peak : peak + round(_LONGEST_S * sample_rate_hz)] / recording[peak]
    return Room(name, response.astype(np.float32))


def reverberate(audio: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Hear (samples,) audio through a response: nothing moves, and the energy stays as it was.

    What rings on after the end is cut off.

    Returns
    -------
    float32 (samples,).
    """
    if not audio.any():
        return audio
    length = fast_length(len(audio) + len(response) - 1)
    wet = np.fft.irfft(np.fft.rfft(audio, length) * np.fft.rfft(response, length), length)
    wet = wet[: len(audio)]
    before, after = np.sum(np.square(audio)), np.sum(np.square(wet))
    return (wet * np.sqrt(before / after)).astype(np.float32)


def _place_near(
    microphone_m: np.ndarray, size_m: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A place 0.3 to 3 m from the microphone, or nearer to it where a wall is in between."""
    direction = rng.normal(size=3) * (1.0, 1.0, 0.3)
    step_m = direction / np.linalg.norm(direction) * rng.uniform(*_DISTANCE_M)
    place = np.clip(microphone_m + step_m, _WALL_M, size_m - _WALL_M)
    if np.linalg.norm(place - microphone_m) < _DISTANCE_M[0]:  # squeezed against a wall
        place = microphone_m + np.sign(size_m / 2 - microphone_m) * _DISTANCE_M[0]
    return place


def _without_rumble(response: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Take away what lies below 50 Hz: reflections that are all positive add up there."""
    length = fast_length(2 * len(response))
    turn = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    decay = 1 - 2 * np.pi * _RUMBLE_HZ / sample_rate_hz
    high_pass = (1 - turn) / (1 - decay * turn)
    return np.fft.irfft(np.fft.rfft(response, length) * high_pass, length)[: len(response)]


def _with_tail(
    early: np.ndarray, rt60_s: float, rng: np.random.Generator, sample_rate_hz: int
) -> np.ndarray:
    """Go on with noise that decays from the level of the last quarter of ``early``."""
    samples = max(len(early) + 1, round(1.2 * rt60_s * sample_rate_hz))
    envelope = 10.0 ** (-3 * np.arange(samples) / (rt60_s * sample_rate_hz))
    last = slice(len(early) * 3 // 4, len(early))
    level = np.sqrt(np.mean(np.square(early[last] / envelope[last])))
    tail = level * envelope[len(early) :] * rng.standard_normal(samples - len(early))
    response = np.concatenate((early, tail))
    return (response / response[0]).astype(np.float32)

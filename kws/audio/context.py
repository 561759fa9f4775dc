"""Words beside a word, as in running speech, where no silence tells when one begins and ends."""

from collections.abc import Sequence

import numpy as np

from kws.audio.noise import loud_power
from kws.audio.splice import FADE_MS, faded, word_span

GAP_MS = (20.0, 200.0)
"""Between two words; people leave no more within a sentence."""
RATIO_DB = (-6.0, 6.0)
"""How much louder a neighbour's loud part is than the word's."""
SIDES = ((True, True), (True, False), (False, True))
"""Whether there is a word before, and one after; each as often."""


def cut_out(audio: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """The word of a clip alone, float32 (samples,), faded in and out; empty where all is silent."""
    start, end = word_span(audio, sample_rate_hz)
    word = audio[start:end]
    return faded(word, FADE_MS, sample_rate_hz) if word.any() else word[:0].astype(np.float32)


def lay_beside(
    audio: np.ndarray, words: Sequence[np.ndarray], rng: np.random.Generator, sample_rate_hz: int
) -> np.ndarray:
    """Let another word be said right before a clip's word, or right after it, or both.

    They are added to what the clip has there; of each as much is heard as there is room for.

    Parameters
    ----------
    audio : float32 (samples,), a clip of one word.
    words : as :func:`cut_out` gives them; at least one, none of them empty.

    Returns
    -------
    float32 (samples,); not clipped. A silent clip is left as it is.
    """
    before, after = SIDES[int(rng.integers(len(SIDES)))]
    first, second = (words[index] for index in rng.integers(len(words), size=2))
    gaps = [round(ms * sample_rate_hz / 1000) for ms in rng.uniform(*GAP_MS, 2)]
    ratios_db = rng.uniform(*RATIO_DB, 2)
    start, end = word_span(audio, sample_rate_hz)
    power = loud_power(audio[start:end], sample_rate_hz)
    made = audio.copy()
    if before:
        room = made[: max(0, start - gaps[0])]
        heard = first[max(0, len(first) - len(room)) :]
        room[len(room) - len(heard) :] += _at(first, heard, power, ratios_db[0], sample_rate_hz)
    if after:
        room = made[end + gaps[1] :]
        heard = second[: len(room)]
        room[: len(heard)] += _at(second, heard, power, ratios_db[1], sample_rate_hz)
    return made


def _at(
    word: np.ndarray, heard: np.ndarray, power: float, ratio_db: float, sample_rate_hz: int
) -> np.ndarray:
    """What is heard of a word, where the whole of it is so much louder than a power."""
    own = loud_power(word, sample_rate_hz)
    return heard * np.float32(np.sqrt(power / own) * 10 ** (ratio_db / 20)) if own else heard

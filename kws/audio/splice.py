"""Words that nobody said: made by joining, cutting and turning round recordings of real ones.

A model that has heard few other words takes any word with a keyword's beginning, or its end, for
that keyword. What is made here has such beginnings and ends, and is no keyword.
"""

from typing import Literal

import numpy as np

from kws.audio.noise import loud_power
from kws.audio.vowels import vowel_span
from kws.audio.word import find_words

PART = (0.3, 0.5)
"""How much of a word is kept where it is cut: less than what a person takes for all of it."""
MOST_ENERGY = 0.6
"""And no more than this share of its energy: the first half of "up" may be all that is loud."""
JOINT = (0.35, 0.65)
"""Where in its span one word is left, and the other entered."""
FADE_MS = 12.0
MOST_GAIN_DB = 15.0
"""The second of two words is brought to the first one's level, by so much at most."""
_SEARCH_MS, _FRAME_MS = 40.0, 5.0
_WIDER_MS = 30.0
"""By so much :func:`kws.audio.word.find_words` gives a span too wide, on either side."""
_ENERGY = (0.05, 0.95)
_SHORTEST_QUIET_MS = 40.0
_BEFORE_MS, _AFTER_MS = 200.0, 250.0
"""By so much a word may begin before its first vowel, and end after its last one."""


def word_span(audio: np.ndarray, sample_rate_hz: int) -> tuple[int, int]:
    """Where the word of a clip begins and ends, in samples.

    The strongest sound that stands out of the noise; in a clip without any, the stretch that holds
    the middle nine tenths of the energy.
    """
    found = find_words(audio, sample_rate_hz)
    if found:
        span = max(found, key=lambda one: one.strength)
        wider = min(round(_WIDER_MS * sample_rate_hz / 1000), (span.end - span.start) // 4)
        return span.start + wider, span.end - wider
    energy = np.cumsum(np.square(audio, dtype=np.float64))
    if energy[-1] == 0.0:
        return len(audio) // 4, len(audio) - len(audio) // 4
    start, end = np.searchsorted(energy, energy[-1] * np.array(_ENERGY))
    return int(start), max(int(end), int(start) + 1)


def faded(audio: np.ndarray, fade_ms: float, sample_rate_hz: int) -> np.ndarray:
    """A copy, float32 (samples,), that comes and goes over ``fade_ms``, if it is twice as long."""
    made = audio.astype(np.float32)
    over = min(round(fade_ms * sample_rate_hz / 1000), len(made) // 2)
    ramp = ((np.arange(over) + 0.5) / max(1, over)).astype(np.float32)
    made[:over] *= ramp
    made[len(made) - over :] *= ramp[::-1]
    return made


def join_words(
    first: np.ndarray,
    second: np.ndarray,
    rng: np.random.Generator,
    sample_rate_hz: int,
    same: bool = False,
) -> np.ndarray:
    """Begin with one word and end with another: about half of each, with a short cross-fade.

    One is left, and the other entered, at the quietest place near one drawn from its middle third.

    Parameters
    ----------
    first, second : float32 (samples,), clips of one word each.
    same : draw one place for both: of two takes of a word, joined, it is that word.

    Returns
    -------
    float32, as long as ``first``.
    """
    spans = [word_span(audio, sample_rate_hz) for audio in (first, second)]
    places = [rng.uniform(*JOINT)] * 2 if same else [rng.uniform(*JOINT), rng.uniform(*JOINT)]
    leave, enter = (
        _quiet_place(audio, span, place, sample_rate_hz)
        for audio, span, place in zip((first, second), spans, places, strict=True)
    )
    return _joined((first, second), (leave, enter), (spans[0], spans[1]), sample_rate_hz)


def blend_words(
    onset: np.ndarray | None,
    vowels: np.ndarray,
    coda: np.ndarray | None,
    sample_rate_hz: int,
    turned: bool = False,
) -> np.ndarray:
    """Put another word's consonants before the vowels of a word, or after them, or both.

    Parameters
    ----------
    onset, coda : float32 (samples,), clips of one word each, of which what is before the first
        vowel, or after the last one, is taken; None: the word's own.
    vowels : float32 (samples,), a clip of one word.
    turned : play ``coda`` backwards, for a consonant that it begins with.

    Returns
    -------
    float32, as long as ``vowels``.
    """
    made = vowels
    if onset is not None:
        made = _change_over(onset, made, 0, sample_rate_hz)
    if coda is not None:
        made = _change_over(made, reverse_word(coda) if turned else coda, 1, sample_rate_hz)
    return made


def _change_over(first: np.ndarray, second: np.ndarray, at: int, sample_rate_hz: int) -> np.ndarray:
    """From one word to another where their vowels begin (0), or end (1)."""
    vowels = [vowel_span(audio, sample_rate_hz) for audio in (first, second)]
    before, after = (round(ms * sample_rate_hz / 1000) for ms in (_BEFORE_MS, _AFTER_MS))
    one, other = (
        (max(0, start - before), min(len(audio), end + after))
        for audio, (start, end) in zip((first, second), vowels, strict=True)
    )
    return _joined((first, second), (vowels[0][at], vowels[1][at]), (one, other), sample_rate_hz)


def cut_word(
    audio: np.ndarray, keep: Literal["first", "last"], rng: np.random.Generator, sample_rate_hz: int
) -> np.ndarray:
    """Keep the ``first`` or the ``last`` part of a word where it was, background for the rest.

    Three to five tenths of its length are kept, and at most ``MOST_ENERGY``.

    Parameters
    ----------
    audio : float32 (samples,), a clip of one word.

    Returns
    -------
    float32 (samples,).
    """
    if keep == "last":
        return reverse_word(cut_word(reverse_word(audio), "first", rng, sample_rate_hz))
    start, end = word_span(audio, sample_rate_hz)
    wanted = round(rng.uniform(*PART) * (end - start))
    energy = np.cumsum(np.square(audio[start:end], dtype=np.float64))
    loud = int(np.searchsorted(energy, MOST_ENERGY * energy[-1]))
    kept = audio[: start + (min(wanted, loud) if energy[-1] > 0 else wanted)]
    after = min(len(audio), end + round(_WIDER_MS * sample_rate_hz / 1000))
    made = _crossfade(kept, audio[after:], sample_rate_hz)
    return _fill(made, len(audio), audio, (start, after), sample_rate_hz)


def reverse_word(audio: np.ndarray) -> np.ndarray:
    """Play (samples,) of sound backwards."""
    return np.ascontiguousarray(audio[::-1])


def _joined(
    clips: tuple[np.ndarray, np.ndarray],
    places: tuple[int, int],
    spans: tuple[tuple[int, int], tuple[int, int]],
    sample_rate_hz: int,
) -> np.ndarray:
    """The first clip up to its place, the second from its own on; as loud and long as the first.

    Parameters
    ----------
    spans : of the words; what is outside may go.
    """
    first, second = clips
    (start, end), (start_2, end_2) = spans
    power = loud_power(first[start:end], sample_rate_hz)
    power_2 = loud_power(second[start_2:end_2], sample_rate_hz)
    if power > 0 and power_2 > 0:
        most = 10.0 ** (MOST_GAIN_DB / 20)
        second = second * np.float32(np.clip(np.sqrt(power / power_2), 1 / most, most))
    made = _crossfade(first[: places[0]], second[places[1] :], sample_rate_hz)
    spare = len(made) - len(first)
    if spare > 0:  # background goes, on both sides alike where there is enough of it
        behind = max(0, len(second) - end_2)
        before = min(start, max(spare // 2, spare - behind))
        made = made[before : before + len(first)]
    return np.clip(_fill(made, len(first), second, spans[1], sample_rate_hz), -1.0, 1.0)


def _quiet_place(audio: np.ndarray, span: tuple[int, int], part: float, sample_rate_hz: int) -> int:
    """The start of the frame of least energy around ``part`` of the span."""
    frame = max(1, round(_FRAME_MS * sample_rate_hz / 1000))
    reach = round(_SEARCH_MS * sample_rate_hz / 1000)
    middle = span[0] + round(part * (span[1] - span[0]))
    low = max(span[0], middle - reach)
    searched = audio[low : min(span[1], middle + reach)]
    frames = searched[: len(searched) // frame * frame].reshape(-1, frame)
    if len(frames) == 0:
        return middle
    return low + frame * int(np.square(frames, dtype=np.float64).sum(axis=1).argmin())


def _crossfade(first: np.ndarray, second: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Two sounds after each other, the end of one over the beginning of the other, equal power."""
    over = min(round(FADE_MS * sample_rate_hz / 1000), len(first), len(second))
    if over == 0:
        return np.concatenate([first, second])
    angle = (np.pi / 2 * (np.arange(over) + 0.5) / over).astype(np.float32)
    both = first[len(first) - over :] * np.cos(angle) + second[:over] * np.sin(angle)
    return np.concatenate([first[: len(first) - over], both, second[over:]])


def _fill(
    made: np.ndarray, samples: int, clip: np.ndarray, span: tuple[int, int], sample_rate_hz: int
) -> np.ndarray:
    """Lengthen a made clip with background: what stands before, or after, the word of ``clip``.

    It is played forwards and backwards in turn. Digital silence there would tell a model that the
    word was made.
    """
    missing = samples - len(made)
    if missing <= 0:
        return made
    quiet = max(clip[: span[0]], clip[span[1] :], key=len)
    if len(quiet) < _SHORTEST_QUIET_MS * sample_rate_hz / 1000:
        return np.pad(made, (0, missing))
    over = round(FADE_MS * sample_rate_hz / 1000)  # what the cross-fade takes
    longer = np.pad(quiet, (0, max(0, missing + over - len(quiet))), mode="symmetric")
    return _crossfade(made, longer[: missing + over], sample_rate_hz)[:samples]

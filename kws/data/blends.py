"""Which words' consonants and vowels give, put together, a word that is nearly a keyword.

"down" and "go" give "dough", "up" and "yes" give "us": the words that a model which has heard few
others takes for keywords. Takes are cut where vowels begin and end, by energy, so sounds that are
as loud as vowels (``r``, ``l``, ``w``, the ``y`` of "yes") stay with these.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kws.data.espeak import Espeak
from kws.data.phoneme_distance import apart, is_fricative, is_glide, is_vowel, segments
from kws.data.phonemes import pronounce

NEAREST = 0.3
"""Least distance to every keyword: the consonants of a real take are not said as clearly as a
synthesizer's (compare :data:`kws.data.near_misses.NEAREST`)"""
FARTHEST = 1.7
"""Greatest distance to the nearest keyword: more than a consonant and a half away, it is just
another word."""
Sounds = tuple[str, ...]


@dataclass(frozen=True)
class Blend:
    """The vowels of one word, and consonants of others before or after them, or both."""

    vowels: str
    onsets: tuple[str, ...]
    """Words that begin with the consonants; none: they are those of ``vowels``"""
    codas: tuple[str, ...]
    """Words that end with the consonants; none: they are those of ``vowels``"""
    turned: bool
    """``codas`` begin with them, and are to be played backwards: an ``f`` is one in "five" too"""
    sounds: str
    """In the IPA"""
    keyword: str
    """The nearest one"""
    distance: float
    """To it; 1 is a consonant more or less"""

    @property
    def joints(self) -> int:
        """How many places there are where takes are joined: one or two."""
        return bool(self.onsets) + bool(self.codas)


@dataclass(frozen=True)
class _Word:
    onset: Sounds
    vowels: Sounds
    """And what is between them"""
    coda: Sounds


def find_blends(words: Iterable[str], keywords: Sequence[str], language: str) -> list[Blend]:
    """All that the words give, which sounds much like a keyword and is none.

    Parameters
    ----------
    words : all that there are takes of, the keywords among them.
    language : one of espeak-ng, by whose rules the words are read.

    Raises
    ------
    DataError
        When espeak-ng is missing, has no such language, or cannot say a word.
    """
    with Espeak() as engine:
        sounds = {
            word: segments(pronounce(engine, word.replace("_", " "), language)) for word in words
        }
    targets = {keyword: tuple(sounds[keyword]) for keyword in keywords}
    known = {word: parted for word in sounds if (parted := _parted(sounds[word]))}
    onsets, codas = _consonants(known)
    judged: dict[Sounds, tuple[float, str]] = {}
    found = []
    for word, own in known.items():
        for onset in (None, *onsets):
            for coda, turned in ((None, False), *codas):
                parts = (own.onset if onset is None else onset, own.coda if coda is None else coda)
                made = (*parts[0], *own.vowels, *parts[1])
                if (onset, coda) == (None, None) or not _joins(own, onset, coda):
                    continue
                if made not in judged:
                    judged[made] = min((apart(made, target), k) for k, target in targets.items())
                distance, keyword = judged[made]
                if NEAREST <= distance <= FARTHEST:
                    before = () if onset is None else onsets[onset]
                    after = () if coda is None else codas[coda, turned]
                    text = "".join(made)
                    found.append(Blend(word, before, after, turned, text, keyword, distance))
    return found


def _joins(own: _Word, onset: Sounds | None, coda: Sounds | None) -> bool:
    """Whether takes can be cut there, and something changes."""
    if onset == own.onset or coda == own.coda:
        return False
    edges = (*(own.onset[-1:] if onset is not None else ()), *(own.coda[:1] if coda else ()))
    return not any(map(is_glide, edges))


def _consonants(
    known: dict[str, _Word],
) -> tuple[dict[Sounds, tuple[str, ...]], dict[tuple[Sounds, bool], tuple[str, ...]]]:
    """The words that begin with some consonants, or none; those that end with some, or turned."""
    onsets: dict[Sounds, tuple[str, ...]] = {}
    codas: dict[tuple[Sounds, bool], tuple[str, ...]] = {}
    for word, own in known.items():
        if not any(map(is_glide, own.onset[-1:])):
            onsets[own.onset] = (*onsets.get(own.onset, ()), word)
        for coda, turned in _endings(own):
            codas[coda, turned] = (*codas.get((coda, turned), ()), word)
    return onsets, codas


def _endings(own: _Word) -> Iterator[tuple[Sounds, bool]]:
    if own.coda and not is_glide(own.coda[0]):  # none: "u" for "up" is how many say it
        yield own.coda, False
    if len(own.onset) == 1 and is_fricative(own.onset[0]):
        yield own.onset, True


def _parted(sounds: list[str]) -> _Word | None:
    at = [index for index, sound in enumerate(sounds) if is_vowel(sound)]
    if not at:
        return None
    first, last = at[0], at[-1] + 1
    return _Word(tuple(sounds[:first]), tuple(sounds[first:last]), tuple(sounds[last:]))

"""How a word is pronounced: its phonemes, by espeak-ng's rules of any of its languages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kws.data.espeak import Espeak
from kws.errors import DataError

_APART = "\x1f"  # a separator that stands in no phoneme's name
_PALATAL = (";", "_j", "I^")
_STRESS = re.compile("^[ˈˌ]")


@dataclass(frozen=True)
class Phoneme:
    """A phoneme as espeak-ng spells it, and in the International Phonetic Alphabet.

    A stressed vowel has its stress mark in front.
    """

    name: str
    ipa: str

    @property
    def sound(self) -> str:
        """The IPA letters without stress."""
        return _STRESS.sub("", self.ipa)

    @property
    def stressed(self) -> bool:
        """Whether this is the vowel of a syllable with main stress."""
        return self.ipa.startswith("ˈ")


@dataclass(frozen=True)
class Pronunciation:
    """A text's phonemes, a tuple a word."""

    words: tuple[tuple[Phoneme, ...], ...]
    language: str
    foreign: bool = False
    """Said by another language's rules, as espeak-ng says English words in German text."""

    @property
    def ipa(self) -> str:
        """In the IPA, such as ``kəmpjˈuːɾɚ``."""
        return " ".join("".join(phoneme.ipa for phoneme in word) for word in self.words)

    @property
    def espeak_text(self) -> str:
        """What espeak-ng is given to say these very phonemes."""
        names = ("".join(phoneme.name for phoneme in word) for word in self.words)
        return f"[[{' '.join(names)}]]"

    @property
    def piper_text(self) -> str:
        """What Piper is given to say these very phonemes."""
        return f"[[{self.ipa}]]"


def pronounce(engine: Espeak, text: str, language: str) -> Pronunciation:
    """Give the phonemes of ``text``.

    Parameters
    ----------
    engine : espeak-ng, in its ``with`` block.
    text : a word or several.
    language : one of ``engine.languages``, such as ``en-us`` or ``de``.

    Raises
    ------
    DataError
        When espeak-ng has no such language, or the text holds nothing that can be said.
    """
    names, letters = (engine.phonemes(text, language, _APART, ipa) for ipa in (False, True))
    words = tuple(word for word in _words(names, letters) if word)
    if not words:
        raise DataError(
            f"{text!r} holds nothing that can be said in {language!r}; "
            "write words as they are spoken"
        )
    return Pronunciation(words, language, foreign="(" in names)


def _words(names: str, letters: str) -> Iterator[tuple[Phoneme, ...]]:
    """The phonemes of each word; pauses, and marks of another language, left out."""
    for spelled, in_ipa in zip(names.split(" "), letters.split(" "), strict=True):
        pairs = _paired(spelled.split(_APART), in_ipa.split(_APART))
        yield tuple(Phoneme(*pair) for pair in pairs if pair[0] and pair[0][0] not in "_(")


def _paired(names: list[str], sounds: list[str]) -> list[tuple[str, str]]:
    """Put spellings and IPA side by side.

    A consonant and what makes it palatal are two phonemes to espeak-ng, and one in its IPA.
    """
    if len(names) > len(sounds):
        joined: list[str] = []
        for name in names:
            if joined and name in _PALATAL:
                joined[-1] += name
            else:
                joined.append(name)
        names = joined
    if len(names) != len(sounds):
        return [("".join(names), "".join(sounds))]  # in one piece: it can be said, not changed
    return list(zip(names, sounds, strict=True))

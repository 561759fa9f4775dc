"""How alike two pronunciations sound: an edit distance over phonetic features.

The features and their weights are those of ALINE: Grzegorz Kondrak, "A New Algorithm for the
Alignment of Phonetic Sequences", NAACL 2000, and "Algorithms for Language Reconstruction",
University of Toronto 2002, chapter 4. There, a consonant that is matched with itself scores 35, a
vowel 15, and one that is left out -10; a distance therefore counts half of the former and 10 for a
sound left out, and the difference in features for one that is replaced.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from kws.data.phonemes import Pronunciation

CONSONANT_GAP, VOWEL_GAP = 35 / 2 + 10, 15 / 2 + 10
"""What a sound costs that one of two words does not have, in Kondrak's units."""
UNIT = CONSONANT_GAP
"""A distance of 1 is a consonant left out."""


class Sound(NamedTuple):
    """The features of a letter of the IPA, each 0 to 1."""

    syllabic: float
    place: float
    manner: float
    voice: float
    nasal: float = 0.0
    retroflex: float = 0.0
    lateral: float = 0.0
    aspirated: float = 0.0
    high: float = 0.0
    back: float = 0.0
    round: float = 0.0
    long: float = 0.0


Segment = tuple[Sound, Sound]
"""How a sound begins and ends: a diphthong's differ."""

WEIGHTS = Sound(5, 40, 50, 10, 10, 10, 10, 5, 5, 5, 5, 1)
_OF_CONSONANTS = Sound(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0)
_OF_VOWELS = Sound(1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1)

_PLACES = {
    "bilabial": 1.0,
    "labiodental": 0.95,
    "dental": 0.9,
    "alveolar": 0.85,
    "retroflex": 0.8,
    "palatoalveolar": 0.75,
    "palatal": 0.7,
    "velar": 0.6,
    "uvular": 0.5,
    "pharyngeal": 0.3,
    "glottal": 0.1,
}
_GLOTTAL = _PLACES["glottal"]
_MANNERS = {"stop": 1.0, "fricative": 0.8, "approximant": 0.6}
_AFFRICATE = 0.9
_CONSONANTS = """
bilabial       stop p b   fricative ɸ β   approximant - w   nasal m
labiodental    fricative f v   approximant - ʋ   nasal ɱ
dental         fricative θ ð
alveolar       stop t d   fricative s z   approximant - ɹ   approximant - r
alveolar       approximant - ɾ   lateral l   lateral ɫ   nasal n
palatoalveolar fricative ʃ ʒ   fricative ɕ ʑ
retroflex      stop ʈ ɖ   fricative ʂ ʐ   approximant - ɻ   approximant - ɽ   lateral ɭ   nasal ɳ
palatal        stop c ɟ   fricative ç ʝ   approximant - j   approximant - ɥ   lateral ʎ   nasal ɲ
velar          stop k ɡ   fricative x ɣ   approximant - ɰ   nasal ŋ
uvular         stop q ɢ   fricative χ ʁ   approximant - ʀ   nasal ɴ
pharyngeal     fricative ħ ʕ
glottal        stop ʔ -   fricative h ɦ
"""
"""Place, then manner with its voiceless and its voiced letter; nasals and laterals are voiced."""

_HEIGHTS = {"iyɨʉɯu": 1.0, "ɪʏʊᵻ": 0.8, "eøɘɵɤo": 0.6, "ə": 0.5, "ɛεœɜɞʌɔɚɝ": 0.4, "æɐ": 0.15}
_HEIGHTS |= {"aɑɒ": 0.0}
_FRONT, _CENTRAL, _ROUND = "iyɪʏeøɛεœæa", "ɨᵻʉɘɵəɚɜɝɞɐ", "yʉuʏʊøɵoœɞɔɒ"
_ALIKE = {frozenset("ɾt"), frozenset("ɾd")}  # "ladder" and "latter" as Americans say them


def distance(one: Pronunciation, other: Pronunciation) -> float:
    """Give the least cost of changing one pronunciation into the other.

    Sounds are replaced, left out or put in; the nearer their features, the cheaper. Stress and
    the ends of words do not count.

    Returns
    -------
    0 for the same sounds; a consonant more or less costs 1, a vowel 0.64, another voice 0.36.
    """
    return apart(segments(one), segments(other))


def apart(first: Sequence[str], second: Sequence[str]) -> float:
    """:func:`distance` of two rows of sounds, as :func:`segments` gives them."""
    row = [0.0]
    for letters in second:
        row.append(row[-1] + gap(letters))
    for mine in first:
        before, row = row, [row[0] + gap(mine)]
        for index, letters in enumerate(second):
            row.append(
                min(
                    before[index] + difference(mine, letters),
                    before[index + 1] + gap(mine),
                    row[-1] + gap(letters),
                )
            )
    return row[-1] / UNIT


def segments(pronunciation: Pronunciation) -> list[str]:
    """The sounds one after the other: a consonant, an affricate, a vowel or a diphthong each."""
    return [
        segment
        for word in pronunciation.words
        for phoneme in word
        for segment in split_sound(phoneme.sound)
    ]


@lru_cache
def split_sound(ipa: str) -> tuple[str, ...]:
    """Split IPA letters: vowels in a row are one sound, as are a stop and a fricative after it."""
    parts: list[str] = []
    for letter in unicodedata.normalize("NFD", ipa).replace("c\u0327", "ç").replace("g", "ɡ"):
        sound = _LETTERS.get(letter)
        if sound is None:  # a mark behind a letter, or something unknown
            if parts and letter in _MARKS:
                parts[-1] += letter
            continue
        last = _LETTERS[parts[-1][0]] if parts else None
        joins = last is not None and (
            (sound.syllabic and last.syllabic)
            or (last.manner == 1.0 and not last.nasal and sound.manner == _MANNERS["fricative"])
        )
        if joins:
            parts[-1] += letter
        else:
            parts.append(letter)
    return tuple(parts)


def gap(segment: str) -> float:
    """The cost of a sound that is left out, in Kondrak's units."""
    return VOWEL_GAP if is_vowel(segment) else CONSONANT_GAP


def is_vowel(segment: str) -> bool:
    """Whether a sound of :func:`split_sound` is a vowel."""
    return bool(_LETTERS[segment[0]].syllabic)


def is_glide(segment: str) -> bool:
    """Whether a sound is an approximant or a lateral, which are as loud as a vowel."""
    sound = _LETTERS[segment[-1]] if segment[-1] in _LETTERS else _LETTERS[segment[0]]
    return not sound.syllabic and not sound.nasal and sound.manner == _MANNERS["approximant"]


def is_fricative(segment: str) -> bool:
    """Whether a sound is a fricative that sounds the same backwards: no affricate, and no ``h``."""
    sound = _LETTERS[segment[0]]
    return len(segment) == 1 and sound.manner == _MANNERS["fricative"] and sound.place > _GLOTTAL


@cache
def difference(one: str, other: str) -> float:
    """The cost of one sound in the place of another, in Kondrak's units.

    Vowels differ by height, backness, rounding, length, nasality and r-colour; everything else by
    place, manner, voice and so on. A diphthong counts by its beginning and its end.
    """
    if frozenset((one, other)) in _ALIKE:
        return 0.0
    relevant = _OF_VOWELS if is_vowel(one) and is_vowel(other) else _OF_CONSONANTS
    halves = zip(_features(one), _features(other), strict=True)
    return (
        sum(
            weight * counts * abs(mine - theirs)
            for half in halves
            for weight, counts, mine, theirs in zip(WEIGHTS, relevant, *half, strict=True)
        )
        / 2
    )


_MARKS = {"ː": "long", "̃": "nasal", "ʰ": "aspirated"}


def _features(segment: str) -> Segment:
    letters = [letter for letter in segment if letter in _LETTERS]
    marks = {_MARKS[letter]: 1.0 for letter in segment if letter in _MARKS}
    first, last = _LETTERS[letters[0]], _LETTERS[letters[-1]]
    if not first.syllabic and first != last:  # an affricate: where the fricative is
        first = last = last._replace(manner=_AFFRICATE)
    return first._replace(**marks), last._replace(**marks)


def _table() -> dict[str, Sound]:
    """All letters and their features."""
    letters: dict[str, Sound] = {}
    for line in _CONSONANTS.split("\n"):
        place, *rest = line.split() or [""]
        while rest:
            kind = rest.pop(0)
            number = _PLACES[place]
            extra = {"retroflex": float(place == "retroflex")}
            if kind in ("nasal", "lateral"):
                manner = _MANNERS["stop" if kind == "nasal" else "approximant"]
                letters[rest.pop(0)] = Sound(0, number, manner, 1, **{kind: 1.0}, **extra)
                continue
            for voice in (0, 1):
                letters[rest.pop(0)] = Sound(0, number, _MANNERS[kind], voice, **extra)
    letters.pop("-")
    for vowels, high in _HEIGHTS.items():
        for vowel in vowels:
            back = 1.0 if vowel in _FRONT else 0.5 if vowel in _CENTRAL else 0.0
            letters[vowel] = Sound(
                syllabic=1,
                place=0.6 + 0.1 * back,
                manner=0.4 * high,
                voice=1,
                retroflex=float(vowel in "ɚɝ"),
                high=high,
                back=back,
                round=float(vowel in _ROUND),
            )
    return letters


_LETTERS = _table()

"""Words that differ from a word in one phoneme, as far as the language lets its sounds stand so."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from kws.data.phoneme_distance import UNIT, difference, gap, is_vowel, split_sound
from kws.data.phonemes import Phoneme, Pronunciation

Word = tuple[Phoneme, ...]
Run = tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One phoneme replaced, left out or put in."""

    place: int
    """Index of the phoneme in the whole text."""
    kind: str
    """``replace``, ``leave out`` or ``put in``."""
    text: str
    """As people read it, such as ``3: m → n``."""
    distance: float
    """What it costs; 1 is a consonant more or less."""
    result: Pronunciation


class Phonotactics:
    """Which phonemes a language has, and how they stand together, learnt from words.

    Consonants in a row may begin (or end) a word if they begin (or end) one of the words; inside
    a word, they may also be an end and a beginning. Two vowels may meet where they do in a word.
    """

    def __init__(self, words: Iterable[Word]):
        self.phonemes: dict[str, Phoneme] = {}
        """Those that are one sound, by espeak-ng's spelling."""
        self._first: set[Run] = set()
        self._last: set[Run] = set()
        self._inside: set[Run] = set()
        for word in words:
            self.phonemes |= {one.name: one for one in word if len(split_sound(one.sound)) == 1}
            runs = _runs(word)
            self._first.add(runs[0])
            self._last.add(runs[-1])
            self._inside.update(runs[1:-1])

    def allow(self, word: Word) -> bool:
        """Whether a word can be pronounced by people who speak the language."""
        runs = _runs(word)
        return (
            len(runs) > 2  # a vowel at least
            and runs[0] in self._first
            and runs[-1] in self._last
            and all(map(self._allows_inside, runs[1:-1]))
        )

    def _allows_inside(self, run: Run) -> bool:
        if run in self._inside or (len(run) == 1 and is_vowel(run[0])):
            return True
        halves = ((run[:at], run[at:]) for at in range(len(run) + 1))
        return not is_vowel(run[0]) and any(
            (not end or end in self._last) and (not start or start in self._first)
            for end, start in halves
        )


def changes(home: Pronunciation, language: Phonotactics) -> Iterator[Change]:
    """All changes of one consonant or stressed vowel after which ``home`` can be pronounced.

    Vowels without stress stay as they are: another one there is another accent, not another word.
    """
    place = 0
    for at, word in enumerate(home.words):
        for index in range(len(word) + 1):
            for kind, text, cost, part in _changed(word[index : index + 1], language):
                after = word[index:] if kind == "put in" else word[index + 1 :]
                changed = (*word[:index], *part, *after)
                if changed and language.allow(changed):
                    words = (*home.words[:at], changed, *home.words[at + 1 :])
                    result = Pronunciation(words, home.language)
                    text_at = f"{place + index + 1}: {text}"
                    yield Change(place + index, kind, text_at, cost / UNIT, result)
        place += len(word)


def _changed(part: Word, language: Phonotactics) -> Iterator[tuple[str, str, float, Word]]:
    """What may stand in the place of one phoneme, or of none at a word's end."""
    phonemes = language.phonemes.values()
    consonants = [one for one in phonemes if not is_vowel(one.sound)]
    for new in consonants:
        yield "put in", f"+ {new.sound}", gap(new.sound), (new,)
    if not part or len(split_sound(part[0].sound)) != 1:
        return
    old = part[0]
    alternatives = consonants
    if not is_vowel(old.sound):
        yield "leave out", f"- {old.sound}", gap(old.sound), ()
    elif old.stressed:
        alternatives = [one for one in phonemes if is_vowel(one.sound) and one.stressed]
    else:
        return
    for new in alternatives:
        if new.sound != old.sound:
            cost = difference(old.sound, new.sound)
            yield "replace", f"{old.sound} → {new.sound}", cost, (new,)


def _runs(word: Word) -> list[Run]:
    """Consonants and vowels in turn, beginning and ending with (perhaps no) consonants."""
    sounds = [part for phoneme in word for part in split_sound(phoneme.sound)]
    runs = [tuple(run) for _, run in groupby(sounds, is_vowel)]
    if not runs or is_vowel(runs[0][0]):
        runs.insert(0, ())
    if len(runs) % 2 == 0:
        runs.append(())
    return runs

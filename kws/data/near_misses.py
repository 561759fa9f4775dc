"""Near misses of a keyword: words and non-words that sound much like it, as negatives to train on.

Real words come from a list. Non-words are made from the keyword's phonemes: one consonant or
stressed vowel replaced, one consonant left out or put in; every synthesizer here can say phonemes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kws.data.espeak import Espeak
from kws.data.phoneme_changes import Change, Phonotactics, changes
from kws.data.phoneme_distance import distance, segments
from kws.data.phonemes import Pronunciation, pronounce

NEAREST = 0.14
"""Least distance to every keyword, said in any of the languages: what is nearer (``three`` and
``free``, 0.07) a person takes for the keyword, too."""
FARTHEST = 0.35
"""Greatest distance a sound of the keyword, for real words."""
_NUMBERS = [str(number) for number in (*range(21), *range(30, 100, 10), 100, 1000)]
"""Read out in every language: phonemes to choose from, and which of them follow each other."""


@dataclass(frozen=True)
class NearMiss:
    """What resembles a keyword, and how much."""

    keyword: str
    text: str
    """The word; empty for a non-word."""
    pronunciation: Pronunciation
    """In the language in which it is nearest; a non-word is to be said in this one only."""
    distance: float
    """1 is a consonant more or less; see :func:`kws.data.phoneme_distance.distance`."""
    change: str = ""
    """What was done to the keyword's sounds to make a non-word."""


class Neighbourhood:
    """Knows how the keywords and other words sound in each language.

    Parameters
    ----------
    engine : espeak-ng, in its ``with`` block.
    keywords : as they are spoken.
    languages : those in which anything will be said.
    words : real words to choose from; keywords among them are passed over.
    """

    def __init__(
        self, engine: Espeak, keywords: list[str], languages: list[str], words: Iterable[str]
    ):
        self.engine, self.languages = engine, languages
        spoken = {keyword.lower() for keyword in keywords}
        self.words = [word for word in dict.fromkeys(words) if word.lower() not in spoken]
        self.keywords = {keyword: self._in_each(keyword) for keyword in keywords}
        self._sounds = {language: self._material(language) for language in languages}

    def near_misses(self, keyword: str, count: int) -> list[NearMiss]:
        """Find up to ``count`` near misses: at most half are words, the rest are non-words.

        The nearest words; the nearest non-words of each place in the keyword and each kind of
        change, in turn, and of each language in turn. None sounds like a keyword in any of the
        languages. Where espeak-ng says the keyword by another language's rules, that language
        gives no non-words.
        """
        found = self._near_words(keyword, count // 2)
        taken: set[str] = set()
        sources = [self._non_words(keyword, language) for language in self.languages]
        while sources and len(found) < count:
            source = sources.pop(0)
            for miss in source:
                if miss.change not in taken:  # the same change in two accents is one near miss
                    taken.add(miss.change)
                    found.append(miss)
                    sources.append(source)
                    break
        return found

    def _in_each(self, text: str) -> list[Pronunciation]:
        return [pronounce(self.engine, text, language) for language in self.languages]

    def _material(self, language: str) -> Phonotactics:
        texts = [*self.keywords, *self.words, *_NUMBERS]
        spoken = [pronounce(self.engine, text, language) for text in texts]
        return Phonotactics([word for one in spoken if not one.foreign for word in one.words])

    def _is_heard_apart(self, candidate: Pronunciation) -> bool:
        return all(
            distance(candidate, keyword) >= NEAREST
            for said in self.keywords.values()
            for keyword in said
        )

    def _near_words(self, keyword: str, count: int) -> list[NearMiss]:
        """The nearest of the words that are near enough, nearest first."""
        home = self.keywords[keyword][0]
        limit = FARTHEST * len(segments(home))
        candidates = []
        for word in self.words:
            said = pronounce(self.engine, word, home.language)
            apart = distance(said, home)
            if NEAREST <= apart <= limit:
                candidates.append(NearMiss(keyword, word, said, apart))
        found: list[NearMiss] = []
        for miss in sorted(candidates, key=lambda one: (one.distance, one.text)):
            if len(found) < count and all(map(self._is_heard_apart, self._in_each(miss.text))):
                found.append(miss)
        return found

    def _non_words(self, keyword: str, language: str) -> Iterator[NearMiss]:
        """Non-words, the nearest of each kind and place before the second nearest of any."""
        home = self.keywords[keyword][self.languages.index(language)]
        if home.foreign:
            return
        groups = defaultdict(list)
        for change in changes(home, self._sounds[language]):
            if change.distance >= NEAREST:
                groups[change.place, change.kind].append(change)
        queue = [sorted(group, key=_nearest_first, reverse=True) for group in groups.values()]
        while queue := sorted(filter(None, queue), key=lambda group: _nearest_first(group[-1])):
            for group in queue:
                change = group.pop()
                if self._is_heard_apart(change.result):
                    apart = distance(change.result, home)
                    yield NearMiss(keyword, "", change.result, apart, change.text)


def _nearest_first(change: Change) -> tuple[float, str]:
    return change.distance, change.text

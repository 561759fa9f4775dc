"""Words made of training clips: which parts of which, and that unknown ones spell no keyword."""

from collections.abc import Sequence

import numpy as np

from kws.audio.splice import cut_word, join_words, reverse_word
from kws.data.source import How, Made, Piece, Source
from kws.recipe import Recipe
from kws.recipe_data import UNKNOWN

_DRAW = 5
_TRIES = 20
_HOW: tuple[tuple[How, float], ...] = (
    ("joined", 0.5),
    ("first", 0.2),
    ("last", 0.15),
    ("reversed", 0.15),
)
"""The ways of making unknown words, and their shares."""


def made_sources(clips: list[Source], recipe: Recipe, count: int) -> list[Source]:
    """Draw of what ``count`` unknown words are made, anew for each copy, and as many keywords.

    Half of all parts of unknown words are of keywords, each keyword and each other word as often as
    the next. The keywords are joined of two takes of themselves, one after the other in turn:
    without them a joint alone would tell that a word is unknown.

    Parameters
    ----------
    clips : of training, with their words; each keyword has some, and so has another word.
    """
    pool: dict[str, list[Piece]] = {}
    for clip in clips:
        pool.setdefault(clip.word, []).append(clip.piece)
    keywords = recipe.data.keywords
    others = [word for word in pool if word not in keywords]
    label = recipe.data.labels.index(UNKNOWN)
    rng = np.random.default_rng((recipe.seed, _DRAW))
    made = []
    for number in range(count):
        ways = tuple(_draw(pool, keywords, others, rng) for _ in range(recipe.augment.copies))
        made.append(Source(ways[0].pieces[0][0], label, number, made=ways))
    for number in range(count):
        at = number % len(keywords)
        takes = pool[keywords[at]]
        ways = tuple(_rejoined(takes, rng) for _ in range(recipe.augment.copies))
        made.append(Source(ways[0].pieces[0][0], at, count + number, made=ways))
    return made


def make_word(
    how: How, clips: list[np.ndarray], rng: np.random.Generator, sample_rate_hz: int
) -> np.ndarray:
    """Make one word of (samples,) clips: float32 (samples,)."""
    if how == "joined":
        return join_words(clips[0], clips[1], rng, sample_rate_hz)
    if how == "rejoined":
        return join_words(clips[0], clips[1], rng, sample_rate_hz, same=True)
    if how == "reversed":
        return reverse_word(clips[0])
    return cut_word(clips[0], how, rng, sample_rate_hz)


def spells_keyword(first: str, second: str, keywords: Sequence[str]) -> bool:
    """Whether a beginning of one word and an end of another make a keyword, by their letters.

    "go" and "no" may: g and o. "stop" and "up" may: sto and p. "upset" and any word may: up.
    """
    first, second = first.casefold(), second.casefold()
    return any(
        first.startswith(keyword[:at]) and second.endswith(keyword[at:])
        for keyword in map(str.casefold, keywords)
        for at in range(keyword == second, len(keyword) + (keyword != first))
    )


def leaves_keyword(how: How, word: str, keywords: Sequence[str]) -> bool:
    """Whether what is made of a keyword may be another, or the same, by its letters.

    Backwards: "wow" and, with "no" beside it, "on". The first part: "turn_left" beside "turn".
    """
    word, others = word.casefold(), {keyword.casefold() for keyword in keywords}
    if how == "reversed":
        return word[::-1] in others
    test = word.startswith if how == "first" else word.endswith
    return any(test(other) for other in others - {word})


def _draw(
    pool: dict[str, list[Piece]], keywords: list[str], others: list[str], rng: np.random.Generator
) -> Made:
    """One made word; another word backwards where the keywords leave nothing better."""
    names, shares = zip(*_HOW, strict=True)
    how: How = names[rng.choice(len(names), p=shares)]
    for _ in range(_TRIES):
        if how == "joined":
            words = [_word(keywords, others, rng) for _ in range(2)]
            possible = words[0] != words[1] and not spells_keyword(words[0], words[1], keywords)
        else:
            words = [keywords[rng.integers(len(keywords))]]
            possible = not leaves_keyword(how, words[0], keywords)
        if possible:
            return Made(how, tuple(_piece(pool[word], rng) for word in words))
    safe = [word for word in others if not leaves_keyword("reversed", word, keywords)] or others
    return Made("reversed", (_piece(pool[safe[rng.integers(len(safe))]], rng),))


def _rejoined(takes: list[Piece], rng: np.random.Generator) -> Made:
    return Made("rejoined", (_piece(takes, rng), _piece(takes, rng)))


def _word(keywords: list[str], others: list[str], rng: np.random.Generator) -> str:
    words = keywords if rng.random() < 0.5 else others
    return words[rng.integers(len(words))]


def _piece(pieces: list[Piece], rng: np.random.Generator) -> Piece:
    return pieces[rng.integers(len(pieces))]

"""Words made of training clips: which parts of which, and that unknown ones spell no keyword."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kws.audio.splice import blend_words, cut_word, join_words, reverse_word
from kws.data.blends import Blend, find_blends
from kws.data.source import How, Made, Piece, Source
from kws.recipe import Recipe
from kws.recipe_data import UNKNOWN

_DRAW = 5
_TRIES = 20
_BLENDED = 0.7
"""Share of unknown words that are blends, where there are such"""
_ONE_JOINT = 0.6
"""Share of these in which only the beginning or only the end is another word's"""
_HOW: tuple[tuple[How, float], ...] = (
    ("joined", 0.4),
    ("first", 0.2),
    ("last", 0.2),
    ("reversed", 0.2),
)
"""The other ways of making unknown words, and their shares."""
_AGAIN = ((0, 1, 1), (0, 0, 1), (0, 1, 2), None)
"""Which takes of a keyword are blended, in turn; None: halves of two are joined"""


@dataclass(frozen=True)
class _Material:
    pool: dict[str, list[Piece]]
    keywords: list[str]
    others: list[str]
    blends: dict[str, dict[int, tuple[list[Blend], np.ndarray]]]
    """By nearest keyword and number of joints, with the probability of each"""


def made_sources(clips: list[Source], recipe: Recipe, count: int) -> list[Source]:
    """Draw of what ``count`` unknown words are made, anew for each copy, and as many keywords.

    Blends are near each keyword alike, and the nearer the more; half of the parts of other words
    are of keywords, each keyword and each other word as often as the next. The keywords are joined
    of takes of themselves, one after the other in turn: without them a joint alone would tell that
    a word is unknown.

    Parameters
    ----------
    clips : of training, with their words; each keyword has some, and so has another word.

    Raises
    ------
    DataError
        When espeak-ng, which tells how words sound, is missing, has not the recipe's
        ``data.language``, or cannot say a word.
    """
    stuff = _material(clips, recipe)
    label = recipe.data.labels.index(UNKNOWN)
    rng = np.random.default_rng((recipe.seed, _DRAW))
    made = []
    for number in range(count):
        ways = tuple(_draw(stuff, rng) for _ in range(recipe.augment.copies))
        made.append(Source(ways[0].pieces[0][0], label, number, made=ways))
    for number in range(count):
        at = number % len(stuff.keywords)
        takes = stuff.pool[stuff.keywords[at]]
        ways = tuple(_again(takes, number + copy, rng) for copy in range(recipe.augment.copies))
        made.append(Source(ways[0].pieces[0][0], at, count + number, made=ways))
    return made


def make_word(
    how: How, clips: list[np.ndarray], rng: np.random.Generator, sample_rate_hz: int
) -> np.ndarray:
    """Make one word of (samples,) clips: float32 (samples,).

    Of three to be blended, the same array in two places is no joint.
    """
    if how == "blended" or how == "turned":
        onset, vowels, coda = clips
        return blend_words(
            None if onset is vowels else onset,
            vowels,
            None if coda is vowels else coda,
            sample_rate_hz,
            turned=how == "turned",
        )
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


def _material(clips: list[Source], recipe: Recipe) -> _Material:
    pool: dict[str, list[Piece]] = {}
    for clip in clips:
        pool.setdefault(clip.word, []).append(clip.piece)
    keywords = recipe.data.keywords
    blends: dict[str, dict[int, list[Blend]]] = {}
    for blend in find_blends(pool, keywords, recipe.data.language):
        blends.setdefault(blend.keyword, {}).setdefault(blend.joints, []).append(blend)
    weighed = {
        keyword: {joints: (found, _nearer(found)) for joints, found in sorted(by_joints.items())}
        for keyword, by_joints in sorted(blends.items())
    }
    return _Material(pool, keywords, [word for word in pool if word not in keywords], weighed)


def _nearer(blends: list[Blend]) -> np.ndarray:
    """How probable each is: by the square of its nearness to a keyword."""
    nearness = np.array([blend.distance**-2 for blend in blends])
    return nearness / nearness.sum()


def _draw(stuff: _Material, rng: np.random.Generator) -> Made:
    if stuff.blends and rng.random() < _BLENDED:
        return _draw_blend(stuff, rng)
    return _draw_other(stuff, rng)


def _draw_blend(stuff: _Material, rng: np.random.Generator) -> Made:
    near = stuff.blends[list(stuff.blends)[rng.integers(len(stuff.blends))]]
    joints = 1 if rng.random() < _ONE_JOINT else 2
    blends, nearness = near.get(joints) or near[3 - joints]
    blend = blends[rng.choice(len(blends), p=nearness)]
    own = _piece(stuff.pool[blend.vowels], rng)
    onset, coda = (
        _piece(stuff.pool[words[rng.integers(len(words))]], rng) if words else own
        for words in (blend.onsets, blend.codas)
    )
    return Made("turned" if blend.turned else "blended", (onset, own, coda))


def _draw_other(stuff: _Material, rng: np.random.Generator) -> Made:
    """Parts of words; another word backwards where the keywords leave nothing better."""
    names, shares = zip(*_HOW, strict=True)
    how: How = names[rng.choice(len(names), p=shares)]
    keywords, others = stuff.keywords, stuff.others
    for _ in range(_TRIES):
        if how == "joined":
            words = [_word(keywords, others, rng) for _ in range(2)]
            possible = words[0] != words[1] and not spells_keyword(words[0], words[1], keywords)
        else:
            words = [keywords[rng.integers(len(keywords))]]
            possible = not leaves_keyword(how, words[0], keywords)
        if possible:
            return _of(stuff, how, words, rng)
    safe = [word for word in others if not leaves_keyword("reversed", word, keywords)] or others
    return _of(stuff, "reversed", [safe[rng.integers(len(safe))]], rng)


def _of(stuff: _Material, how: How, words: Sequence[str], rng: np.random.Generator) -> Made:
    return Made(how, tuple(_piece(stuff.pool[word], rng) for word in words))


def _again(takes: list[Piece], turn: int, rng: np.random.Generator) -> Made:
    """A keyword made of takes of it."""
    which = _AGAIN[turn % len(_AGAIN)]
    if which is None:
        return Made("rejoined", (_piece(takes, rng), _piece(takes, rng)))
    drawn = [_piece(takes, rng) for _ in range(3)]
    return Made("blended", tuple(drawn[index] for index in which))


def _word(keywords: list[str], others: list[str], rng: np.random.Generator) -> str:
    words = keywords if rng.random() < 0.5 else others
    return words[rng.integers(len(words))]


def _piece(pieces: list[Piece], rng: np.random.Generator) -> Piece:
    return pieces[rng.integers(len(pieces))]

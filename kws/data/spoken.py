"""Clips that espeak-ng speaks to train on beside recordings: keywords, and what sounds like them.

Few corpora have words that sound like a keyword and are none ("dug" for "down"). Spoken ones are
heard as voices of their own, unless those voices say the keywords too.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kws.data import talk as talking
from kws.data.manifest import TESTING
from kws.data.saying import VERSION, say_corpus
from kws.data.saying_order import Order
from kws.data.voices import Voice, espeak_voices
from kws.recipe import Recipe

CAST = 2
"""Raised whenever other voices speak the same order"""
SPOKEN = "spoken"
"""Folder of the corpora, beside the cache of features"""


@dataclass(frozen=True)
class Spoken:
    """What was spoken, in folders."""

    corpora: tuple[Path, ...] = ()
    """A folder a word in each"""
    talk: tuple[Path, ...] = ()
    """Sentences without keywords"""


def speak(recipe: Recipe, folder: Path) -> Spoken:
    """Have spoken what ``data.spoken`` orders, each order in a folder of its own below ``folder``.

    What is there already is kept, and finished where it was cut short. Recipes with the same order
    share it.

    Raises
    ------
    DataError
        When a keyword cannot be spoken, or espeak-ng is missing.
    StorageError
        When a clip cannot be written.
    """
    data = recipe.data
    if data.spoken is None:
        return Spoken()
    orders, voices = list(_orders(recipe)), _voices([], recipe.seed)
    corpora = tuple(folder / _key([VERSION, CAST, _facts(order)]) for order in orders)
    for order, corpus in zip(orders, corpora, strict=True):
        say_corpus(order, voices, corpus)
    if not data.spoken.sentences:
        return Spoken(corpora)
    taboo = sorted({*data.keywords, *data.unseen})
    languages = data.spoken.sentence_languages
    talk = folder / _key([talking.VERSION, data.spoken.sentences, taboo, recipe.seed, *languages])
    cast = _voices(languages, recipe.seed)
    talking.say_talk(talk, data.spoken.sentences, taboo, cast, recipe.seed)
    return Spoken(corpora, (talk,))


def _voices(languages: Sequence[str], seed: int) -> list[Voice]:
    """Those of the testing split are left to tests, such as ``prepare_data.py talk``."""
    return [voice for voice in espeak_voices(languages, seed) if voice.split != TESTING]


def _orders(recipe: Recipe) -> Iterator[Order]:
    data = recipe.data
    if data.spoken is None:
        return
    keywords = tuple(data.keywords)
    if data.spoken.takes_per_keyword:
        yield Order(keywords, takes=data.spoken.takes_per_keyword, seed=recipe.seed)
    if data.spoken.near_misses and data.unknown:
        takes, count = data.spoken.takes_per_near_miss, data.spoken.near_misses
        # It says the keywords too: by another seed, or they would be takes of the first once more.
        yield Order(keywords, takes=takes, near_misses=count, seed=recipe.seed + 1)


def _facts(order: Order) -> dict[str, Any]:
    """What is wanted; what is left at None names no new corpus."""
    return {name: value for name, value in asdict(order).items() if value is not None}


def _key(facts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]

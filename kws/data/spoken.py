"""Clips that espeak-ng speaks to train on beside recordings: keywords, and what sounds like them.

Few corpora have words that sound like a keyword and are none ("dug" for "down"). Spoken ones are
heard as voices of their own, unless those voices say the keywords too.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from kws.data.saying import VERSION, say_corpus
from kws.data.saying_order import Order
from kws.data.voices import espeak_voices
from kws.recipe import Recipe

SPOKEN = "spoken"
"""Folder of the corpora, beside the cache of features"""


def speak(recipe: Recipe, folder: Path) -> list[Path]:
    """Have spoken what ``data.spoken`` orders, a corpus each in ``folder``; gives the corpora.

    What is there already is kept, and finished where it was cut short. Each order has its own
    corpus, so that recipes with the same order share it.

    Raises
    ------
    DataError
        When a keyword cannot be spoken, or espeak-ng is missing.
    StorageError
        When a clip cannot be written.
    """
    orders = list(_orders(recipe))
    voices = espeak_voices([], recipe.seed) if orders else []
    corpora = [folder / _key(order) for order in orders]
    for order, corpus in zip(orders, corpora, strict=True):
        say_corpus(order, voices, corpus)
    return corpora


def _orders(recipe: Recipe) -> Iterator[Order]:
    data = recipe.data
    if data.spoken is None:
        return
    keywords = tuple(data.keywords)
    yield Order(keywords, takes=data.spoken.takes_per_keyword, seed=recipe.seed)
    if data.spoken.near_misses and data.unknown:
        takes, count = data.spoken.takes_per_near_miss, data.spoken.near_misses
        # It says the keywords too: by another seed, or they would be takes of the first once more.
        yield Order(keywords, takes=takes, near_misses=count, seed=recipe.seed + 1)


def _key(order: Order) -> str:
    facts = json.dumps([VERSION, asdict(order)])
    return hashlib.sha256(facts.encode()).hexdigest()[:24]

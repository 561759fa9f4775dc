"""Who speaks the synthetic corpus: speakers that differ, and belong to one split each."""

from dataclasses import dataclass

import numpy as np

from kws.data.manifest import TESTING, TRAINING, VALIDATION
from kws.data.speech_commands import split_of

ACCENTS = (
    *("en-us", "en", "en-gb-x-rp", "en-gb-scotland"),
    *("en-029", "en-us-nyc", "en-gb-x-gbclan", "en-gb-x-gbcwmd"),
)
"""English as espeak-ng has it (``en``: British, ``en-029``: Caribbean, the last two: Lancashire
and the West Midlands)."""

MEN = (
    *("", "m1", "m4", "m5", "m7", "m8", "Alex", "Andy", "Denis", "Diogo", "Gene", "Gene2", "Hugo"),
    *("Henrique", "Jacky", "Mario", "Mike", "Storm", "adam", "announcer", "boris", "david"),
    *("ed", "grandpa", "gustave", "iven3", "john", "klatt3", "klatt5", "klatt6", "marcelo"),
    *("miguel", "mike2", "quincy", "rob", "robert", "sandro", "victor"),
)
WOMEN = ("f1", "f3", "steph", "Annie", "belinda")
VALIDATING = ("m6", "f4", "edward", "Michael", "grandma")
TESTED = ("m2", "aunty", "paul", "michel", "benjamin")
PASSAGE = ("m3", "f2", "max", "linda", "Nguyen", "f5")
"""espeak-ng's variants that sound like speech, each with one use; the first two lists are for
training, "" is an accent's own voice.

Left out of its hundred: whispers and croaks, robots, long echoes, odd rhythms, formants moved by a
quarter and more, copies of others, and Reed, whose breath is random and differs at each run.
"""

SPEAKERS = 240
"""Speakers of a corpus. Of each ten in a row, eight are for training, one for validation, one for
testing."""


@dataclass(frozen=True)
class Speaker:
    """A voice: what espeak-ng is told, and how long the vocal tract is made."""

    name: str
    """As in file names, before ``_nohash_``; the split rule reads it."""
    accent: str
    variant: str
    pitch: float
    pitch_range: float
    rate_wpm: float
    size: float
    """Pitch and formants against the variant's own, as a factor; a child's are higher."""


def corpus_cast(seed: int) -> list[Speaker]:
    """Give the corpus's ``SPEAKERS``; no variant serves two splits."""
    pairs = zip(MEN, WOMEN * len(MEN), strict=False)  # as many women as men, in turn
    training = [variant for pair in pairs for variant in pair]
    pools = {TRAINING: training, VALIDATION: list(VALIDATING), TESTING: list(TESTED)}
    taken = dict.fromkeys(pools, 0)
    speakers = []
    for index in range(SPEAKERS):
        split = {8: VALIDATION, 9: TESTING}.get(index % 10, TRAINING)
        turn, pool = taken[split], pools[split]
        taken[split] += 1
        accent = ACCENTS[(turn + turn // len(pool)) % len(ACCENTS)]
        speakers.append(_speaker(index, accent, pool[turn % len(pool)], split, seed))
    return speakers


def passage_cast(seed: int) -> list[Speaker]:
    """Give the speakers of the test passage, whose variants the corpus never uses."""
    return [
        _speaker(SPEAKERS + index, ACCENTS[index % 4], variant, TESTING, seed, rates_wpm=(115, 145))
        for index, variant in enumerate(PASSAGE)
    ]


def name_in(split: str, prefix: str) -> str:
    """A speaker's name that the hash rule of Speech Commands puts into ``split``."""
    last = next(number for number in range(10_000) if split_of(f"{prefix}{number}") == split)
    return f"{prefix}{last}"


def _speaker(
    index: int,
    accent: str,
    variant: str,
    split: str,
    seed: int,
    rates_wpm: tuple[float, float] = (115, 170),
) -> Speaker:
    rng = np.random.default_rng([seed, index])
    name = f"espeak{index:03d}_{accent}_{variant or 'own'}_"
    return Speaker(
        name=name_in(split, name),
        accent=accent,
        variant=variant,
        pitch=rng.uniform(32, 68),
        pitch_range=rng.uniform(30, 75),
        rate_wpm=rng.uniform(*rates_wpm),
        size=rng.uniform(0.93, 1.1),
    )

"""What a speaking machine is to say: checked before anything is said."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kws.data.espeak import Espeak
from kws.data.near_misses import NearMiss, Neighbourhood
from kws.data.phonemes import pronounce
from kws.data.sentences import SENTENCES
from kws.data.streams import holds
from kws.data.voices import Voice
from kws.errors import DataError
from kws.files import write_table
from kws.recipe_data import SILENCE, UNKNOWN

_LONGEST_NAME = 60


@dataclass(frozen=True)
class Order:
    """What is wanted."""

    keywords: tuple[str, ...] = ()
    """Words to be spotted; ``hey_marvin`` is spoken as two words."""
    texts: tuple[str, ...] = ()
    """Anything else that is to be said, each text a label of its own."""
    takes: int = 50
    """Clips of each keyword."""
    other_takes: int | None = None
    """Clips of each text and near miss; None is as many."""
    near_misses: int = 0
    """For each keyword."""
    sentences: bool = False
    """Also make test streams; each keyword is in ``takes`` sentences."""
    seed: int = 1


@dataclass(frozen=True)
class Script:
    """An order that can be carried out."""

    keywords: dict[str, str]
    """Label, and how it is spoken."""
    texts: dict[str, str]
    with_keywords: list[str]
    """Texts with a keyword in them, for streams only: as clips they would count as unknown."""
    near_misses: list[NearMiss]


def check_order(order: Order, voices: Sequence[Voice]) -> Script:
    """Make sure that everything can be said, and find the near misses.

    Raises
    ------
    DataError
        When nothing or something twice is to be said, a label is not possible, a text says
        nothing in one of the voices' languages, or a text holds a keyword and there are to be no
        streams.
    """
    _check_numbers(order)
    keywords = _keywords(order.keywords)
    inside = [text for text in order.texts if any(holds(text, w) for w in keywords.values())]
    if inside and not order.sentences:
        raise DataError(
            f"the text {inside[0]!r} holds a keyword, but its clips would count as unknown; "
            "take it out, or add --sentences to have it in the test streams alone"
        )
    texts = _texts([text for text in order.texts if text not in inside], keywords)
    languages = list(dict.fromkeys(voice.language for voice in voices))
    with Espeak() as engine:
        for text in (*keywords.values(), *texts.values(), *inside):
            for language in languages:
                pronounce(engine, text, language)
        found = _near_misses(order, engine, list(keywords.values()), texts, languages)
    return Script(keywords, texts, inside, found)


def write_near_misses(folder: Path, near_misses: Sequence[NearMiss]) -> None:
    """Write ``near_misses.csv``: what was chosen for each keyword, and how near it is."""
    columns = ("keyword", "word", "ipa", "language", "change", "distance")
    rows = []
    for miss in near_misses:
        spoken = miss.pronunciation
        facts = (miss.keyword, miss.text, spoken.ipa, spoken.language, miss.change)
        rows.append((*facts, f"{miss.distance:.2f}"))
    write_table(folder / "near_misses.csv", columns, rows)


def _check_numbers(order: Order) -> None:
    if not order.keywords and not order.texts:
        raise DataError("nothing to say; give --keywords or --text")
    if order.takes < 1:
        raise DataError(f"--takes {order.takes}, expected at least 1")
    if order.other_takes is not None and order.other_takes < 1:
        raise DataError(f"--other-takes {order.other_takes}, expected at least 1")
    if order.near_misses < 0:
        raise DataError(f"--near-misses {order.near_misses}, expected 0 or more")
    if order.seed < 0:
        raise DataError(f"--seed {order.seed}, expected 0 or more")
    for name, wanted in (("near-misses", order.near_misses), ("sentences", order.sentences)):
        if wanted and not order.keywords:
            raise DataError(f"--{name} needs --keywords: near what, and with which words?")


def _keywords(given: Sequence[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for keyword in given:
        label = "_".join(keyword.split())
        if not re.fullmatch(r"[^\W_][^/\\]*", label) or len(label) > _LONGEST_NAME:
            raise DataError(
                f"keyword {keyword!r}: expected a word or a few, at most {_LONGEST_NAME} letters, "
                "beginning with a letter or digit and without slashes"
            )
        if label.casefold() in (UNKNOWN, SILENCE):
            raise DataError(f"keyword {keyword!r}: a label of every model; choose another word")
        if label.casefold() in (other.casefold() for other in labels):
            raise DataError(f"keyword {keyword!r} is given twice; leave one out")
        labels[label] = label.replace("_", " ")
    return labels


def _texts(given: Sequence[str], keywords: dict[str, str]) -> dict[str, str]:
    """A label for each text, which is a folder's name as well."""
    labels: dict[str, str] = {}
    for text in given:
        words = "_".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.casefold()))
        if not words:
            raise DataError(f"the text {text!r} says nothing; write words as they are spoken")
        name = words[:_LONGEST_NAME]
        if name in (UNKNOWN, SILENCE):
            raise DataError(f"the text {text!r}: a label of every model; choose another text")
        if name in labels or name in keywords:
            raise DataError(
                f"the text {text!r} is given twice, or begins like another for {_LONGEST_NAME} "
                "letters; leave one out"
            )
        labels[name] = text
    return labels


def _near_misses(
    order: Order, engine: Espeak, keywords: list[str], texts: dict[str, str], languages: list[str]
) -> list[NearMiss]:
    if not order.near_misses:
        return []
    known = list(texts.values())
    if all(language.startswith("en") for language in languages):
        known += SENTENCES
    words = sorted({word for text in known for word in re.findall(r"[^\W\d_]+", text.lower())})
    around = Neighbourhood(engine, keywords, languages, words)
    return [miss for one in keywords for miss in around.near_misses(one, order.near_misses)]

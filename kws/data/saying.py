"""A corpus by speaking machines: words and sentences, many voices, near misses, test streams."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kws.audio import io
from kws.audio.noise import at_level, coloured_noise
from kws.data.manifest import Clip
from kws.data.manifest_file import NAME, write_manifest
from kws.data.near_misses import NearMiss
from kws.data.phonemes import Pronunciation
from kws.data.saying_order import Order, Script, check_order, write_near_misses
from kws.data.speaking import write_all
from kws.data.spoken_record import earlier
from kws.data.streams import FOLDER, LEVEL_DB, script, write_stream
from kws.data.takes import AFTER_S, EDGE_S
from kws.data.voices import RATE_HZ, Voice, at_once, in_turn
from kws.files import write_json
from kws.progress import progress

FACTS = "say.json"
VERSION = 1
"""Raise it when the same order gives other clips."""
SHORTEST_S = 1.0
"""Length of a clip, unless what is said takes longer."""
NEAR_FOLDER = "near_"
"""Before a keyword: the folder of its non-words, which are ``unknown`` in the manifest."""
_FLOOR_DB = (-75.0, -55.0)


@dataclass(frozen=True)
class Take:
    """One clip to be spoken."""

    path: Path
    label: str
    voice: Voice
    text: str | Pronunciation
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Corpus:
    """What is there in the end."""

    clips: list[Clip]
    spoken: int
    """Clips that were not there before."""
    near_misses: list[NearMiss]
    streams: list[tuple[Path, float]]
    """Test streams and their lengths in seconds."""


def say_corpus(order: Order, voices: Sequence[Voice], folder: Path) -> Corpus:
    """Speak a corpus into ``folder``, or what an earlier call with the same order left out.

    ``<folder>/<word>/<speaker>_nohash_<n>.wav``, at least ``SHORTEST_S`` long, the word towards
    the end; clean but for a faint noise floor, rooms and noises being the recipe's augmentation.
    Non-words stand in ``near_<keyword>``, and ``near_misses.csv`` tells what they are;
    ``manifest.csv`` has all clips, ``_streams_`` the test streams with their label tracks, and
    ``say.json`` what was ordered.

    Raises
    ------
    DataError
        When the order contradicts itself or holds nothing that can be said, a synthesizer is
        missing, or ``folder`` holds something else.
    StorageError
        When a file cannot be written.
    """
    facts = {"version": VERSION, **asdict(order), "voices": sorted(voice.name for voice in voices)}
    streams = _before(folder, facts)
    plan = check_order(order, voices)
    takes = list(_takes(order, plan, voices, folder))
    missing = [take for take in takes if not take.path.is_file()]
    if missing:
        write_json(folder / FACTS, {**facts, "streams": None})
        write_all(_record, missing, "clips", at_once([take.voice for take in missing]))
    if streams is None:
        streams = _streams(order, plan, voices, folder) if order.sentences else []
    clips = [Clip(t.path, t.label, t.voice.name, t.voice.split) for t in takes]
    if plan.near_misses:
        write_near_misses(folder, plan.near_misses)
    if not (folder / NAME).is_file():  # it may have been edited since
        write_manifest(folder / NAME, clips)
    named = [[path.name, round(seconds, 3)] for path, seconds in streams]
    write_json(folder / FACTS, {**facts, "streams": named})
    return Corpus(clips, len(missing), plan.near_misses, streams)


def _before(folder: Path, facts: dict[str, Any]) -> list[tuple[Path, float]] | None:
    """The streams that an earlier call finished, or None; refuse a folder of other things."""

    def parse(named: Any) -> list[tuple[Path, float]] | None:
        return named and [(folder / FOLDER / name, float(length)) for name, length in named]

    streams = earlier(folder / FACTS, facts, "streams", parse)
    tracks = [path.with_suffix(".txt") for path, _ in streams or []]
    there = all(path.is_file() for path in [*tracks, *(path for path, _ in streams or [])])
    return streams if there else None


def _takes(order: Order, plan: Script, voices: Sequence[Voice], folder: Path) -> Iterator[Take]:
    """Share what is to be said among the voices, each text's from another ten of voices on."""
    said: list[tuple[str, str, str | Pronunciation, Sequence[Voice]]] = []
    everybody = in_turn(voices)
    others = order.takes if order.other_takes is None else order.other_takes
    for label, text in (plan.keywords | plan.texts).items():
        said.append((label, label, text, everybody))
    labels = {text: label for label, text in plan.keywords.items()}
    for miss in plan.near_misses:
        if miss.text:
            said.append((miss.text, miss.text, miss.text, everybody))
            continue
        language = miss.pronunciation.language
        cast = in_turn([voice for voice in voices if voice.language == language])
        place = NEAR_FOLDER + labels[miss.keyword]
        said.append((place, "unknown", miss.pronunciation, cast))
    count: Counter[tuple[str, str]] = Counter()
    for index, (place, label, what, who) in enumerate(said):
        for take in range(order.takes if label in plan.keywords else others):
            voice = who[(70 * index + take) % len(who)]
            name = f"{voice.name}_nohash_{count[place, voice.name]}.wav"
            count[place, voice.name] += 1
            yield Take(folder / place / name, label, voice, what, (order.seed, 1, index, take))


def _record(take: Take) -> None:
    io.write(take.path, _clip(take), RATE_HZ)


def _clip(take: Take) -> np.ndarray:
    """What is said without the silence around it, towards the end of a clip."""
    rng = np.random.default_rng(take.seed)
    speech = take.voice.say(take.text, rng)
    word = speech.audio[speech.words[0].start : speech.words[-1].end]
    word = at_level(word, rng.uniform(*LEVEL_DB), RATE_HZ)
    edge, after = round(EDGE_S * RATE_HZ), round(rng.uniform(*AFTER_S) * RATE_HZ)
    samples = round(SHORTEST_S * RATE_HZ)
    room = samples - edge - len(word)
    if room < edge:
        samples = edge + len(word) + after
    else:
        after = max(edge, min(after, room))
    clip = coloured_noise(samples, rng.uniform(0, 2), rng, RATE_HZ)
    clip *= np.float32(10 ** (rng.uniform(*_FLOOR_DB) / 20) / 0.1)
    clip[samples - after - len(word) : samples - after] += word
    return clip


def _streams(
    order: Order, plan: Script, voices: Sequence[Voice], folder: Path
) -> list[tuple[Path, float]]:
    labels = {text: label for label, text in plan.keywords.items()}
    texts = [*plan.texts.values(), *plan.with_keywords]
    both = script(labels, texts, voices, order.takes, order.seed)
    files: list[tuple[Path, float]] = []
    with progress("speaking test streams", len(both[0]) + len(both[1]), "sentences") as advance:
        for name, lines in zip(("with_keywords", "without_keywords"), both, strict=True):
            written = write_stream(folder / FOLDER, name, lines, advance)
            files += [(one.path, one.seconds) for one in written]
    return files

"""A corpus that speaks itself: keywords, other words, sentences and noises, without any data."""

import hashlib
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import joblib
import numpy as np
import soundfile

from kws.audio.noise import coloured_noise, hum
from kws.data.cast import SPEAKERS, Speaker, corpus_cast
from kws.data.effects import babble
from kws.data.espeak import Espeak
from kws.data.folder import NOISE_FOLDER
from kws.data.takes import Booth
from kws.errors import DataError, RecipeError
from kws.files import storage_error, write_json
from kws.progress import progress
from kws.recipe_data import DataConfig, SyntheticConfig

VERSION = 1
"""Raise it when the same recipe gives other clips: corpora made before are then made anew."""

FACTS = "corpus.json"
SENTENCES, PIECES = "sentence_pieces", "keyword_pieces"
NOISE_S = 30.0
COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0}  # power falls as 1 / frequency ** exponent
_OURS = re.compile(
    rf"[^/]+/espeak\d{{3}}_[^/]+_nohash_\d+\.flac|\.?corpus(\.\d+)?\.json"
    rf"|{NOISE_FOLDER}/({'|'.join(COLOURS)}|hum|babble)\.flac"
)


@dataclass(frozen=True)
class Line:
    """What a speaker is to say, how, and into which folder it goes."""

    label: str
    kind: Literal["keyword", "word", "piece", "sentence"]
    text: str


@dataclass(frozen=True)
class Job:
    """All that one speaker says."""

    speaker: Speaker
    lines: tuple[Line, ...]
    sentences: list[str]
    """Their words stand around keywords in running speech."""
    sample_rate_hz: int
    samples: int
    seed: tuple[int, int]


def make_corpus(data: DataConfig, sample_rate_hz: int, folder: Path, seed: int) -> bool:
    """Speak the corpus of ``data.synthetic`` into ``folder``, or keep the one that is there.

    ``<folder>/<label>/<speaker>_nohash_<n>.flac``, clips of ``data.clip_ms``: keywords alone and
    cut from running speech; other words; sentences and pieces of keywords, cut into clips
    (``sentence_pieces``, ``keyword_pieces``); noises in ``_background_noise_``. Speakers are
    named so that the hash rule of Speech Commands gives eight of ten to training, one to
    validation and one to testing. ``corpus.json`` tells whether the corpus is complete and what
    it was made of; one that was cut short, or made of something else, is made anew.

    Returns
    -------
    Whether it was spoken; False where a complete one was kept.

    Raises
    ------
    RecipeError
        When the recipe has no such section, or its words contradict each other.
    DataError
        When ``folder`` holds files that did not come from here, or espeak-ng is missing.
    StorageError
        When a clip cannot be written.
    """
    config = check_words(data)
    with Espeak() as engine:
        version = engine.version
    made_of = [data.keywords, data.clip_ms, config.model_dump(exclude={"passage"})]
    made_of += [sample_rate_hz, seed, VERSION, version]
    fingerprint = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
    facts = {"made_by": f"kws, spoken by espeak-ng {version}", "fingerprint": fingerprint}
    if _complete(folder, fingerprint):
        return False
    _clear(folder)
    write_json(folder / FACTS, {**facts, "files": None})  # not complete yet
    jobs = _jobs(data, config, sample_rate_hz, seed)
    processes = max(1, min(joblib.cpu_count(), len(jobs) // 20))  # starting one takes a second
    files = _make_noises(jobs, folder)
    with progress("speaking the corpus", sum(len(job.lines) for job in jobs), "takes") as advance:
        for takes, clips in joblib.Parallel(processes, return_as="generator_unordered")(
            joblib.delayed(_record)(job, folder) for job in jobs
        ):
            files += clips
            advance(takes)
    write_json(folder / FACTS, {**facts, "files": files})
    return True


def check_words(data: DataConfig) -> SyntheticConfig:
    """Give ``data.synthetic``; refuse words that would be both keyword and unknown.

    Raises
    ------
    RecipeError
        When the section is missing, or a keyword stands among other words or in a sentence.
    """
    config = data.synthetic
    if config is None:
        raise RecipeError("the recipe has no data.synthetic section: give recordings with --data")
    keywords = {keyword.lower() for keyword in data.keywords}
    for word in config.other_words:
        if word.lower() in keywords:
            raise RecipeError(f"data.synthetic.other_words: {word!r} is a keyword, remove it")
        if word in (SENTENCES, PIECES):
            raise RecipeError(f"data.synthetic.other_words: {word!r} is a folder of the corpus")
    for sentence in config.sentences:
        words = " ".join(["", *re.findall(r"[\w']+", sentence.lower()), ""])
        for keyword in data.keywords:
            if f" {_spoken(keyword).lower()} " in words:
                raise RecipeError(
                    f"data.synthetic.sentences: {sentence!r} contains the keyword {keyword!r}, but "
                    "its pieces become unknown speech; say it without"
                )
    return config


def _jobs(data: DataConfig, config: SyntheticConfig, sample_rate_hz: int, seed: int) -> list[Job]:
    """Share the takes among the speakers, each text's from another ten of speakers on."""
    many, some, few = config.takes_per_keyword, config.takes_per_word, config.takes_per_sentence
    texts = [(Line(word, "keyword", _spoken(word)), many) for word in data.keywords]
    texts += [(Line(PIECES, "piece", _spoken(word)), some) for word in data.keywords]
    texts += [(Line(word, "word", _spoken(word)), some) for word in config.other_words]
    texts += [(Line(SENTENCES, "sentence", text), few) for text in config.sentences]
    lines: defaultdict[int, list[Line]] = defaultdict(list)
    for index, (line, takes) in enumerate(texts):
        for take in range(takes):
            lines[(70 * index + take) % SPEAKERS].append(line)
    samples = round(data.clip_ms * sample_rate_hz / 1000)
    cast = corpus_cast(seed)
    return [
        Job(cast[who], tuple(lines[who]), config.sentences, sample_rate_hz, samples, (seed, who))
        for who in sorted(lines)
    ]


def _record(job: Job, folder: Path) -> tuple[int, int]:
    """Speak one speaker's lines and write the clips; the number of lines and of clips."""
    rng = np.random.default_rng([*job.seed, 1])
    count: Counter[str] = Counter()
    with Espeak() as engine:
        booth = Booth(engine, job.speaker, job.sample_rate_hz, job.samples, rng)
        for line in job.lines:
            for clip in _take(booth, line, job.sentences):
                name = f"{job.speaker.name}_nohash_{count[line.label]}.flac"
                _write(folder / line.label / name, clip, job.sample_rate_hz)
                count[line.label] += 1
    return len(job.lines), count.total()


def _write(path: Path, audio: np.ndarray, sample_rate_hz: int) -> None:
    """Write a clip without waiting for the disk: ``corpus.json`` tells whether all are there."""
    coded = BytesIO()
    soundfile.write(coded, np.clip(audio, -1, 1), sample_rate_hz, "PCM_16", format="FLAC")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(coded.getvalue())
    except OSError as error:
        raise storage_error(error, path) from error


def _take(booth: Booth, line: Line, sentences: list[str]) -> list[np.ndarray]:
    if line.kind == "sentence":
        return booth.sentence(line.text)
    if line.kind == "piece":
        return [booth.piece(line.text, sentences)]
    if line.kind == "keyword" and booth.rng.random() < 0.5:
        return [booth.carried(line.text, sentences)]
    return [booth.alone(line.text)]


def _make_noises(jobs: list[Job], folder: Path) -> int:
    """Write the background noises; their number."""
    job = jobs[0]
    rng = np.random.default_rng([job.seed[0], SPEAKERS])
    rate, samples = job.sample_rate_hz, round(NOISE_S * job.sample_rate_hz)
    noises = {name: coloured_noise(samples, by, rng, rate) for name, by in COLOURS.items()}
    noises["hum"] = hum(samples, rng, rate) + coloured_noise(samples, 2.0, rng, rate) / 3
    speech = []
    for speaker in corpus_cast(job.seed[0])[:8]:
        with Espeak() as engine:
            booth = Booth(engine, speaker, rate, job.samples, rng)
            speech += [booth.say(sentence)[0] for sentence in rng.choice(job.sentences, 3)]
    noises["babble"] = babble(speech, samples, rng)
    for name, noise in noises.items():
        _write(folder / NOISE_FOLDER / f"{name}.flac", noise, rate)
    return len(noises)


def _complete(folder: Path, fingerprint: str) -> bool:
    """Whether the very corpus is there, with all its files."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        there = sum(_ours(path, folder) for path in folder.glob("*/*.flac"))
        return facts["fingerprint"] == fingerprint and facts["files"] == there
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _clear(folder: Path) -> None:
    """Remove what an earlier corpus left, and only if nothing else is there."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError(f"{folder}: a file, expected a folder for the corpus; change data.folder")
    found = sorted(path for path in folder.rglob("*") if not path.is_dir())
    others = [path for path in found if not _ours(path, folder)]
    if others or (found and not (folder / FACTS).is_file()):
        named = (others or found)[0].relative_to(folder)
        raise DataError(
            f"{folder}: holds {len(others or found)} files that are no part of a corpus made here "
            f"(such as {named}); give that folder with --data to train on it, or choose an empty "
            "or new data.folder for the corpus"
        )
    try:
        for path in found:
            if path.name != FACTS:  # it stays to the end, and tells that the rest is ours
                path.unlink()
        for path in folder.iterdir():
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
    except OSError as error:
        raise storage_error(error, folder) from error


def _ours(path: Path, folder: Path) -> bool:
    return bool(_OURS.fullmatch(path.relative_to(folder).as_posix()))


def _spoken(label: str) -> str:
    return label.replace("_", " ")

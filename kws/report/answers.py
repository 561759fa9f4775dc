"""What a deployed file answers to each validation clip; kept in the run folder for its report.

``model_answers.npz`` beside ``metrics.json`` holds every clip's posteriors in TFLM and, of the
worst mistakes, the sound and the posteriors step by step: the report needs no data folder.
"""

import io
import zipfile
from dataclasses import dataclass, fields
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np

from kws.audio.features import extract
from kws.audio.io import as_int16
from kws.data.examples import CHUNK, list_sources
from kws.data.manifest import VALIDATION
from kws.data.source import Source
from kws.data.variants import clean_making, variants
from kws.errors import AudioError, DataError, RunError
from kws.files import write_bytes
from kws.progress import progress
from kws.recipe import Recipe
from kws.run import RunFolder
from kws.spotting.metrics import confusion_matrix
from kws.tflite.interpreter import Runner

WORST = 12
"""Mistakes that are kept with their sound."""
MOST_AUDIO_BYTES = 800_000
"""Of all of them; long clips are fewer."""


@dataclass(frozen=True)
class Answers:
    """The validation clips, in the order of the data, and what was answered."""

    names: np.ndarray
    """str (clips,), paths within the data folder"""
    truth: np.ndarray
    """int32 (clips,), indices in the labels"""
    posteriors: np.ndarray
    """float32 (clips, labels)"""
    worst: np.ndarray
    """int64 (mistakes,), indices of clips, the worst first"""
    audio: np.ndarray
    """int16 (mistakes, samples), at the model's rate"""
    steps: np.ndarray
    """float32 (mistakes, calls, labels); a window model is called once"""
    fingerprint: np.ndarray
    """str (), the same for the same recordings, whatever they are called"""

    @property
    def given(self) -> np.ndarray:
        """int64 (clips,), the labels that were answered."""
        return self.posteriors.argmax(axis=1)


def answers_path(run: RunFolder, file: str) -> Path:
    """Where the answers of the run's model file of this name are kept."""
    return run.path / f"{Path(file).stem}_answers.npz"


def gather_answers(runner: Runner, root: Path, recipe: Recipe) -> Answers:
    """Let a model classify the validation clips, as its verification does.

    Parameters
    ----------
    root : data folder or manifest. recipe : of the model's training.

    Raises
    ------
    DataError
        As :func:`kws.data.examples.list_sources`; or when not one clip can be read.
    AudioError
        When a clip goes while it is looked at.
    """
    facts = runner.metadata
    config = recipe.data
    sources = list_sources(root, facts.labels, VALIDATION, config.silence_share, config.unseen)
    making = clean_making(facts.features, facts.clip_samples, root)
    kept: list[Source] = []
    posteriors = []
    with progress("answering validation clips", len(sources), "clips") as advance:
        for start in range(0, len(sources), CHUNK):
            readable, audio = [], []
            for source in sources[start : start + CHUNK]:
                try:
                    audio += variants(source, making)
                    readable.append(source)
                except AudioError:  # named where the model was verified, on the same clips
                    continue
            # As many at a time as in verification: a sum's last bit depends on it.
            for features in extract(np.stack(audio), facts.features) if audio else ():
                posteriors.append(runner.classify(features))
                advance()
            kept += readable
    if not kept:
        raise DataError(f"{root}: not one of {len(sources)} validation clips could be read")
    truth = np.array([source.label for source in kept], np.int32)
    answered = np.stack(posteriors)
    most = min(WORST, max(3, MOST_AUDIO_BYTES // (2 * facts.clip_samples)))
    worst = worst_mistakes(answered, truth)[:most]
    sounds = [variants(kept[index], making)[0] for index in worst]
    return Answers(
        names=np.array([_name(source, root) for source in kept]),
        truth=truth,
        posteriors=answered,
        worst=worst,
        audio=np.array([as_int16(sound) for sound in sounds], np.int16),
        steps=np.array([_steps(runner, sound) for sound in sounds], np.float32),
        fingerprint=np.array(_fingerprint(kept, facts.labels)),
    )


def worst_mistakes(posteriors: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Indices of the wrongly answered clips, those first whose answer outdoes the truth most."""
    answers = posteriors.argmax(axis=1)
    rows = np.arange(len(truth))
    margin = posteriors[rows, answers] - posteriors[rows, truth]
    wrong = np.flatnonzero(answers != truth)
    return wrong[np.argsort(-margin[wrong], kind="stable")]


def write_answers(path: Path, answers: Answers) -> None:
    """Write them, whole or not at all; StorageError where that fails."""
    written = io.BytesIO()
    arrays = {field.name: getattr(answers, field.name) for field in fields(Answers)}
    np.savez_compressed(written, **arrays)
    write_bytes(path, written.getvalue())


def read_answers(path: Path, confusion: tuple[tuple[int, ...], ...]) -> Answers | None:
    """Read them; None where there are none, or none of the verification that counted ``confusion``.

    Raises
    ------
    RunError
        When the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            answers = Answers(**{field.name: stored[field.name] for field in fields(Answers)})
        if answers.posteriors.shape != (len(answers.truth), len(confusion)):
            raise ValueError(f"{answers.posteriors.shape} posteriors of {len(confusion)} labels")
        counts = confusion_matrix(answers.truth, answers.given, len(confusion))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{path}: damaged ({type(error).__name__}: {error}); remove it and run "
            f"python tools/convert.py {path.parent} again"
        ) from error
    return answers if counts.tolist() == [list(row) for row in confusion] else None


def _steps(runner: Runner, audio: np.ndarray) -> np.ndarray:
    """The posteriors of each call on a clip, (calls, labels)."""
    facts = runner.metadata
    features = extract(audio, facts.features)
    runner.reset()
    frames = features[len(features) % facts.frames_per_step :]
    calls = frames.reshape(-1, facts.frames_per_step, facts.features.size)
    return np.stack([runner.step(call) for call in calls])


def _name(source: Source, root: Path) -> str:
    if source.path is None:
        return f"silence {source.number + 1}, made from noise"
    return source.name_in(root).encode("utf-8", "replace").decode()


def _fingerprint(sources: list[Source], labels: tuple[str, ...]) -> str:
    """Of the recordings' bytes and labels, and of how much silence was made."""
    contents: dict[Path, str] = {}
    lines = []
    for source in sources:
        if source.path is not None and source.path not in contents:
            try:
                with open(source.path, "rb") as file:
                    contents[source.path] = file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise AudioError(f"{source.path}: cannot be read again ({error})") from error
        content = contents[source.path] if source.path else "silence"
        lines.append(f"{content} {source.start_s} {source.duration_s} {labels[source.label]}\n")
    return sha256("".join(sorted(lines)).encode()).hexdigest()[:16]

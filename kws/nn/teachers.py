"""Teachers: models whose answers a smaller one learns from, trained by their own recipes."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from kws.data.cache import load_examples
from kws.data.examples import Examples
from kws.errors import RecipeError
from kws.files import whole
from kws.nn.answers import by_batches
from kws.nn.fingerprint import clips_fingerprint
from kws.nn.models import KeywordModel, load_model
from kws.progress import progress
from kws.recipe import Recipe
from kws.recipe_data import UNKNOWN
from kws.recipe_io import read_recipe
from kws.run import RunFolder, check_heard, start_run

Teacher = tuple[Recipe, RunFolder]


def find_teachers(recipe: Recipe, data: Path, out: Path) -> list[Teacher]:
    """The teachers that a recipe names, each with its run folder, which is beside the student's.

    Parameters
    ----------
    data, out : the student's data and run folders; that of the run need not be there yet.

    Raises
    ------
    RecipeError
        When a teacher has other classes, or other clips, than the student, or teachers of its own.
    RunError
        When a teacher's folder holds a run of another recipe, or one that heard other clips.
    """
    found = []
    for path in recipe.train.distill.teachers if recipe.train.distill else ():
        teacher = read_recipe(Path(path))
        _check(recipe, teacher, path)
        folder = RunFolder(out.parent / teacher.name)
        if folder.recipe.is_file():
            start_run(folder.path, teacher, resume=True)
        if folder.keras_model.is_file():
            check_heard(folder, data, clips_fingerprint(data, recipe.data.labels))
        found.append((teacher, folder))
    return found


def teachers_answers(
    recipe: Recipe,
    teachers: Sequence[Teacher],
    data: Path,
    training: Examples,
    train: Callable[..., object],
) -> np.ndarray:
    """The teachers' mean posteriors, at the recipe's temperature, of each training example.

    One that is not trained yet, or not to the end, is trained first. What it answers is kept in its
    folder for other students.

    Parameters
    ----------
    recipe : the student's. teachers : one or more, as :func:`find_teachers` gives them.
    training : the student's examples, in all their copies.
    train : :func:`kws.nn.train_recipe.train_recipe`.

    Returns
    -------
    float16 (examples, classes)
    """
    assert recipe.train.distill is not None
    total = np.zeros((len(training.labels), len(recipe.data.labels)))
    for teacher, folder in teachers:
        if not folder.keras_model.is_file():
            train(teacher, data, folder.path, folder.recipe.is_file())
        logits = _logits(recipe, teacher, data, folder, training).astype(np.float64)
        logits = as_student(logits, teacher.data.labels, recipe.data.labels)
        total += _softmax(logits / recipe.train.distill.temperature)
    copies = recipe.augment.copies
    return corrected(total / len(teachers), training.labels, training.own, copies).astype(
        np.float16
    )


def corrected(answers: np.ndarray, labels: np.ndarray, own: int, copies: int) -> np.ndarray:
    """Answers (examples, classes) with the label's in place of those that are wrong on added clips.

    Of its data folder's own clips a teacher may know better than their labels. What a recipe adds
    to them (talk, near misses, synthetic speech) it has mostly never heard, and calls a keyword
    what is none: a student would learn just that.

    Parameters
    ----------
    labels : int (examples,), copy-major.
    own : how many of each copy are the data folder's own; the first ones.
    """
    added = np.arange(len(labels)) % (len(labels) // copies) >= own
    wrong = np.flatnonzero(added & (answers.argmax(axis=1) != labels))
    right = answers.copy()
    right[wrong] = np.eye(answers.shape[1])[labels[wrong]]
    return right


def as_student(logits: np.ndarray, told: tuple[str, ...], labels: tuple[str, ...]) -> np.ndarray:
    """A teacher's logits (clips, told) as those of a student's labels: (clips, labels).

    A word that the student does not tell apart counts as unknown: posteriors add up.
    """
    found = np.full((len(logits), len(labels)), -np.inf)
    for label, column in zip(told, logits.T, strict=True):
        at = labels.index(_heard_as(label, labels))
        found[:, at] = np.logaddexp(found[:, at], column)
    return found


def _heard_as(label: str, labels: tuple[str, ...]) -> str:
    return label if label in labels else UNKNOWN


def _check(recipe: Recipe, teacher: Recipe, path: str) -> None:
    problem, labels = "", recipe.data.labels
    if {_heard_as(label, labels) for label in teacher.data.labels} != set(labels):
        problem = f"its classes are {', '.join(teacher.data.labels)}"
    elif teacher.data.clip_ms != recipe.data.clip_ms:
        problem = f"its clips last {teacher.data.clip_ms} ms"
    elif heard := set(recipe.data.unseen) - set(teacher.data.unseen):
        problem = f"it has heard {', '.join(sorted(heard))}"
    elif teacher.train.distill:
        problem = "it has teachers of its own"
    if problem:
        raise RecipeError(
            f"train.distill.teachers: {path} cannot teach {recipe.name}: {problem}; a teacher has "
            "the student's classes (more words, where the student has unknown), clips and unseen "
            "words, and learns from labels alone"
        )


def _logits(
    recipe: Recipe, teacher: Recipe, data: Path, folder: RunFolder, training: Examples
) -> np.ndarray:
    """What a teacher answers to the student's clips, as the teacher hears them; kept in a file."""
    key = hashlib.sha256(training.key.encode() + folder.keras_model.read_bytes()).hexdigest()[:24]
    path = folder.path / "answers" / f"{key}.npy"
    if path.is_file():
        kept = np.load(path, allow_pickle=False)
        if len(kept) == len(training.labels):
            return kept
    heard = training
    if teacher.features != recipe.features:
        as_teacher = recipe.model_copy(update={"features": teacher.features})
        heard = load_examples(as_teacher, data, "training", folder.cache)
        assert np.array_equal(heard.labels, training.labels)
    logits = _run(load_model(folder.keras_model), heard, teacher.name)
    with whole(path) as temporary, temporary.open("wb") as file:
        np.save(file, logits)
    return logits


def _run(model: KeywordModel, heard: Examples, name: str) -> np.ndarray:
    model.set_mode("float")

    @tf.function(autograph=False, jit_compile=model.compiled)
    def last_logits(batch: tf.Tensor) -> tf.Tensor:
        return model(batch)[0][:, -1]

    parts = []
    with progress(f"asking {name}", len(heard.labels), "clips") as advance:
        for logits in by_batches(last_logits, heard.features):
            parts.append(logits.astype(np.float16))
            advance(len(logits))
    return np.concatenate(parts)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)

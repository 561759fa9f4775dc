"""One whole training: a recipe and a data folder in, a run folder out."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from kws.data.cache import load_examples
from kws.data.examples import Examples
from kws.data.stats import feature_stats
from kws.nn.distribution import Distribution
from kws.nn.epochs import AfterEpoch, Epoch, all_over
from kws.nn.fingerprint import clips_fingerprint
from kws.nn.memory import keep_memory
from kws.nn.models import KeywordModel, build_model
from kws.nn.precision import check_precision
from kws.nn.strategies import distribute, workers_named
from kws.nn.teachers import Teacher, find_teachers, teachers_answers
from kws.nn.training import Clips, fit, save_model
from kws.recipe import Recipe
from kws.run import RunFolder, note_data, note_minutes, start_run


def train_recipe(
    recipe: Recipe,
    data: Path,
    out: Path,
    resume: bool,
    after_epoch: AfterEpoch | None = None,
    tensorboard: bool = False,
) -> tuple[KeywordModel, list[Epoch], tuple[str, ...]]:
    """Train what a recipe describes.

    Where ``after_epoch`` ends the training early there is no ``model.keras``, and ``resume`` goes
    on.

    Returns
    -------
    the model, the history, and a message for each clip that could not be read.

    Raises
    ------
    RunError, DataError
        As :func:`kws.run.start_run` and :func:`kws.data.cache.load_examples` say.
    """
    keep_memory()
    check_precision(recipe)
    distribution = distribute(recipe)
    tf.get_logger().setLevel("ERROR")  # warns of functions traced anew: each is another model
    tf.config.experimental.enable_op_determinism()
    chief = distribution is None or distribution.chief
    with workers_named(distribution):
        teachers = find_teachers(recipe, data, out) if chief else []
        run = start_run(out, recipe, resume) if chief else RunFolder(out)
        training = load_examples(recipe, data, "training", run.cache)
        validation = load_examples(recipe, data, "validation", run.cache)
        own = clips_fingerprint(data, recipe.data.labels)
        if chief:
            note_data(run, data, f"{training.key} {validation.key}", own)
        if distribution is not None:
            distribution.check_clips(own, training.labels, validation.labels)
        stats, classes = feature_stats(training.features), len(recipe.data.labels)
        per_channel = recipe.quantize.weights == "per_channel"
        model = build_model(recipe.model, classes, stats, per_channel, recipe.seed)
        taught = _taught(recipe, teachers, data, training, distribution)
        clips = Clips(training.features, training.labels, taught)
        watched = Clips(validation.features, validation.labels)
        history = fit(model, recipe, clips, watched, run, after_epoch, distribution, tensorboard)
    if chief:
        note_minutes(run, sum(epoch.seconds for epoch in history) / 60)
        if all_over(history, recipe):
            save_model(model, run.keras_model)
    return model, history, (*training.bad, *validation.bad)


def _taught(
    recipe: Recipe,
    teachers: Sequence[Teacher],
    data: Path,
    training: Examples,
    distribution: Distribution | None,
) -> np.ndarray | None:
    """What teachers answer; of several workers the chief asks, and tells the others."""
    if recipe.train.distill is None:
        return None
    file = io.BytesIO()
    if distribution is None or distribution.chief:
        taught = teachers_answers(recipe, teachers, data, training, train_recipe)
        if distribution is None:
            return taught
        np.save(file, taught)
    return np.load(io.BytesIO(distribution.share(file.getvalue())), allow_pickle=False)

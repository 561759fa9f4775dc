"""One whole training: a recipe and a data folder in, a run folder out."""

from pathlib import Path

import tensorflow as tf

from kws.data.cache import load_examples
from kws.data.stats import feature_stats
from kws.nn.models import KeywordModel, build_model
from kws.nn.teachers import teachers_answers
from kws.nn.training import Clips, Epoch, fit, save_model
from kws.recipe import Recipe
from kws.run import note_data, start_run


def train_recipe(
    recipe: Recipe, data: Path, out: Path, resume: bool
) -> tuple[KeywordModel, list[Epoch], tuple[str, ...]]:
    """Train what a recipe describes.

    Returns
    -------
    the model, the history, and a message for each clip that could not be read.

    Raises
    ------
    RunError, DataError
        As :func:`kws.run.start_run` and :func:`kws.data.cache.load_examples` say.
    """
    tf.config.experimental.enable_op_determinism()
    run = start_run(out, recipe, resume)
    training = load_examples(recipe, data, "training", run.cache)
    validation = load_examples(recipe, data, "validation", run.cache)
    note_data(run, data, f"{training.key} {validation.key}")
    per_channel = recipe.quantize.weights == "per_channel"
    stats = feature_stats(training.features)
    model = build_model(recipe.model, len(recipe.data.labels), stats, per_channel, recipe.seed)
    taught = None
    if recipe.train.distill:
        taught = teachers_answers(recipe, recipe.train.distill, data, run, training, train_recipe)
    clips = Clips(training.features, training.labels, taught)
    history = fit(model, recipe, clips, Clips(validation.features, validation.labels), run)
    save_model(model, run.keras_model)
    return model, history, (*training.bad, *validation.bad)

"""A candidate of the search: trained as any recipe is, and forgotten."""

import gc
import shutil
from pathlib import Path

import tf_keras as keras

from kws.data.examples import load_unseen
from kws.data.manifest import VALIDATION
from kws.nn.answers import recipe_predictor
from kws.nn.epochs import AfterEpoch, Epoch, all_over, read_history
from kws.nn.models import KeywordModel
from kws.nn.train_recipe import train_recipe
from kws.recipe import Recipe
from kws.run import RunFolder


def train_candidate(
    recipe: Recipe, data: Path, out: Path, after_epoch: AfterEpoch
) -> tuple[list[Epoch], tuple[str, ...], float | None]:
    """Train into a run folder, going on where a run was stopped.

    Of what was trained before, ``after_epoch`` is told again: a kill may have come between an epoch
    and its verdict.

    Returns
    -------
    the history, a message for each clip that could not be read, and the share of clips of words
    never heard that the model takes for a keyword, 0..1; None where it was ended early, or where
    the data have no such clip.
    """
    run = RunFolder(out)
    before = read_history(run.history) if run.history.is_file() else []
    if any(after_epoch(epoch) for epoch in before) and not all_over(before, recipe):
        return before, (), None
    if not run.recipe.is_file():  # killed before it had begun
        shutil.rmtree(out, ignore_errors=True)
    try:
        begun = run.recipe.is_file()
        model, history, bad = train_recipe(recipe, data, out, begun, after_epoch)
        if not all_over(history, recipe):
            return history, bad, None
        taken, unread = _unseen_taken(model, recipe, data)
        return history, (*bad, *unread), taken
    finally:  # many candidates in one process
        keras.backend.clear_session()
        gc.collect()


def _unseen_taken(
    model: KeywordModel, recipe: Recipe, data: Path
) -> tuple[float | None, tuple[str, ...]]:
    """The share of words never heard that a trained model takes for a keyword; unread clips."""
    which = data, recipe.data.labels, recipe.features, recipe.clip_samples, VALIDATION
    unseen = load_unseen(*which, recipe.data.unseen)
    if not len(unseen.labels):
        return None, unseen.bad
    model.set_mode("float" if recipe.quantize.mode == "none" else "int8")
    answers = recipe_predictor(model, recipe)(unseen.features).argmax(axis=1)
    return float((answers < len(recipe.data.keywords)).mean()), unseen.bad

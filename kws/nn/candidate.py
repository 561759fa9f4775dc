"""A candidate of the search: trained as any recipe is, and forgotten."""

import gc
import shutil
from pathlib import Path

import tf_keras as keras

from kws.nn.epochs import AfterEpoch, Epoch, all_over, read_history
from kws.nn.train_recipe import train_recipe
from kws.recipe import Recipe
from kws.run import RunFolder


def train_candidate(
    recipe: Recipe, data: Path, out: Path, after_epoch: AfterEpoch
) -> tuple[list[Epoch], tuple[str, ...]]:
    """Train into a run folder, going on where a run was stopped.

    Of what was trained before, ``after_epoch`` is told again: a kill may have come between an epoch
    and its verdict.

    Returns
    -------
    the history, and a message for each clip that could not be read.
    """
    run = RunFolder(out)
    before = read_history(run.history) if run.history.is_file() else []
    if any(after_epoch(epoch) for epoch in before) and not all_over(before, recipe):
        return before, ()
    if not run.recipe.is_file():  # killed before it had begun
        shutil.rmtree(out, ignore_errors=True)
    try:
        return train_recipe(recipe, data, out, run.recipe.is_file(), after_epoch)[1:]
    finally:  # many candidates in one process
        keras.backend.clear_session()
        gc.collect()

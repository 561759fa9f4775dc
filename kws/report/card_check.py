"""Whether a model file, its card and the recipe beside them speak of the same model."""

import numpy as np
from pydantic import BaseModel

from kws.data.stats import FeatureStats
from kws.errors import ModelError
from kws.nn.models import build_model
from kws.recipe import Recipe
from kws.report.card_lines import file_lines
from kws.tflite.convert import Converted, convert, read_weights
from kws.tflite.emit_stream import State
from kws.tflite.metadata import Metadata, parse, read_metadata


def check_card(
    card: str, card_file: str, data: bytes, model_file: str, recipe: Recipe, recipe_file: str
) -> None:
    """Check that a card and a recipe are those of a model file; the seed may be another.

    Parameters
    ----------
    card : its text. data : the file's bytes.
    card_file, model_file, recipe_file : where they lie, for messages.

    Raises
    ------
    ModelError
        When the file's own metadata say otherwise than the recipe, or the card otherwise than both.
    """
    metadata = read_metadata(parse(data, model_file), model_file)
    if not metadata.figures:
        raise ModelError(f"{model_file}: no measured figures in it; publish a run that has them")
    made = _untrained(recipe, metadata)
    if difference := _difference(metadata, _with_choice(made.metadata, metadata)):
        raise ModelError(
            f"{model_file}: is not of the recipe {recipe_file} ({difference}); publish a run of it"
        )
    for text in file_lines(recipe, metadata, data, made.weights.count()):
        if text not in card:
            raise ModelError(
                f"{card_file}: does not say {text.strip()!r}, as {model_file} and {recipe_file} "
                "do: it is another file's card, or was changed; publish the run again"
            )


def _with_choice(wanted: Metadata, found: Metadata) -> Metadata:
    """A recipe's facts with the thresholds that were chosen for a file since."""
    if found.threshold_choice is None:
        return wanted
    names = ("threshold", "keyword_thresholds")
    chosen = {name: getattr(found.decoder, name) for name in names}
    decoder = wanted.decoder.model_copy(update=chosen)
    return wanted.with_thresholds(decoder, found.threshold_choice)


def _untrained(recipe: Recipe, metadata: Metadata) -> Converted:
    """What conversion makes of the recipe before any training, in the file's form."""
    size, labels = recipe.features.size, len(recipe.data.labels)
    stats = FeatureStats(np.zeros(size), 1.0, -4.0, 4.0)
    per_channel = recipe.quantize.weights == "per_channel"
    model = build_model(recipe.model, labels, stats, per_channel, recipe.seed)
    model.fold()
    state: State = "internal" if metadata.state == "internal" else "explicit"
    return convert(read_weights(model), recipe, metadata.form, state, metadata.figures)


def _difference(found: BaseModel, wanted: BaseModel, prefix: str = "") -> str:
    """The first fact in which a file and its recipe differ; empty where they agree."""
    for name in type(found).model_fields:
        one, other = getattr(found, name), getattr(wanted, name)
        if isinstance(one, BaseModel) and isinstance(other, BaseModel):
            if inner := _difference(one, other, f"{prefix}{name}."):
                return inner
        elif one != other:
            return f"its {prefix}{name} is {one!r}, of the recipe {other!r}"
    return ""

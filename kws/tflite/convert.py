"""Keras to ``.tflite``: the trained model's weights and ranges, written as int8 operators."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kws.errors import ModelError
from kws.nn.answers import recipe_predictor
from kws.nn.dscnn import SameConv
from kws.nn.layers import Attention
from kws.nn.losses import pools
from kws.nn.models import KeywordModel
from kws.nn.recurrent import Recurrent
from kws.nn.stem import Conv
from kws.recipe import Recipe
from kws.tflite.emit_dscnn import dscnn_macs
from kws.tflite.emit_stream import State, build_stream
from kws.tflite.emit_window import build_window
from kws.tflite.metadata import NAME, Metadata, metadata_json
from kws.tflite.weights import Attend, Convolution, Direction, ModelWeights

Form = Literal["stream", "window"]


@dataclass(frozen=True)
class Converted:
    """A model in one form: the float file, the deployed file, and what is in them."""

    float_data: bytes
    data: bytes
    metadata: Metadata
    weights: ModelWeights


def convert(
    weights: ModelWeights,
    recipe: Recipe,
    form: Form,
    state: State = "explicit",
    figures: dict[str, float | int] | None = None,
) -> Converted:
    """Write both files of a form; ``figures`` go into their metadata.

    Raises
    ------
    ModelError
        When a model that needs the whole window is to be a stream, or one that fires at any moment
        a window.
    """
    if form == "stream" and weights.bidirectional:
        raise ModelError(
            f"recipe {recipe.name}: a bidirectional model reads the window's end first, it cannot "
            "be a stream; use --form window"
        )
    if form == "stream" and not weights.layers:
        raise ModelError(
            f"recipe {recipe.name}: a convolutional model takes the mean over a whole window, it "
            "cannot be a stream; use --form window"
        )
    if form == "stream" and weights.pooling != "last":
        raise ModelError(
            f"recipe {recipe.name}: {weights.pooling} pooling is over a whole window, it cannot be "
            "a stream; use --form window"
        )
    if form == "window" and pools(recipe):
        raise ModelError(
            f"recipe {recipe.name}: trained with loss max_pooling, it answers at any moment, where "
            "a window gives its last alone; use --form stream"
        )
    int8 = recipe.quantize.mode != "none"
    facts = Metadata(
        recipe=recipe.name,
        labels=recipe.data.labels,
        features=recipe.features,
        form=form,
        state=state if form == "stream" else "none",
        precision="int8" if int8 else "float32",
        frames_per_step=weights.stride if form == "stream" else recipe.window_frames,
        clip_ms=recipe.data.clip_ms,
        clip_answer="peak" if pools(recipe) else "last",
        decoder=recipe.decoder,
        macs_per_second=macs_per_second(weights, recipe, form),
        unseen_words=recipe.data.unseen,
        figures=figures or {},
    )
    float_facts = facts.model_copy(update={"precision": "float32", "figures": {}})
    return Converted(_write(weights, float_facts), _write(weights, facts), facts, weights)


def _write(weights: ModelWeights, facts: Metadata) -> bytes:
    int8 = facts.precision == "int8"
    if facts.form == "stream":
        builder = build_stream(weights, facts.state, int8, facts.recipe)  # type: ignore[arg-type]
    else:
        builder = build_window(weights, facts.frames_per_step, int8, facts.recipe)
    builder.add_metadata(NAME, metadata_json(facts))
    return builder.finish()


def macs_per_second(weights: ModelWeights, recipe: Recipe, form: Form) -> int:
    """Multiply-accumulates a second of audio; a window is called once a clip length."""
    head = weights.head_kernel.size
    if form == "stream":
        steps_per_second = recipe.features.frames_per_second / weights.stride
        return round((weights.macs_per_step() + head) * steps_per_second)
    if not weights.layers:
        head += dscnn_macs(weights, recipe.window_frames)
        return round(head * 1000 / recipe.data.clip_ms)
    steps = recipe.window_frames // weights.stride
    if weights.attend:
        head += steps * (weights.attend.kernel.size + len(weights.attend.kernel))
    return round((weights.macs_per_step() * steps + head) * 1000 / recipe.data.clip_ms)


def keras_posteriors(model: KeywordModel, recipe: Recipe, features: np.ndarray) -> np.ndarray:
    """The float model's posteriors (examples, classes) of (examples, frames, size) features."""
    model.set_mode("float")
    return recipe_predictor(model, recipe)(features)


def read_weights(model: KeywordModel) -> ModelWeights:
    """Take the weights, ranges and normalisation out of a Keras model."""
    assert model.folded or not model.stem, "batch normalisation is still on its own"
    directions = [_direction(layer) for layer in model.directions()]
    wide = 2 if model.config.bidirectional else 1
    normalize = model.normalize.get_config()
    blocks = model.stem.by_block() if model.stem else []
    return ModelWeights(
        stem=tuple(tuple(_convolution(conv) for conv in block) for block in blocks),
        layers=tuple(tuple(directions[i : i + wide]) for i in range(0, len(directions), wide)),
        pooling=model.config.pooling,
        attend=_attend(model.attention) if model.attention else None,
        head_kernel=model.head.kernel.numpy(),
        head_bias=model.head.bias.numpy(),
        logits_range=model.head.points.ranges()["logits"],
        mean=np.asarray(normalize["mean"], np.float64),
        deviation=normalize["deviation"],
        feature_range=(normalize["low"], normalize["high"]),
        per_channel=model.per_channel,
    )


def _convolution(layer: Conv) -> Convolution:
    return Convolution(
        kind=layer.kind,
        kernel=layer.kernel.numpy(),
        bias=layer.bias.numpy(),
        taps=layer.taps,
        stride=layer.stride,
        ranges=layer.points.ranges(),
        same=isinstance(layer, SameConv),
    )


def _direction(layer: Recurrent) -> Direction:
    return Direction(
        cell=layer.cell_name,
        kernel=layer.kernel.numpy(),
        recurrent_kernel=layer.recurrent_kernel.numpy() if layer.cell.recurrent else None,
        bias=np.atleast_2d(layer.bias.numpy()),
        units=layer.units,
        ranges=layer.points.ranges(),
    )


def _attend(layer: Attention) -> Attend:
    return Attend(layer.kernel.numpy(), layer.points.ranges())

"""The train and quantize sections of a recipe."""

from typing import Annotated, Literal

from pydantic import Field

from kws.recipe_base import Probability, Section


class DistillConfig(Section):
    """Learning from the answers of other models besides the labels (Hinton et al. 2015)."""

    teachers: Annotated[list[str], Field(min_length=1, max_length=8)]
    """Their recipes, relative to the current folder; each is trained first, and kept."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Of the loss that asks for the teachers' mean posteriors; the rest asks for the labels."""
    temperature: Annotated[float, Field(ge=1, le=20)] = 2.0
    """What logits are divided by, on both sides: how much of the lesser answers is heard."""


class TrainConfig(Section):
    """Float training."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 30
    batch_size: Annotated[int, Field(ge=1, le=8192)] = 128
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.003
    """Highest rate; warms up over the first twentieth, then falls to nothing along a cosine."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    distill: DistillConfig | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of each layer's inputs (but for the features) set to 0, in float training."""
    recurrent_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of units whose state the matrix products do not see in a clip, in float training."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """Largest global norm of a gradient (recurrent nets explode)."""
    carried_state_share: Probability = 0.1
    """Share of training clips that start from the state another clip left, as in a stream.

    It rises from none at the first epoch to this at the last: a fresh model first learns words.
    """
    loss_frames: Annotated[int, Field(ge=1, le=100)] = 5
    """Streams learn on this many last steps of a clip, not the very last alone."""


class QuantizeConfig(Section):
    """How the float model becomes int8."""

    mode: Literal["qat", "calibrate", "none"] = "qat"
    """``qat`` trains on with quantization; ``calibrate`` measures ranges; ``none`` stays float."""
    weights: Literal["per_tensor", "per_channel"] = "per_tensor"
    calibration_clips: Annotated[int, Field(ge=16, le=100_000)] = 1024
    epochs: Annotated[int, Field(ge=1, le=1000)] = 6
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.0005

"""The train and quantize sections of a recipe."""

from typing import Annotated, Literal

from pydantic import Field

from kws.recipe_base import Label, Probability, Section
from kws.recipe_model import ModelConfig

ClassWeight = Annotated[float, Field(gt=0, le=1000)]


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
    optimizer: Literal["adam", "sgd"] = "adam"
    """``sgd`` is with Nesterov's momentum of 0.9."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.003
    """Highest rate, of float training."""
    warm_up: Probability = 0.05
    """Share of float training, and of training with quantization, over which the rate rises."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """After that, the rate falls to nothing along a cosine, or stays."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: dict[Label, ClassWeight] | None = None
    """How much a class's clips count in the loss; 1 where not named."""
    loss: Literal["last", "max_pooling"] = "last"
    """``max_pooling``: a stream learns to fire at any moment (Sun et al. 2016). A clip's answer is
    that of the step where a keyword has its highest posterior, or, where none is ever the likeliest
    label, of the last. It is learned where a keyword has its highest mean over ``loss_frames``
    steps, and, if it is a keyword's, where its own keyword has it, else at the last ones."""
    suppress: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Weight of a loss that asks, at every step, for no keyword but the clip's own.

    Streams answer between words and within them too, where the loss at a clip's end never asks.
    """
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
    Their first ``loss_frames`` steps, which may still be of the word before, are not asked.
    """
    loss_frames: Annotated[int, Field(ge=1, le=100)] = 5
    """Streams learn on this many steps at a clip's end, or at a peak, not on one alone."""
    patience: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Epochs without a better validation accuracy after which a phase ends; none where not given.

    The phases are float training and training with quantization, each with its own best epoch.
    """
    keep: Literal["last", "best"] = "last"
    """Which epoch's weights a phase ends with; ``best``: of the highest validation accuracy."""
    strategy: Literal["none", "mirrored", "multi_worker"] = "none"
    """``mirrored``: on all GPUs of this machine; ``multi_worker``: on those that TF_CONFIG names.

    ``batch_size`` is that of all together.
    """
    mixed_precision: bool = False
    """Float training in float16 on a GPU, with scaled gradients; weights stay float32."""

    def check(self, labels: tuple[str, ...], model: ModelConfig) -> None:
        """Refuse what does not suit the classes or the model.

        Raises
        ------
        ValueError
            When a weight is for no class, a whole-window model is to fire at any moment or to carry
            a state, or states are to be dropped that no matrix product sees.
        """
        strange = sorted((self.class_weights or {}).keys() - set(labels))
        if strange:
            raise ValueError(
                f"train.class_weights: no class {strange[0]!r}; the classes are {', '.join(labels)}"
            )
        if self.recurrent_dropout and model.cell == "mingru":
            raise ValueError(
                f"train.recurrent_dropout {self.recurrent_dropout} hides states from the matrix "
                "products, and those of a mingru see none: set it to 0, or take another model.cell"
            )
        if model.window_only:
            if self.loss == "max_pooling":
                raise ValueError(
                    "train.loss max_pooling is for streams, which answer at every step; this model "
                    "reads whole windows: set loss to last"
                )
            if self.suppress:
                raise ValueError(
                    "train.suppress is for streams, which answer at every step; this model reads "
                    "whole windows: set it to 0"
                )
            if self.carried_state_share:
                raise ValueError(
                    f"train.carried_state_share {self.carried_state_share} is for streams; this "
                    "model reads every window afresh: set it to 0"
                )


class QuantizeConfig(Section):
    """How the float model becomes int8."""

    mode: Literal["qat", "calibrate", "none"] = "qat"
    """``qat`` trains on with quantization; ``calibrate`` measures ranges; ``none`` stays float."""
    weights: Literal["per_tensor", "per_channel"] = "per_tensor"
    calibration_clips: Annotated[int, Field(ge=16, le=100_000)] = 1024
    epochs: Annotated[int, Field(ge=1, le=1000)] = 6
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.0005

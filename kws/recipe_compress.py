"""The compress section of a recipe: what of the recurrent kernels need not be stored."""

from typing import Annotated

from pydantic import Field

from kws.recipe_base import Section
from kws.recipe_model import ModelConfig
from kws.recipe_train import QuantizeConfig, TrainConfig


class PruneConfig(Section):
    """Magnitude pruning of each recurrent kernel, gradually in float training.

    Zhu & Gupta (2017). What is pruned stays zero in training with quantization, and in int8.
    """

    sparsity: Annotated[float, Field(gt=0, le=0.95)]
    """Share of a kernel's weights that end as zero, those of the least magnitude."""


class ClusterConfig(Section):
    """Few values for the weights of each recurrent kernel, in training with quantization.

    Han et al. (2016). A kernel here is what one operator multiplies by, such as a GRU's two gates.
    """

    clusters: Annotated[int, Field(ge=2, le=16)] = 16
    """Different values; 16 are told apart by four bits, 8 by three, 4 by two."""


class CompressConfig(Section):
    """Pruning, clustering, or both: then zero is one of the values."""

    prune: PruneConfig | None = None
    cluster: ClusterConfig | None = None

    def check(self, model: ModelConfig, train: TrainConfig, quantize: QuantizeConfig) -> None:
        """Refuse what cannot be combined with the recipe's other sections.

        Raises
        ------
        ValueError
            When there is no recurrent kernel, when float training may end before pruning does, or
            when clusters are asked for without the training that they need, or without gain.
        """
        if model.architecture != "recurrent" and (self.prune or self.cluster):
            raise ValueError(
                f"compress is for recurrent kernels, and model.architecture {model.architecture} "
                "has none: leave the section out"
            )
        if self.prune and (train.keep == "best" or train.patience is not None):
            raise ValueError(
                "compress.prune: kernels are pruned over most of float training, and its best "
                "epoch may be one before: set train.keep to last and leave train.patience out"
            )
        if self.cluster is None:
            return
        if quantize.mode != "qat":
            raise ValueError(
                f"compress.cluster: kernels of few values are learned in training with "
                f"quantization, and quantize.mode is {quantize.mode}: set it to qat"
            )
        if quantize.weights == "per_channel":
            raise ValueError(
                "compress.cluster: with quantize.weights per_channel each column has a scale, and "
                "its few values, of its own, so that nothing is saved: set it to per_tensor"
            )

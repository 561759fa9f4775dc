"""The model section of a recipe."""

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kws.recipe_base import Section

Taps = Annotated[
    tuple[Annotated[int, Field(ge=1, le=16)], Annotated[int, Field(ge=1, le=64)]],
    Field(description="frames and bands"),
]
Units = Annotated[int, Field(ge=1, le=512)]


class StemBlock(Section):
    """A causal convolution without padding; after the first one depthwise-separable.

    Batch normalisation and ReLU follow each. A block keeps ``kernel - stride`` frames in a stream.
    """

    channels: Annotated[int, Field(ge=1, le=256)]
    kernel: Taps
    stride: Taps = (1, 1)

    @model_validator(mode="after")
    def _no_gaps(self) -> "StemBlock":
        if self.kernel[0] < self.stride[0]:
            raise ValueError(
                f"kernel of {self.kernel[0]} frames, stride of {self.stride[0]}: frames in between "
                "would never be seen; a kernel is at least as long as its stride"
            )
        return self


class ModelConfig(Section):
    """The acoustic model: a stem, recurrent layers, pooling, a dense layer with softmax."""

    architecture: Literal["recurrent", "dscnn"] = "recurrent"
    """``dscnn``: the convolutional model of MLPerf Tiny, to compare with; all else is fixed."""
    stem: Annotated[tuple[StemBlock, ...], Field(max_length=6)] = ()
    """Convolutions before the recurrent layers, bottom up."""
    cell: Literal["gru", "lstm", "rnn", "mingru"] = "gru"
    units: Annotated[list[Units], Field(max_length=3, default_factory=list)]
    """Units of each recurrent layer, bottom up; of each direction where bidirectional."""
    bidirectional: bool = False
    pooling: Literal["last", "mean", "max", "attention"] = "last"
    """What of the frames the answer is made of; a stream has ``last``, at every step."""

    @model_validator(mode="after")
    def _one_architecture(self) -> "ModelConfig":
        if self.architecture == "recurrent" and not self.units:
            raise ValueError(
                "units is missing: a recurrent model has 1 to 3 layers, as units: [48]"
            )
        for key, field in type(self).model_fields.items():
            if self.architecture == "recurrent" or key == "architecture":
                continue
            if getattr(self, key) != field.get_default(call_default_factory=True):
                raise ValueError(
                    f"{key} is for recurrent models; the layers of architecture dscnn are fixed: "
                    f"leave {key} out"
                )
        return self

    @property
    def window_only(self) -> bool:
        """Whether the model reads a whole window at a time, and cannot be a stream."""
        return self.architecture == "dscnn" or self.bidirectional or self.pooling != "last"

    @property
    def stride(self) -> int:
        """Feature frames that one step of the recurrent layers takes."""
        return math.prod(block.stride[0] for block in self.stem)

    def bands(self, size: int) -> int:
        """Bands that come out of the stem, of ``size``; less than 1 where they do not suffice."""
        for block in self.stem:
            size = (size - block.kernel[1]) // block.stride[1] + 1
        return size

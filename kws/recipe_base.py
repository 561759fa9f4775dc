"""What the sections of a recipe are made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Label = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^_/\\\s][^/\\\s]*$")]
Probability = Annotated[float, Field(ge=0, le=1)]
Range = Annotated[tuple[float, float], Field(description="lowest and highest value, in this order")]


class Section(BaseModel):
    """What all sections of a recipe share: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

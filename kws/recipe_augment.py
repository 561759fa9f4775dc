"""The augment section of a recipe: how training clips are varied."""

from typing import Annotated

from pydantic import Field, model_validator

from kws.recipe_base import Probability, Range, Section


class AugmentConfig(Section):
    """How training clips are varied, so that the model holds up in the world."""

    copies: Annotated[int, Field(ge=1, le=100)] = 4
    """Augmented copies of each training clip; the clean clip is not kept besides."""
    shift_ms: Annotated[float, Field(ge=0, le=1000)] = 100.0
    """Largest time shift, either way."""
    speed: Range = (0.85, 1.15)
    """Speed of playing, pitch included: other speakers, in effect."""
    gain_db: Range = (-20.0, 6.0)
    noise_probability: Probability = 0.8
    snr_db: Range = (0.0, 30.0)
    """Signal-to-noise ratio over the clip's loud part."""
    time_masks: Annotated[int, Field(ge=0, le=10)] = 1
    time_mask_frames: Annotated[int, Field(ge=0, le=100)] = 8
    """SpecAugment (Park et al. 2019): widest mask in time."""
    band_masks: Annotated[int, Field(ge=0, le=10)] = 1
    band_mask_bands: Annotated[int, Field(ge=0, le=64)] = 6

    @model_validator(mode="after")
    def _ordered(self) -> "AugmentConfig":
        for name in ("speed", "gain_db", "snr_db"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: {low} to {high} is not a range from low to high")
        if not 0.5 <= self.speed[0] <= self.speed[1] <= 2.0:
            raise ValueError(f"speed: found {self.speed}, expected a range within 0.5 to 2")
        return self

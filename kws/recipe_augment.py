"""The augment section of a recipe: how training clips are varied."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from kws.recipe_base import Probability, Range, Section

Codec = Literal["int16", "telephone", "adpcm", "gsm", "vorbis", "mp3"]
Folder = Annotated[str, StringConstraints(min_length=1)]

_LIMITS = {
    "speed": (0.5, 2.0),
    "pitch_semitones": (-12.0, 12.0),
    "gain_db": (-80.0, 80.0),
    "snr_db": (-40.0, 100.0),
    "babble_snr_db": (-40.0, 100.0),
    "babble_voices": (1, 32),
    "room_rt60_s": (0.1, 3.0),
    "tilt_db_per_octave": (-12.0, 12.0),
    "equalizer_db": (-24.0, 24.0),
    "band_low_hz": (1.0, 24_000.0),
    "band_high_hz": (1.0, 24_000.0),
    "clipping_share": (0.0, 0.9),
}
"""Within what each range must lie."""


class AugmentConfig(Section):
    """How training clips are varied, so that the model holds up in the world.

    In this order: the speaker (pitch), what is said before and after the word (context), speed and
    shift, the room, what else is heard there (babble, noise), the microphone (equalizer, band,
    clipping, gain), what is kept of it (codec). A kind whose probability is 0 draws no random
    number: switching it on leaves the others as they were.
    """

    copies: Annotated[int, Field(ge=1, le=100)] = 4
    """Augmented copies of each training clip; the clean clip is not kept besides."""
    keyword_takes: Annotated[int, Field(ge=1, le=100)] = 1
    """How often each of the data folder's clips of a keyword stands in an epoch, with copies of its
    own each time: for a word of which there are few recordings."""
    shift_probability: Probability = 1.0
    shift_ms: Annotated[float, Field(ge=0, le=1000)] = 100.0
    """Largest time shift, either way."""
    speed_probability: Probability = 1.0
    speed: Range = (0.85, 1.15)
    """Speed of playing, pitch included: other speakers, in effect."""
    gain_probability: Probability = 1.0
    gain_db: Range = (-20.0, 6.0)
    noise_probability: Probability = 0.8
    snr_db: Range = (0.0, 30.0)
    """Signal-to-noise ratio over the clip's loud part."""
    noise_folder: Folder | None = None
    """Noises (WAV, FLAC, Ogg, also in folders below) besides ``_background_noise_``."""

    pitch_probability: Probability = 0.0
    pitch_semitones: Range = (-3.0, 3.0)
    """Higher or lower without being faster or slower."""
    context_probability: Probability = 0.0
    """Other words of training, none of them a keyword, right before the word, after it, or both: as
    in running speech."""
    room_probability: Probability = 0.0
    room_rt60_s: Range = (0.2, 0.6)
    """Time in which a made room's sound falls by 60 dB."""
    impulse_folder: Folder | None = None
    """Room impulse responses, in place of made rooms."""
    babble_probability: Probability = 0.0
    babble_voices: Annotated[
        tuple[int, int], Field(description="fewest and most training clips that talk at once")
    ] = (3, 8)
    babble_snr_db: Range = (5.0, 25.0)
    """Ratio of the clip's loud part to all other voices together."""

    equalizer_probability: Probability = 0.0
    tilt_db_per_octave: Range = (-2.0, 2.0)
    """A microphone's tilt, around 1000 Hz."""
    equalizer_db: Range = (-4.0, 4.0)
    """On top of the tilt: a gain for each octave."""
    band_probability: Probability = 0.0
    band_low_hz: Range = (80.0, 400.0)
    band_high_hz: Range = (2800.0, 7000.0)
    """24 dB an octave outside of the band from ``band_low_hz`` to ``band_high_hz``."""
    clipping_probability: Probability = 0.0
    clipping_share: Range = (0.002, 0.1)
    """Share of the loud part's samples that an overdriven microphone cuts off."""
    codec_probability: Probability = 0.0
    codecs: Annotated[tuple[Codec, ...], Field(min_length=1)] = ("int16", "telephone", "adpcm")
    """One of these is drawn; ``gsm``, ``vorbis`` and ``mp3`` take several times as long."""

    time_masks: Annotated[int, Field(ge=0, le=10)] = 1
    time_mask_frames: Annotated[int, Field(ge=0, le=100)] = 8
    """SpecAugment (Park et al. 2019): widest mask in time."""
    band_masks: Annotated[int, Field(ge=0, le=10)] = 1
    band_mask_bands: Annotated[int, Field(ge=0, le=64)] = 6
    mixup_alpha: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Mixup (Zhang et al. 2018): 0 is none, 0.2 mostly near one of two clips, 1 any mixture."""

    @model_validator(mode="after")
    def _in_range(self) -> "AugmentConfig":
        for name, (least, most) in _LIMITS.items():
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: {low} to {high} is not a range from low to high")
            if not least <= low <= high <= most:
                raise ValueError(
                    f"{name}: found {(low, high)}, expected a range within {least:g} to {most:g}"
                )
        if self.band_low_hz[1] >= self.band_high_hz[0]:
            raise ValueError(
                f"band_low_hz reaches {self.band_low_hz[1]:g}, band_high_hz begins at "
                f"{self.band_high_hz[0]:g}: a band's low end must lie below its high end"
            )
        return self

"""A recipe: everything that decides a model, as validated, frozen data; units are in the names."""

from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from kws.recipe_augment import AugmentConfig
from kws.recipe_base import Section
from kws.recipe_compress import CompressConfig
from kws.recipe_data import DataConfig
from kws.recipe_model import ModelConfig
from kws.recipe_train import QuantizeConfig, TrainConfig


class FeatureConfig(Section):
    """Frame-local features: the same on the desk and on the device.

    Log-mel in decibels: ``10 log10(max(mel power, log_floor))``. MFCC: its orthonormal DCT-II.
    Frames start every ``hop_ms``, the first at sample 0, without padding (``center=False``).
    """

    kind: Literal["log_mel", "mfcc"] = "log_mel"
    sample_rate_hz: Annotated[int, Field(ge=4000, le=48000)] = 16000
    window_ms: Annotated[float, Field(gt=0, le=200)] = 32.0
    """Length of the Hann window."""
    hop_ms: Annotated[float, Field(gt=0, le=200)] = 20.0
    fft_size: Annotated[int, Field(ge=64, le=8192)] = 512
    """FFT length in samples; a shorter window is padded with zeros on both sides."""
    mel_bands: Annotated[int, Field(ge=4, le=128)] = 40
    low_hz: Annotated[float, Field(ge=0)] = 60.0
    high_hz: Annotated[float, Field(gt=0)] = 7600.0
    log_floor: Annotated[float, Field(gt=0, le=1)] = 1e-7
    """Smallest mel power that is told from silence."""
    coefficients: Annotated[int, Field(ge=2, le=128)] | None = None
    """Number of MFCC kept (MFCC only; 13 where not given)."""

    @model_validator(mode="after")
    def _consistent(self) -> "FeatureConfig":
        if self.window_samples > self.fft_size:
            raise ValueError(
                f"window_ms {self.window_ms} is {self.window_samples} samples, more than "
                f"fft_size {self.fft_size}: shorten the window or enlarge fft_size"
            )
        if not self.low_hz < self.high_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"low_hz {self.low_hz} < high_hz {self.high_hz} <= half of sample_rate_hz "
                f"{self.sample_rate_hz} does not hold"
            )
        if self.hop_samples < 1 or self.window_samples < 2:
            raise ValueError("window_ms and hop_ms must be at least a sample or two long")
        if self.kind == "log_mel" and self.coefficients is not None:
            raise ValueError("coefficients is for kind: mfcc; log_mel has mel_bands values a frame")
        if self.kind == "mfcc" and self.size > self.mel_bands:
            raise ValueError(f"coefficients {self.size} is more than mel_bands {self.mel_bands}")
        return self

    @property
    def window_samples(self) -> int:
        return round(self.window_ms * self.sample_rate_hz / 1000)

    @property
    def hop_samples(self) -> int:
        return round(self.hop_ms * self.sample_rate_hz / 1000)

    @property
    def size(self) -> int:
        """Values a frame."""
        return self.mel_bands if self.kind == "log_mel" else self.coefficients or 13

    @property
    def frames_per_second(self) -> float:
        return self.sample_rate_hz / self.hop_samples

    def frames(self, samples: int) -> int:
        """Number of whole frames in ``samples`` samples."""
        return max(0, 1 + (samples - self.fft_size) // self.hop_samples)


class DecoderConfig(Section):
    """From posteriors to detections."""

    smoothing_ms: Annotated[float, Field(gt=0, le=5000)] = 200.0
    """Length of the moving average over posteriors."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.7
    """Average posterior from which a keyword is detected."""
    refractory_ms: Annotated[float, Field(ge=0, le=60_000)] = 1000.0
    """After a detection the same keyword is not reported for this long, and another keyword only if
    its score is no lower than any of the first one since."""
    keyword_thresholds: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=dict)
    """For single keywords, instead of ``threshold``."""

    def threshold_of(self, keyword: str) -> float:
        """The threshold of one keyword."""
        return self.keyword_thresholds.get(keyword, self.threshold)


class Recipe(Section):
    """A whole recipe."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    description: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    data: DataConfig
    features: FeatureConfig = FeatureConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig
    train: TrainConfig = TrainConfig()
    quantize: QuantizeConfig = QuantizeConfig()
    compress: CompressConfig = CompressConfig()
    decoder: DecoderConfig = DecoderConfig()

    @model_validator(mode="after")
    def _fits(self) -> "Recipe":
        if self.clip_frames < 2:
            raise ValueError(
                f"data.clip_ms {self.data.clip_ms} holds {self.clip_frames} frames of "
                "features.fft_size and hop_ms: at least two are needed"
            )
        if self.model.bands(self.features.size) < 1:
            raise ValueError(
                "model.stem: its kernels and strides take more bands than the "
                f"{self.features.size} of a frame: make them smaller"
            )
        if self.clip_frames < 2 * self.model.stride:
            raise ValueError(
                f"model.stem: a step takes {self.model.stride} frames, a clip has "
                f"{self.clip_frames}: at least two steps are needed"
            )
        if self.model.architecture == "dscnn":
            for key in ("carried_state_share", "dropout", "recurrent_dropout"):
                if value := getattr(self.train, key):
                    raise ValueError(
                        f"train.{key} {value} is for recurrent models; architecture dscnn reads "
                        "every window afresh and drops out by shares of its own: set it to 0"
                    )
        if self.augment.context_probability and not self.data.unknown:
            raise ValueError(
                "augment.context_probability lays words of the class unknown beside others, but "
                "data.unknown is false: set one of them otherwise"
            )
        for keyword in self.decoder.keyword_thresholds:
            if keyword not in self.data.keywords:
                raise ValueError(
                    f"decoder.keyword_thresholds: {keyword!r} is no keyword"
                    f"{nearest(keyword, list(self.data.keywords))}"
                )
        self.train.check(self.data.labels, self.model)
        self.compress.check(self.model, self.train, self.quantize)
        return self

    @property
    def clip_samples(self) -> int:
        return round(self.data.clip_ms * self.features.sample_rate_hz / 1000)

    @property
    def clip_frames(self) -> int:
        return self.features.frames(self.clip_samples)

    @property
    def window_frames(self) -> int:
        """The last frames of a clip, as many as fill whole steps of the model."""
        return self.clip_frames - self.clip_frames % self.model.stride


def nearest(name: str, known: list[str]) -> str:
    """Give ``", did you mean 'x'?"`` for the known name nearest to ``name``, or nothing."""
    found = get_close_matches(name, known, n=1, cutoff=0.6)
    return f", did you mean {found[0]!r}?" if found else f" (known: {', '.join(sorted(known))})"

"""A recipe: everything that decides a model, as validated, frozen data; units are in the names."""

from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from kws.recipe_augment import AugmentConfig
from kws.recipe_base import Label, Probability, Section
from kws.recipe_model import ModelConfig

UNKNOWN, SILENCE = "unknown", "silence"


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


class SyntheticConfig(Section):
    """A corpus that the toolkit speaks itself (espeak-ng), for a first run without any data."""

    other_words: Annotated[list[Label], Field(min_length=1)]
    sentences: Annotated[list[str], Field(min_length=1)]
    """Sentences without keywords; cut into clips, they become unknown speech."""
    takes_per_keyword: Annotated[int, Field(ge=10, le=100_000)] = 240
    takes_per_word: Annotated[int, Field(ge=1, le=100_000)] = 24
    takes_per_sentence: Annotated[int, Field(ge=1, le=100_000)] = 12
    passage: Annotated[list[str], Field(min_length=1)]
    """What is said in the test passage, by voices that the corpus does not use."""


class DataConfig(Section):
    """Which words, and where the clips come from."""

    keywords: Annotated[list[Label], Field(min_length=1, max_length=60)]
    folder: str | None = None
    """Data folder where ``--data`` is not given, relative to the current folder."""
    clip_ms: Annotated[float, Field(ge=100, le=10_000)] = 1000.0
    unknown: bool = True
    """Whether other words are a class; without it their clips are left out."""
    silence_share: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Silence clips, as a share of all clips of a split; 0: silence is no class."""
    max_bad_fraction: Probability = 0.01
    """Training stops if more than this share of the clips cannot be read."""
    synthetic: SyntheticConfig | None = None

    @model_validator(mode="after")
    def _distinct(self) -> "DataConfig":
        reserved = {UNKNOWN, SILENCE} & set(self.keywords)
        if reserved:
            raise ValueError(f"{sorted(reserved)[0]!r} is a class of its own, not a keyword")
        if len(set(self.keywords)) != len(self.keywords):
            raise ValueError("a keyword stands twice in the list")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes in the order of the model's outputs: keywords, unknown, silence."""
        others = ((UNKNOWN, self.unknown), (SILENCE, self.silence_share > 0))
        return (*self.keywords, *(label for label, wanted in others if wanted))


class TrainConfig(Section):
    """Float training."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 30
    batch_size: Annotated[int, Field(ge=1, le=8192)] = 128
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.003
    """Highest rate; warms up over the first twentieth, then falls to nothing along a cosine."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
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


class DecoderConfig(Section):
    """From posteriors to detections."""

    smoothing_ms: Annotated[float, Field(gt=0, le=5000)] = 200.0
    """Length of the moving average over posteriors."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.7
    """Average posterior from which a keyword is detected."""
    refractory_ms: Annotated[float, Field(ge=0, le=60_000)] = 1000.0
    """After a detection nothing more is reported for this long."""


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
        if self.model.bidirectional and self.train.carried_state_share:
            raise ValueError(
                f"train.carried_state_share {self.train.carried_state_share} is for streams; a "
                "bidirectional model reads every window afresh: set it to 0"
            )
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

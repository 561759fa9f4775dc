"""What a ``.tflite`` file says of itself: JSON in TFLite's own metadata table.

Everything downstream (evaluation, the microphone, firmware) needs the one file alone.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from ai_edge_litert import schema_py_generated as schema
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kws.errors import ModelError
from kws.recipe import DecoderConfig, FeatureConfig
from kws.recipe_data import SILENCE, UNKNOWN

NAME = "kws"
VERSION = 1
_AT_THRESHOLDS = ("threshold_validation_accuracy", "unseen_taken_at_threshold")
"""Figures that are measured at the decoder's thresholds"""


class ThresholdChoice(BaseModel):
    """What the decoder's thresholds were chosen for, and what they gave where they were chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wanted_per_hour: float
    """At most so many false accepts"""
    hours: float
    """Of audio, in which they were chosen"""
    false_accepts: int
    false_accepts_per_hour: tuple[float, float]
    """95 % interval"""
    said: int
    """Keywords in that audio"""
    missed: int
    missed_share: tuple[float, float]
    """95 % interval, 0..1"""


class Metadata(BaseModel):
    """The facts of a deployed model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    recipe: str
    labels: tuple[str, ...]
    """In the order of the posteriors; keywords, then ``unknown`` and ``silence``."""
    features: FeatureConfig
    form: Literal["stream", "window"]
    state: Literal["explicit", "internal", "none"]
    """Of a stream: tensors of its own, or kept inside. A window has none."""
    precision: Literal["int8", "float32"]
    frames_per_step: Annotated[int, Field(ge=1)]
    """Feature frames that one call takes: 1 in a stream, the whole window otherwise."""
    clip_ms: Annotated[float, Field(gt=0)]
    """Length of a training clip: what a keyword fits into."""
    clip_answer: Literal["last", "peak"] = "last"
    """Which of a stream's steps answers for a clip: the last, or where a keyword is surest."""
    decoder: DecoderConfig
    threshold_choice: ThresholdChoice | None = None
    """None where the decoder's thresholds are the recipe's."""
    macs_per_second: int
    """Multiply-accumulates a second of audio (a window called once a clip length)."""
    unseen_words: tuple[str, ...] = ()
    """Words that were kept out of training, for evaluation to judge the model by."""
    figures: dict[str, float | int] = {}
    """What was measured when the file was verified."""

    @property
    def keywords(self) -> tuple[str, ...]:
        """The first of the labels."""
        return tuple(label for label in self.labels if label not in (UNKNOWN, SILENCE))

    @property
    def clip_samples(self) -> int:
        return round(self.clip_ms * self.features.sample_rate_hz / 1000)

    @property
    def clip_frames(self) -> int:
        return self.features.frames(self.clip_samples)

    def with_thresholds(self, decoder: DecoderConfig, choice: ThresholdChoice | None) -> "Metadata":
        """The same model with chosen thresholds, without figures measured at those before."""
        figures = {name: one for name, one in self.figures.items() if name not in _AT_THRESHOLDS}
        changed = {"decoder": decoder, "threshold_choice": choice, "figures": figures}
        return self.model_copy(update=changed)


def read_bytes(path: Path) -> bytes:
    """Read a model file.

    Raises
    ------
    ModelError
        When it is missing, unreadable, no TFLite file, or cut short.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such model file; tools/convert.py writes one") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    if data[4:8] != b"TFL3":
        raise ModelError(f"{path}: not a TFLite model (no TFL3 mark); expected a .tflite file")
    return data


def parse(data: bytes, where: str) -> schema.ModelT:
    """The flatbuffer as objects.

    Raises
    ------
    ModelError
        When the bytes are damaged; ``where`` begins the message.
    """
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
        used = [graph for graph in model.subgraphs if graph.tensors and graph.operators]
        if not used or not model.buffers:
            raise ValueError("no graph in it")
    except Exception as error:  # the flatbuffer reader raises whatever the bytes lead it to
        raise ModelError(
            f"{where}: damaged or cut short ({type(error).__name__}); convert or copy it again"
        ) from error
    return model


def read_metadata(model: schema.ModelT, where: str) -> Metadata:
    """Read the facts from a parsed model.

    Raises
    ------
    ModelError
        When there are none, when they are of a newer version, or when they cannot be right.
    """
    for entry in model.metadata or []:
        if _text(entry.name) == NAME:
            raw = bytes(bytearray(model.buffers[entry.buffer].data))
            return _check(raw, where)
    raise ModelError(
        f"{where}: a TFLite model, but without this toolkit's metadata; "
        "expected a file written by tools/convert.py"
    )


def metadata_of(path: Path) -> Metadata:
    """What a model file says of itself; a ModelError where it is none of ours."""
    return read_metadata(parse(read_bytes(path), str(path)), str(path))


def metadata_json(metadata: Metadata) -> bytes:
    """The facts as compact JSON, as they go into the file."""
    values = metadata.model_dump(mode="json")
    if metadata.threshold_choice is None:  # not written, so that toolkits before it read the file
        del values["threshold_choice"]
    return json.dumps(values, separators=(",", ":")).encode()


def _check(raw: bytes, where: str) -> Metadata:
    try:
        values: Any = json.loads(raw)
        version = values["version"]
        if isinstance(version, int) and version > VERSION:
            raise ModelError(
                f"{where}: metadata of version {version}, newer than this toolkit's {VERSION}; "
                "update the toolkit or convert the model again"
            )
        return Metadata.model_validate_json(raw)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{where}: its metadata cannot be read ({reason})") from error


def _text(name: bytes | str | None) -> str:
    return name.decode() if isinstance(name, bytes) else name or ""

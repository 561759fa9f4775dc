"""Models of a few units, untrained: their files, and what they say of themselves."""

from kws.recipe import DecoderConfig, FeatureConfig
from kws.recipe_model import ModelConfig
from kws.tflite.emit_stream import build_stream
from kws.tflite.emit_window import build_window
from kws.tflite.metadata import NAME, Metadata, metadata_json
from kws.tflite.random_weights import random_weights
from kws.tflite.weights import ModelWeights

LABELS = ("yes", "no", "unknown", "silence")


def untrained(units=(16,), bidirectional=False, classes=4, per_channel=False, **model):
    """The weights of an untrained model; more keys of a recipe's model section may be given."""
    values = {"units": list(units), "bidirectional": bidirectional, **model}
    config = ModelConfig.model_validate(values, strict=False)
    return random_weights(config, classes, per_channel=per_channel)


def metadata(
    form: str, state: str = "none", precision: str = "int8", labels=LABELS, stride: int = 1
) -> Metadata:
    features = FeatureConfig()
    return Metadata(
        recipe="tiny",
        labels=labels,
        features=features,
        form=form,
        state=state,
        precision=precision,
        frames_per_step=stride if form == "stream" else 49 - 49 % stride,
        clip_ms=1000.0,
        decoder=DecoderConfig(),
        macs_per_second=1,
    )


def model_bytes(
    weights: ModelWeights, form: str, state: str = "explicit", int8: bool = True
) -> bytes:
    """The file of an untrained model."""
    precision = "int8" if int8 else "float32"
    state_kept = state if form == "stream" else "none"
    facts = metadata(form, state_kept, precision, stride=weights.stride)
    if form == "stream":
        builder = build_stream(weights, state, int8, "tiny")
    else:
        builder = build_window(weights, facts.frames_per_step, int8, "tiny")
    builder.add_metadata(NAME, metadata_json(facts))
    return builder.finish()

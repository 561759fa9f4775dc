"""From a run folder to a verified model file and its figures."""

import hashlib
from dataclasses import asdict, replace
from pathlib import Path

from kws.data.examples import Examples, load_split, load_unseen
from kws.data.manifest import VALIDATION
from kws.files import write_bytes, write_json
from kws.nn.epochs import accuracy_before_quantization, read_history
from kws.nn.models import load_model
from kws.recipe import Recipe
from kws.run import RunFolder, read_metrics
from kws.tflite.compress_run import Compressed, write_compressed
from kws.tflite.compressed import deflated_bytes
from kws.tflite.convert import Form, convert, keras_posteriors, read_weights
from kws.tflite.emit_stream import State
from kws.tflite.metadata import Metadata
from kws.tflite.pack import sha256_without_thresholds
from kws.tflite.verify import Verification, verify


def convert_run(
    run: RunFolder,
    recipe: Recipe,
    data: Path,
    form: Form,
    state: State,
    out: Path,
    compressed: bool = False,
) -> tuple[Metadata, Verification, Compressed | None]:
    """Convert a trained run, verify the file on validation clips, write files and figures.

    The float file is written beside the deployed one, with ``_float`` in its name, and, where it
    is asked for, the ``compressed`` one for TFLM.

    Raises
    ------
    KwsError
        When the run is damaged, the form does not suit the model, or the data are missing.
    """
    before = _accuracy_before(run, recipe)
    model = load_model(run.keras_model)
    weights = read_weights(model)
    converted = convert(weights, recipe, form, state)
    validation, unseen = _load(recipe, data)
    features = validation.features[:]
    reference = keras_posteriors(model, recipe, features)
    verification = verify(
        converted.float_data,
        converted.data,
        converted.metadata,
        reference,
        features,
        validation.labels,
        (unseen.features[:], unseen.labels),
    )
    final = convert(weights, recipe, form, state, verification.figures())
    verification = replace(verification, file_bytes=len(final.data), accuracy_before=before)
    packed = write_compressed(final.data, out, features) if compressed else None
    write_bytes(out, final.data)
    write_bytes(out.with_name(f"{out.stem}_float{out.suffix}"), final.float_data)
    metrics = read_metrics(run.metrics) if run.metrics.is_file() else {}
    entry = {
        "file": out.name,
        "form": form,
        "state": final.metadata.state,
        "precision": final.metadata.precision,
        "weights": weights.count(),
        "stored_bytes": weights.stored_bytes(),
        "deflated_bytes": deflated_bytes(final.data),
        "sha256": hashlib.sha256(final.data).hexdigest(),
        "sha256_without_thresholds": sha256_without_thresholds(final.data, out.name),
        **asdict(verification),
    }
    if packed:
        entry["compressed"] = asdict(packed)
    write_json(
        run.metrics,
        {**metrics, "verification": {**metrics.get("verification", {}), out.name: entry}},
    )
    return final.metadata, verification, packed


def _accuracy_before(run: RunFolder, recipe: Recipe) -> float | None:
    """What the float phase of the training ended with; None where nothing tells it."""
    if not run.history.is_file():
        return None
    return accuracy_before_quantization(read_history(run.history), recipe)


def _load(recipe: Recipe, data: Path) -> tuple[Examples, Examples]:
    """Validation clips and words never heard, in full precision: the cache is float16."""
    which = data, recipe.data.labels, recipe.features, recipe.clip_samples, VALIDATION
    words = recipe.data.unseen
    return load_split(*which, recipe.data.silence_share, words), load_unseen(*which, words)

"""What a run folder says of itself, read and checked: recipe, epochs, verified files."""

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from kws.errors import RunError
from kws.nn.epochs import read_history as read_epochs
from kws.recipe import Recipe
from kws.recipe_augment import AugmentConfig
from kws.recipe_io import read_recipe
from kws.run import RunFolder, read_metrics
from kws.tflite.compress_run import Compressed
from kws.tflite.verify import Verification


@dataclass(frozen=True)
class Curves:
    """The columns of ``history.csv``, one value an epoch; accuracies are 0..1."""

    phases: tuple[str, ...]
    loss: tuple[float, ...]
    validation_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class VerifiedFile(Verification):
    """An entry of ``metrics.json``: what was measured, and of which file."""

    file: str
    form: str
    state: str
    precision: str
    weights: int
    stored_bytes: int
    sha256: str | None = None
    """Of the file; None where an older run did not note it, as the next one"""
    sha256_without_thresholds: str | None = None
    """The same apart from the decoder, whose thresholds may be chosen later"""
    deflated_bytes: int | None = None
    """What zlib makes of the file"""
    compressed: Compressed | None = None
    """The file for TFLM alone that was asked for besides"""


_FILES = TypeAdapter(dict[str, VerifiedFile])


def recipe_summary(recipe: Recipe) -> str:
    """What a recipe is, in a line."""
    model, train, quantize = recipe.model, recipe.train, recipe.quantize
    features = "MFCC" if recipe.features.kind == "mfcc" else "log-mel bands"
    parts = [f"{recipe.features.size} {features} every {recipe.features.hop_ms:g} ms"]
    if model.architecture == "recurrent":
        parts += [f"{len(model.stem)} convolutions"] if model.stem else []
        sizes = " + ".join(map(str, model.units))
        way = "bidirectional " if model.bidirectional else ""
        parts.append(f"{way}{model.cell.upper()} of {sizes} units")
        parts += [f"{model.pooling} pooling"] if model.pooling != "last" else []
    else:
        parts.append("DS-CNN")
    tuned = f" + {quantize.epochs}" if quantize.mode == "qat" else ""
    parts.append(f"{train.epochs}{tuned} epochs at batches of {train.batch_size}")
    augment = recipe.augment
    parts.append(f"{augment.copies} augmented copies {of_clips(augment)}, seed {recipe.seed}")
    return "; ".join(parts)


def of_clips(augment: AugmentConfig) -> str:
    """What a recipe's copies are of; keywords' clips may have more."""
    if augment.keyword_takes == 1:
        return "of each clip"
    return f"of each clip, {augment.copies * augment.keyword_takes} of each of a keyword"


def read_run_recipe(run: RunFolder) -> Recipe:
    """The recipe of a run; RunError where the folder has none."""
    if not run.recipe.is_file():
        raise RunError(
            f"{run.path}: not a run folder (no {run.recipe.name}); "
            f"python tools/train.py RECIPE --out {run.path} makes one"
        )
    return read_recipe(run.recipe)


def read_history(run: RunFolder) -> Curves:
    """The epochs of a run; RunError where there is none yet, or the file is damaged."""
    train = f"python tools/train.py RECIPE --out {run.path} --resume trains it"
    if not run.history.is_file():
        raise RunError(f"{run.path}: no {run.history.name}, no epoch was trained yet; {train}")
    epochs = read_epochs(run.history)
    if not epochs:
        raise RunError(f"{run.history}: holds no epoch yet; {train}")
    return Curves(
        tuple(epoch.phase for epoch in epochs),
        tuple(epoch.loss for epoch in epochs),
        tuple(epoch.validation_accuracy for epoch in epochs),
    )


def read_verified(run: RunFolder, labels: tuple[str, ...]) -> list[VerifiedFile]:
    """The verified files, ``model.tflite`` first."""
    convert = f"python tools/convert.py {run.path}"
    entries = read_metrics(run.metrics).get("verification") if run.metrics.is_file() else None
    if not entries:
        raise RunError(f"{run.path}: no verified model file yet; {convert} makes one")
    try:
        files = _FILES.validate_python(entries)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("verification", *first["loc"]))
        problem = f"{place}: {first['msg']}"
    else:
        problem = next(filter(None, (_problem(file, labels) for file in files.values())), "")
    if problem:
        raise RunError(f"{run.metrics}: {problem}; remove the file and run {convert} again")
    return sorted(files.values(), key=lambda file: file.file != run.tflite.name)


def _problem(file: VerifiedFile, labels: tuple[str, ...]) -> str:
    """What cannot be right about an entry, or nothing."""
    counts = file.confusion
    if not file.rows:
        return f"{file.file} has no rows of figures"
    if {len(counts), *map(len, counts)} != {len(labels)}:
        return f"the confusion matrix of {file.file} is not of the recipe's {len(labels)} labels"
    if min(map(min, counts)) < 0 or sum(map(sum, counts)) != file.clips:
        return f"the confusion matrix of {file.file} does not add up to its {file.clips} clips"
    return ""

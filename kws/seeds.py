"""One recipe trained from several seeds: how much of a figure is luck."""

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from kws.errors import RecipeError, RunError
from kws.files import write_json
from kws.recipe import Recipe
from kws.run import RunFolder, open_run, read_json, read_metrics, require_unused
from kws.tflite.metadata import metadata_of

Train = Callable[[Recipe, Path, Path, bool], object]
"""Of recipe, data folder, run folder and whether to resume; trains, converts and verifies."""


@dataclass(frozen=True)
class Figure:
    """One figure of all seeds, in their order."""

    values: tuple[float, ...]
    mean: float
    standard_deviation: float
    """Of a sample: divided by one less than there are seeds"""


@dataclass(frozen=True)
class Seeds:
    """What the seeds gave."""

    recipe: str
    seeds: tuple[int, ...]
    runs: tuple[str, ...]
    figures: dict[str, Figure]


def train_seeds(
    recipe: Recipe, count: int, data: Path, out: Path, resume: bool, train: Train
) -> Seeds:
    """Train with the recipe's seed and those after it, each into a folder of its own.

    They are ``<out>_seed<N>``; what came of all is written to ``<out>_seeds.json``. With
    ``resume``, finished ones stay as they are.

    Parameters
    ----------
    count : of seeds, two or more.
    train : leaves a run folder with a verified ``model.tflite``.

    Raises
    ------
    RecipeError
        When there are too few seeds, or the strategy is one that a process begins but once.
    RunError
        When a folder holds a run already, and is not to be resumed.
    """
    if count < 2:
        raise RecipeError(f"--seeds {count}: expected at least 2, whose spread can be told")
    if recipe.train.strategy == "multi_worker":
        raise RecipeError(
            "--seeds trains one seed after another in a process, and workers come together once: "
            "train them one by one, by --set seed=N and an --out each"
        )
    seeds = [recipe.seed + index for index in range(count)]
    folders = [out.with_name(f"{out.name}_seed{seed}") for seed in seeds]
    if not resume:
        require_unused(folders)
    for seed, folder in zip(seeds, folders, strict=True):
        if not is_finished(RunFolder(folder)):
            seeded = recipe.model_copy(update={"seed": seed})
            train(seeded, data, folder, RunFolder(folder).recipe.is_file())
    found = [run_figures(folder) for folder in folders]
    names = [name for name in found[0] if all(name in one for one in found)]
    figures = {name: _figure([one[name] for one in found]) for name in names}
    result = Seeds(recipe.name, tuple(seeds), tuple(map(str, folders)), figures)
    write_json(out.with_name(f"{out.name}_seeds.json"), asdict(result))
    return result


def seeds_of(folder: Path) -> Seeds | None:
    """What :func:`train_seeds` wrote, of which a run folder is one; None of any other folder.

    Raises
    ------
    RunError
        When what it wrote is damaged.
    """
    base, _, seed = folder.resolve().name.rpartition("_seed")
    path = folder.resolve().with_name(f"{base}_seeds.json")
    if not (base and seed.isdecimal() and path.is_file()):
        return None
    found = read_json(path)
    try:
        figures = {
            name: Figure(tuple(one["values"]), one["mean"], one["standard_deviation"])
            for name, one in found["figures"].items()
        }
        return Seeds(found["recipe"], tuple(found["seeds"]), tuple(found["runs"]), figures)
    except (AttributeError, KeyError, TypeError) as error:
        raise RunError(f"{path}: not what --seeds wrote ({error!r}); run it again") from error


def run_figures(folder: Path) -> dict[str, float]:
    """What was measured of a run's ``model.tflite``: accuracies are 0..1.

    Raises
    ------
    RunError, ModelError
        When the folder is not that of a converted run.
    """
    run, _, facts = open_run(folder)
    measured = read_metrics(run.metrics).get("verification", {}).get(run.tflite.name, {})
    figures = dict(metadata_of(run.tflite).figures)
    for name in ("weights", "file_bytes", "macs_per_second", "accuracy_before"):
        if measured.get(name) is not None:
            figures[name] = measured[name]
    if "training_minutes" in facts:
        figures["training_minutes"] = facts["training_minutes"]
    return figures


def is_finished(run: RunFolder) -> bool:
    """Whether a run is trained, converted and verified."""
    if not (run.keras_model.is_file() and run.tflite.is_file() and run.metrics.is_file()):
        return False
    return run.tflite.name in read_metrics(run.metrics).get("verification", {})


def _figure(values: list[float]) -> Figure:
    return Figure(tuple(values), statistics.fmean(values), statistics.stdev(values))

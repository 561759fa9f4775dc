"""Pretrained models in the box: a verified file beside its recipe, with its card and its proof."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from kws.data.examples import load_split
from kws.data.manifest import VALIDATION
from kws.errors import ModelError, RunError
from kws.files import write_bytes, write_text
from kws.recipe import Recipe
from kws.recipe_io import read_recipe
from kws.report.card_check import check_card
from kws.report.card_data import licence_of
from kws.report.card_stream import running_rows
from kws.report.model_card import model_card
from kws.report.run_facts import VerifiedFile, read_verified
from kws.run import first_difference, open_run
from kws.seeds import seeds_of
from kws.tflite.golden import check_golden, make_golden, read_golden, write_golden
from kws.tflite.metadata import Metadata, parse, read_bytes, read_metadata
from kws.tflite.pack import sha256_without_thresholds


@dataclass(frozen=True)
class Published:
    """Names of the files in ``recipes/.../NAME/``."""

    path: Path

    @property
    def model(self) -> Path:
        return self.path / "model.tflite"

    @property
    def card(self) -> Path:
        return self.path / "README.md"

    @property
    def golden(self) -> Path:
        return self.path / "golden.npz"

    @property
    def recipe(self) -> Path:
        """Inside, or beside."""
        name = f"{self.path.name}.yaml"
        return self.path / name if (self.path / name).is_file() else self.path.parent / name


def publish(
    run_path: Path,
    folder: Path,
    data: Path | None = None,
    data_name: str = "",
    running: Path | None = None,
) -> Published:
    """Copy a run's verified ``model.tflite`` into its recipe's folder, write card and golden clips.

    Parameters
    ----------
    run_path : of tools/train.py and tools/convert.py.
    folder : ``recipes/.../NAME``; the recipe is ``NAME.yaml`` in it, or beside it.
    data : the clips, where they have moved since the training.
    data_name : of the clips, with who made them, for the card.
    running : what ``tools/evaluate.py --stream --json`` wrote of the run's model, for the card.

    Raises
    ------
    KwsError
        When the run is not verified, is another recipe's, or its clips are missing.
    """
    run, recipe, notes = open_run(run_path)
    out = Published(folder)
    _check_recipe(run_path, recipe, out)
    data = data or Path(notes["data"])
    model = read_bytes(run.tflite)
    metadata = read_metadata(parse(model, str(run.tflite)), str(run.tflite))
    named = {file.file: file for file in read_verified(run, recipe.data.labels)}
    if run.tflite.name not in named:
        raise RunError(f"{run.tflite}: not verified; python tools/convert.py {run_path} does it")
    facts = named[run.tflite.name]
    _check_file(model, metadata, facts, run_path)
    rows = running_rows(running, hashlib.sha256(model).hexdigest(), metadata) if running else []
    split = load_split(
        data,
        recipe.data.labels,
        recipe.features,
        recipe.clip_samples,
        VALIDATION,
        recipe.data.silence_share,
        recipe.data.unseen,
    )
    golden = make_golden(model, split.features[:], split.labels)
    card = model_card(
        recipe,
        facts,
        metadata,
        model,
        _named(folder),
        _named(out.recipe),
        data_name,
        licence_of(data),
        seeds_of(run_path),
        rows,
    )
    write_bytes(out.model, model)
    write_golden(golden, out.golden)
    write_text(out.card, card)
    check_published(folder)
    return out


def check_published(folder: Path) -> None:
    """Check that model, card, recipe and golden clips of a folder belong together, and hold.

    Raises
    ------
    KwsError
        When they do not, or one cannot be read.
    """
    out = Published(folder)
    data = read_bytes(out.model)
    check_golden(data, read_golden(out.golden), str(out.model))
    try:
        card = out.card.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(
            f"{out.card}: cannot be read ({error.strerror}); tools/publish.py writes it"
        ) from error
    check_card(card, str(out.card), data, str(out.model), read_recipe(out.recipe), str(out.recipe))


def _check_recipe(run_path: Path, recipe: Recipe, out: Published) -> None:
    """That the run followed the box's recipe; another seed of it will do."""
    if not out.recipe.is_file():
        raise RunError(
            f"{out.path}: no recipe {out.path.name}.yaml in it or beside it; a model is published "
            "as recipes/.../NAME, beside recipes/.../NAME.yaml"
        )
    wanted = read_recipe(out.recipe).model_copy(update={"seed": recipe.seed})
    if difference := first_difference(wanted, recipe):
        raise RunError(
            f"{run_path}: was made by another recipe than {out.recipe} ({difference}); "
            "train the recipe as it is"
        )


def _check_file(data: bytes, metadata: Metadata, facts: VerifiedFile, run_path: Path) -> None:
    """That the file is the one that was verified, but for thresholds that were chosen since."""
    where, again = run_path / facts.file, f"python tools/convert.py {run_path} --form {facts.form}"
    again += " --state internal" if facts.state == "internal" else ""
    if facts.sha256 is None:
        raise RunError(
            f"{where}: was verified by an older toolkit, which did not note its SHA-256: nothing "
            f"tells that it is the same file still; convert it again: {again}"
        )
    if metadata.threshold_choice:
        same = sha256_without_thresholds(data, str(where)) == facts.sha256_without_thresholds
    else:
        same = hashlib.sha256(data).hexdigest() == facts.sha256
    if not same:
        raise RunError(
            f"{where}: is not the file that was verified (another SHA-256 than in metrics.json); "
            f"convert it again: {again}"
        )


def _named(path: Path) -> str:
    """A path as a command names it: from here, where it is below here."""
    here = Path.cwd()
    full = path.resolve()
    return (full.relative_to(here) if full.is_relative_to(here) else path).as_posix()

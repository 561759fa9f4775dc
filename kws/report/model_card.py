"""A model card (Mitchell et al. 2019): what a trained model is, what it can do, and what not."""

import hashlib
from pathlib import Path

import numpy as np

from kws.recipe import FeatureConfig, Recipe
from kws.report.page import page_environment
from kws.report.run_facts import VerifiedFile, recipe_summary
from kws.report.seeds_table import seed_rows
from kws.seeds import Seeds
from kws.spotting.metrics import Share, scores_of, share
from kws.tflite.metadata import Metadata


def model_card(
    recipe: Recipe,
    facts: VerifiedFile,
    metadata: Metadata,
    data: bytes,
    folder: str,
    recipe_file: str,
    licence: str,
    seeds: Seeds | None = None,
) -> str:
    """The card as Markdown, the same for the same arguments.

    Parameters
    ----------
    recipe : that of the run. facts, metadata : of the file. data : its bytes.
    folder, recipe_file : where it is published, and its recipe, as commands name them.
    licence : of the training clips, in a line; empty where their folder names none.
    seeds : what the recipe gave from several seeds, this run's among them.
    """
    environment = page_environment(autoescape=False)  # it is Markdown
    environment.filters["percent"] = _percent
    environment.filters["interval"] = lambda found: f"{found.low:.1%} to {found.high:.1%}"
    others = [label for label in metadata.labels if label not in metadata.keywords]
    return environment.get_template("model_card.md.j2").render(
        recipe=recipe,
        facts=facts,
        metadata=metadata,
        keywords=metadata.keywords,
        others=others,
        summary=recipe_summary(recipe),
        features=_features(recipe.features),
        sha256=hashlib.sha256(data).hexdigest(),
        rows=[(row.name, _of(row.accuracy, facts.clips)) for row in facts.rows],
        scores=scores_of(np.asarray(facts.confusion), metadata.labels),
        source=_source(recipe, licence),
        unheard=_unheard(facts),
        seeds=seeds,
        seed_rows=_seed_rows(seeds) if seeds else [],
        commands=_commands(recipe, facts, folder, recipe_file, seeds),
        path=f"{folder}/model.tflite",
    )


def licence_of(folder: Path) -> str:
    """The first line of a data folder's licence; empty where it has none."""
    for name in ("LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING"):
        if (folder / name).is_file():
            text = (folder / name).read_text(encoding="utf-8", errors="replace")
            return next((line.strip(" #*") for line in text.splitlines() if line.strip()), "")
    return ""


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _of(value: float, clips: int) -> Share:
    return share(round(value * clips), clips)


def _features(config: FeatureConfig) -> str:
    kind = "MFCC" if config.kind == "mfcc" else "log-mel energies in dB"
    bands = f" of {config.mel_bands} mel bands" if config.kind == "mfcc" else ""
    return (
        f"{config.size} {kind}{bands}, {config.low_hz:g} to {config.high_hz:g} Hz, windows of "
        f"{config.window_ms:g} ms every {config.hop_ms:g} ms, {config.sample_rate_hz} Hz mono"
    )


def _source(recipe: Recipe, licence: str) -> str:
    if recipe.data.synthetic:
        return (
            "Synthetic speech alone, made by the recipe itself: no recording of anybody is in it."
        )
    named = f"Their licence: {licence}." if licence else "Their folder names no licence."
    heard = f"{recipe.augment.copies} varied copies (noise, rooms, speed, level) of each clip"
    spoken = " and of words spoken by espeak-ng" if recipe.data.spoken else ""
    return f"Recordings of single words; trained on {heard}{spoken}. {named}"


def _unheard(facts: VerifiedFile) -> str:
    if facts.open_set is None or facts.open_set.maximum.taken.value is None:
        return "What it makes of words that it never heard was not measured."
    taken = facts.open_set.maximum.taken
    return (
        f"Words never heard in training are what it is worst at: it takes {taken.value:.0%} of "
        "them for a keyword where the largest posterior decides."
    )


def _seed_rows(seeds: Seeds) -> list[list[str]]:
    wanted = (
        "validation_accuracy",
        "float_validation_accuracy",
        "agreement_with_float",
        "unseen_taken",
        "unseen_taken_at_threshold",
        "threshold_validation_accuracy",
        "training_minutes",
    )
    return seed_rows(seeds, tuple(name for name in wanted if name in seeds.figures))


def _commands(
    recipe: Recipe, facts: VerifiedFile, folder: str, recipe_file: str, seeds: Seeds | None
) -> list[str]:
    data = "" if recipe.data.folder else " --data DIR"
    if seeds:
        return [
            f"python tools/train.py {recipe_file}{data} --seeds {len(seeds.seeds)}",
            f"python tools/publish.py runs/{recipe.name}_seed{recipe.seed} {folder}",
        ]
    run = f"runs/{recipe.name}"
    state = f" --state {facts.state}" if facts.state == "internal" else ""
    return [
        f"python tools/train.py {recipe_file}{data} --set seed={recipe.seed} --out {run}",
        f"python tools/convert.py {run} --form {facts.form}{state}",
        f"python tools/publish.py {run} {folder}",
    ]

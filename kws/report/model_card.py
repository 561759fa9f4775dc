"""A model card (Mitchell et al. 2019): what a trained model is, what it can do, and what not."""

import shlex
from collections.abc import Sequence

import numpy as np

from kws.recipe import Recipe
from kws.report import card_lines
from kws.report.card_data import heard_text, running_text, source_text, taught_text
from kws.report.page import page_environment
from kws.report.run_facts import VerifiedFile
from kws.report.seeds_table import seed_rows
from kws.report.stream_tables import choice_sentence
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
    data_name: str = "",
    licence: str = "",
    seeds: Seeds | None = None,
    running_rows: Sequence[str] = (),
) -> str:
    """The card as Markdown, the same for the same arguments.

    Parameters
    ----------
    recipe : that of the run. facts, metadata : of the file. data : its bytes.
    folder, recipe_file : where it is published, and its recipe, as commands name them.
    data_name : of the training clips, with who made them; empty where that was not said.
    licence : theirs, in a line; empty where their folder names none.
    seeds : what the recipe gave from several seeds, this run's among them.
    running_rows : of :func:`kws.report.card_stream.running_rows`; none where that was not measured.
    """
    environment = page_environment(autoescape=False)  # it is Markdown
    environment.filters |= {"percent": card_lines.percent, "interval": card_lines.interval}
    about = card_lines.about(recipe, metadata, data, facts.weights)
    return environment.get_template("model_card.md.j2").render(
        recipe=recipe,
        facts=facts,
        metadata=metadata,
        about=[card_lines.row(name, text) for name, text in about.items()],
        accuracies=_accuracies(facts),
        scores=scores_of(np.asarray(facts.confusion), metadata.labels),
        unheard_rows=_unheard_rows(facts, metadata),
        source=source_text(recipe, data_name, licence),
        heard=heard_text(recipe),
        taught=taught_text(recipe),
        running=running_text(recipe),
        decoder=card_lines.decoder_text(metadata),
        unheard=_unheard(facts),
        seeds=seeds,
        seed_rows=_seed_rows(seeds) if seeds else [],
        choice=_choice(metadata),
        running_rows=running_rows,
        commands=_commands(
            recipe, facts, folder, recipe_file, data_name, seeds, metadata, bool(running_rows)
        ),
        path=f"{folder}/model.tflite",
    )


def _accuracies(facts: VerifiedFile) -> list[str]:
    """A row for each implementation, before them one for float weights not yet trained for int8."""
    values = {one.name: one.accuracy for one in facts.rows}
    if facts.accuracy_before is not None:
        values = {"float, before int8": facts.accuracy_before} | values
    return [
        card_lines.accuracy_row(name, _of(value, facts.clips)) for name, value in values.items()
    ]


def _choice(metadata: Metadata) -> str:
    """Of thresholds that were chosen on running sound."""
    if metadata.threshold_choice is None:
        return ""
    sentence = choice_sentence(metadata.threshold_choice)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _of(value: float, clips: int) -> Share:
    return share(round(value * clips), clips)


def _unheard_rows(facts: VerifiedFile, metadata: Metadata) -> list[str]:
    """Title, heading and rows of words never heard; nothing where there was no clip of them."""
    found = facts.open_set
    if found is None or not found.maximum.taken.total:
        return []
    return [
        card_lines.unheard_title(metadata.unseen_words, found.maximum.taken.total),
        "",
        card_lines.row("decided by", "taken", "interval", "accuracy on the split"),
        card_lines.row(*4 * ["---"]),
        *(
            card_lines.unheard_row(point.name, point.threshold, point.taken, point.accuracy)
            for point in found.points
            if point is not found.decoder or not metadata.threshold_choice
        ),
    ]


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
        "accuracy_before",
        "agreement_with_float",
        "unseen_taken",
        "unseen_taken_at_threshold",
        "threshold_validation_accuracy",
        "training_minutes",
    )
    return seed_rows(seeds, tuple(name for name in wanted if name in seeds.figures))


def _commands(
    recipe: Recipe,
    facts: VerifiedFile,
    folder: str,
    recipe_file: str,
    data_name: str,
    seeds: Seeds | None,
    metadata: Metadata,
    heard: bool,
) -> list[str]:
    """What made it, in turn; ``heard``: its figures in running sound are on the card."""
    data = "" if recipe.data.folder else " --data DIR"
    train = f"python tools/train.py {recipe_file}{data}"
    if seeds:
        run = f"runs/{recipe.name}_seed{recipe.seed}"
        made = [f"{train} --seeds {len(seeds.seeds)}"]
    else:
        run = f"runs/{recipe.name}"
        state = f" --state {facts.state}" if facts.state == "internal" else ""
        made = [
            f"{train} --set seed={recipe.seed} --out {run}",
            f"python tools/convert.py {run} --form {facts.form}{state}",
        ]
    listen = f"python tools/evaluate.py {run}/model.tflite --stream"
    if choice := metadata.threshold_choice:
        rate = f"--false-accepts-per-hour {choice.wanted_per_hour:g}"
        made.append(f"{listen} DEVELOPMENT --negatives DEVELOPMENT_TALK {rate} --write")
    if heard:
        made.append(f"{listen} RECORDINGS --negatives TALK --json running.json")
    named = f" --data-name {shlex.quote(data_name)}" if data_name else ""
    running = " --running running.json" if heard else ""
    return [*made, f"python tools/publish.py {run} {folder}{named}{running}"]

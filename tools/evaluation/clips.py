"""Figures of a model on a folder of clips."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from kws.data.examples import Examples
    from kws.spotting.metrics import Scores, Share
    from kws.spotting.open_set import OpenSet
    from kws.tflite.interpreter import Runner

_WIDTH = 400
"""Columns for tables, more than any needs: a number must never be cut off."""


def evaluate_clips(arguments: argparse.Namespace) -> None:
    """Classify them, show the figures, and write them where that is asked for."""
    import numpy as np

    from kws.data.examples import load_split, load_unseen
    from kws.files import write_json
    from kws.spotting.metrics import score
    from kws.spotting.open_set import measure_open_set
    from kws.tflite.interpreter import open_model

    runner = open_model(arguments.model, arguments.engine)
    facts = runner.metadata
    which = arguments.data, facts.labels, facts.features, facts.clip_samples, arguments.split
    examples = load_split(*which, unseen_words=facts.unseen_words)
    unseen = load_unseen(*which, facts.unseen_words)
    examples = replace(examples, bad=examples.bad + unseen.bad)
    clips = len(examples.labels)
    every = _classify(runner, np.concatenate([examples.features, unseen.features]))
    posteriors = every[:clips]
    scores = score(examples.labels, posteriors.argmax(axis=1), facts.labels)
    open_set = measure_open_set(
        posteriors,
        examples.labels,
        every[clips:],
        unseen.labels,
        facts.labels,
        facts.unseen_words,
        facts.decoder,
    )
    _show(arguments, runner, examples, scores, open_set)
    if arguments.json:
        write_json(arguments.json, _as_json(arguments, runner, examples, scores, open_set))


def _classify(runner: "Runner", features: "np.ndarray") -> "np.ndarray":
    """Posteriors of each clip, (clips, labels)."""
    from kws.progress import progress
    from kws.tflite.verify import classify_all

    with progress(f"classifying ({runner.engine})", len(features), "clips") as advance:
        return classify_all(runner, features, advance)


def _show(
    arguments: argparse.Namespace,
    runner: "Runner",
    examples: "Examples",
    scores: "Scores",
    open_set: "OpenSet",
) -> None:
    from rich.console import Console

    from kws.report.open_set_table import open_set_table
    from kws.report.stream_tables import choice_sentence

    facts, accuracy = runner.metadata, scores.accuracy
    print(
        f"{arguments.model}: {facts.recipe}, {facts.precision} {facts.form}, in {runner.engine}\n"
        f"{arguments.data}: {accuracy.total} clips ({arguments.split}), "
        f"{examples.made_silence} of them silence made from noise\n"
        f"accuracy {_percent(accuracy)} (95 % interval {_interval(accuracy)}): "
        f"{accuracy.count} of {accuracy.total} clips\n"
    )
    if facts.threshold_choice:
        print(f"{choice_sentence(facts.threshold_choice)}\n")
    console = Console(width=_WIDTH, highlight=False)
    console.print(_class_table(scores))
    console.print(_confusion_table(scores))
    console.print(open_set_table(open_set))
    if examples.bad:
        print(f"{len(examples.bad)} clips could not be read and are not in these figures:")
        for message in examples.bad:
            print(f"  {message}")


def _class_table(scores: "Scores") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title="by label, with 95 % intervals", title_justify="left")
    table.add_column("label")
    for name in ("clips", "recall", "interval", "precision", "interval"):
        table.add_column(name, justify="right")
    for row in scores.classes:
        recall, precision = row.recall, row.precision
        table.add_row(
            Text(row.label),
            str(recall.total),
            *(_percent(recall), _interval(recall)),
            *(_percent(precision), _interval(precision)),
        )
    return table


def _confusion_table(scores: "Scores") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title="confusion: row said, column heard", title_justify="left")
    table.add_column("")
    for row in scores.classes:
        table.add_column(Text(row.label), justify="right")
    for index, (row, counts) in enumerate(zip(scores.classes, scores.confusion, strict=True)):
        cells = [
            f"[bold]{count}[/]" if column == index else str(count or "·")
            for column, count in enumerate(counts)
        ]
        table.add_row(Text(row.label), *cells)
    return table


def _percent(share: "Share") -> str:
    return "–" if share.value is None else f"{100 * share.value:.2f} %"


def _interval(share: "Share") -> str:
    return "–" if share.value is None else f"{100 * share.low:.1f} to {100 * share.high:.1f} %"


def _as_json(
    arguments: argparse.Namespace,
    runner: "Runner",
    examples: "Examples",
    scores: "Scores",
    open_set: "OpenSet",
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "model": str(arguments.model),
        "recipe": runner.metadata.recipe,
        "engine": runner.engine,
        "data": str(arguments.data),
        "split": arguments.split,
        "labels": list(runner.metadata.labels),
        "clips": scores.accuracy.total,
        "made_silence": examples.made_silence,
        "unreadable": list(examples.bad),
        **asdict(scores),
        "open_set": asdict(open_set),
    }

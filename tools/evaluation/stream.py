"""Figures of a detector on long recordings."""

import argparse
import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kws.audio.annotation import Recording
    from kws.spotting.operating_point import Chosen
    from kws.spotting.rules import Counted
    from kws.spotting.stream_score import StreamJudge
    from kws.tflite.metadata import Metadata


def evaluate_stream(arguments: argparse.Namespace) -> None:
    """Hear them, show the figures, choose thresholds where that is asked for.

    A ModelError where these are to be written and would be no use.
    """
    from kws.errors import ModelError
    from kws.files import write_json
    from kws.report.stream_tables import choice_sentence, print_stream
    from kws.spotting.hearing import calls_per_second, hear_all
    from kws.spotting.matching import Tolerance
    from kws.spotting.operating_point import choose_thresholds
    from kws.spotting.stream_score import StreamJudge
    from kws.tflite.interpreter import open_model

    facts = open_model(arguments.model, arguments.engine).metadata
    recordings = _recordings(arguments, facts.keywords)
    heard = hear_all(arguments.model, recordings, arguments.engine)
    tolerance = Tolerance(late_s=arguments.late_s)
    judge = StreamJudge(heard, facts.labels, facts.decoder, calls_per_second(facts), tolerance)
    print(f"{arguments.model}: {facts.recipe}, {facts.precision} {facts.form}")
    if facts.threshold_choice:
        print(choice_sentence(facts.threshold_choice))
    before, point = facts, None
    if arguments.false_accepts_per_hour:
        point = choose_thresholds(judge, arguments.false_accepts_per_hour)
        facts = facts.with_thresholds(point.decoder, point.choice)
    counted: list[Counted] = []
    if arguments.rules:
        from kws.report.rules_table import print_by_rules
        from kws.spotting.rules import RULES, count_by_threshold

        counted = count_by_threshold(judge, RULES[arguments.rules])
        print_by_rules(judge, arguments.rules, facts.decoder, counted)
    else:
        print_stream(judge, facts.decoder)
    if point:
        _tell(point)
    if arguments.plot:
        from kws.report.stream_plot import plot_trade_off

        plot_trade_off(judge, facts.decoder, arguments.plot)
        print(f"written: {arguments.plot}")
    if arguments.write and point and not point.fault:
        _write(arguments, before, facts)
    if arguments.json:
        write_json(arguments.json, _as_json(arguments, facts, judge, counted))
    if arguments.save_false_accepts:
        _save_false_accepts(arguments, facts, judge)
    if arguments.write and point and point.fault:
        raise ModelError(f"{arguments.model}: thresholds not written: {point.fault}")


def _recordings(arguments: argparse.Namespace, keywords: tuple[str, ...]) -> "list[Recording]":
    """All recordings; which folder each is from is one of its conditions."""
    from kws.data.recordings import read_recordings
    from kws.spotting.rules import name_all

    places = [*arguments.stream, *arguments.negatives]
    names = [place.resolve().name for place in places]

    def read(place: Path, words_beside: bool) -> "list[Recording]":
        name = place.resolve().name
        folder = name if names.count(name) == 1 else str(place)
        return [one.known("folder", folder) for one in read_recordings(place, words_beside)]

    found = [one for place in arguments.stream for one in read(place, True)]
    return name_all(found, keywords) + [
        one for place in arguments.negatives for one in read(place, False)
    ]


def _tell(point: "Chosen") -> None:
    print(f"thresholds chosen here for at most {point.wanted_per_hour:g} false accepts an hour")
    for sentence in (point.fault, point.note):
        if sentence:
            print(sentence)


def _save_false_accepts(
    arguments: argparse.Namespace, facts: "Metadata", judge: "StreamJudge"
) -> None:
    from kws.spotting.mining import mine

    folder = arguments.save_false_accepts
    mined = mine(judge, facts.decoder, folder, facts.features.sample_rate_hz)
    print(f"{folder}: {mined.saved} false accepts and near misses; train on them by")
    print(f"  tools/train.py RECIPE --hard-negatives {folder}")
    if mined.beside_words:
        print(f"{mined.beside_words} left out: a keyword is said within their sound")


def _write(arguments: argparse.Namespace, before: "Metadata", facts: "Metadata") -> None:
    """Write the facts with the thresholds into the model file."""
    from kws.files import write_bytes
    from kws.tflite.metadata import read_bytes
    from kws.tflite.pack import with_metadata

    data = with_metadata(read_bytes(arguments.model), facts, str(arguments.model))
    write_bytes(arguments.model, data)
    print(f"{arguments.model}: thresholds written")
    if gone := sorted(before.figures.keys() - facts.figures.keys()):
        print(f"taken out, as measured at the thresholds before: {', '.join(gone)}")


def _as_json(
    arguments: argparse.Namespace,
    facts: "Metadata",
    judge: "StreamJudge",
    counted: "list[Counted]",
) -> dict[str, Any]:
    by_rules = {}
    if arguments.rules:
        by_rules = {"rules": arguments.rules, "by_rules": [asdict(one) for one in counted]}
    choice = facts.threshold_choice
    return {
        **by_rules,
        "model": str(arguments.model),
        "sha256": hashlib.sha256(arguments.model.read_bytes()).hexdigest(),
        "recipe": facts.recipe,
        "engine": arguments.engine,
        "decoder": facts.decoder.model_dump(),
        "threshold_choice": choice.model_dump() if choice else None,
        "tolerance": asdict(judge.tolerance),
        **asdict(judge.score(facts.decoder)),
        "by_condition": {
            name: {
                value: asdict(scores)
                for value, scores in judge.score_by(name, facts.decoder).items()
            }
            for name in judge.conditions
        },
        "recordings": [
            {
                "path": str(one.recording.path),
                "seconds": one.seconds,
                "conditions": dict(one.recording.conditions),
                "hits": len(matched.hits),
                "missed": len(matched.missed),
                "false_accepts": len(matched.false),
            }
            for one, matched in zip(judge.heard, judge.match(facts.decoder), strict=True)
        ],
        "trade_off": [asdict(point) for point in judge.trade_off()],
    }

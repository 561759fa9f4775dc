"""Figures of a detector on long recordings."""

import argparse
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kws.audio.annotation import Recording
    from kws.recipe import DecoderConfig
    from kws.spotting.operating_point import Chosen
    from kws.spotting.rules import Counted
    from kws.spotting.stream_score import StreamJudge
    from kws.tflite.metadata import Metadata


def evaluate_stream(arguments: argparse.Namespace) -> None:
    """Hear them, show the figures, choose thresholds where that is asked for."""
    from kws.files import write_json
    from kws.report.stream_tables import print_stream
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
    wanted, decoder, point = arguments.false_accepts_per_hour, facts.decoder, None
    if wanted:
        point = choose_thresholds(judge, wanted)
        decoder = point.decoder
    print(f"{arguments.model}: {facts.recipe}, {facts.precision} {facts.form}")
    counted: list[Counted] = []
    if arguments.rules:
        from kws.report.rules_table import print_by_rules
        from kws.spotting.rules import RULES, count_by_threshold

        counted = count_by_threshold(judge, RULES[arguments.rules])
        print_by_rules(judge, arguments.rules, decoder, counted)
    else:
        print_stream(judge, decoder)
    if point:
        _tell(point)
    if arguments.plot:
        from kws.report.stream_plot import plot_trade_off

        plot_trade_off(judge, decoder, arguments.plot)
        print(f"written: {arguments.plot}")
    if arguments.json:
        write_json(arguments.json, _as_json(arguments, facts, judge, decoder, counted))
    if arguments.save_false_accepts:
        _save_false_accepts(arguments, facts, judge, decoder)
    if arguments.write:
        _write(arguments, facts, decoder)


def _recordings(arguments: argparse.Namespace, keywords: tuple[str, ...]) -> "list[Recording]":
    from kws.data.recordings import read_recordings
    from kws.spotting.rules import name_words

    found = [one for place in arguments.stream for one in read_recordings(place)]
    found = [replace(one, words=name_words(one.words, keywords)) for one in found]
    return found + [
        one for place in arguments.negatives for one in read_recordings(place, words_beside=False)
    ]


def _tell(point: "Chosen") -> None:
    print(f"thresholds chosen here for at most {point.wanted_per_hour:g} false accepts an hour")
    if not point.reached:
        print("which none reaches: these are the highest; the model needs other training")
    if point.note:
        print(point.note)


def _save_false_accepts(
    arguments: argparse.Namespace,
    facts: "Metadata",
    judge: "StreamJudge",
    decoder: "DecoderConfig",
) -> None:
    from kws.spotting.mining import mine

    folder = arguments.save_false_accepts
    mined = mine(judge, decoder, folder, facts.features.sample_rate_hz)
    print(f"{folder}: {mined.saved} false accepts and near misses; train on them by")
    print(f"  tools/train.py RECIPE --hard-negatives {folder}")
    if mined.beside_words:
        print(f"{mined.beside_words} left out: a keyword is said within their sound")


def _write(arguments: argparse.Namespace, facts: "Metadata", decoder: "DecoderConfig") -> None:
    from kws.files import write_bytes
    from kws.tflite.metadata import read_bytes
    from kws.tflite.pack import with_metadata

    changed = facts.model_copy(update={"decoder": decoder})
    data = with_metadata(read_bytes(arguments.model), changed, str(arguments.model))
    write_bytes(arguments.model, data)
    print(f"{arguments.model}: thresholds written")


def _as_json(
    arguments: argparse.Namespace,
    facts: "Metadata",
    judge: "StreamJudge",
    decoder: "DecoderConfig",
    counted: "list[Counted]",
) -> dict[str, Any]:
    by_rules = {}
    if arguments.rules:
        by_rules = {"rules": arguments.rules, "by_rules": [asdict(one) for one in counted]}
    return {
        **by_rules,
        "model": str(arguments.model),
        "recipe": facts.recipe,
        "engine": arguments.engine,
        "decoder": decoder.model_dump(),
        "tolerance": asdict(judge.tolerance),
        **asdict(judge.score(decoder)),
        "recordings": [
            {
                "path": str(one.recording.path),
                "seconds": one.seconds,
                "conditions": dict(one.recording.conditions),
                "hits": len(matched.hits),
                "missed": len(matched.missed),
                "false_accepts": len(matched.false),
            }
            for one, matched in zip(judge.heard, judge.match(decoder), strict=True)
        ],
        "trade_off": [asdict(point) for point in judge.trade_off()],
    }

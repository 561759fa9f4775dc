"""Look for what is wrong with the clips of a corpus: the serious first, then clip by clip."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from kws.data.quality_findings import Finding, Quality

HELP = "look for what is wrong with the clips"
_EXAMPLES = 3
_WIDTH = 400
"""Columns for tables where there is no terminal: a name must never be cut off."""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "data", type=Path, metavar="DIR", help="folder with one folder a word, or a manifest"
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default=16000,
        metavar="HZ",
        help="rate that all files should have (default: 16000)",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="also write a page, to see and hear the worst"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write everything there, with every clip"
    )


def main(arguments: argparse.Namespace) -> None:
    """Measure, judge, print; what is found is no failure of this program: it ends with 0."""
    from kws.data.quality_corpus import measure_corpus
    from kws.data.quality_findings import judge
    from kws.files import write_json
    from kws.report.quality_page import write_quality_page

    quality = judge(measure_corpus(arguments.data, arguments.rate), arguments.rate)
    _show(quality)
    if arguments.html:
        write_quality_page(arguments.html, quality)
    if arguments.json:
        write_json(arguments.json, _as_json(quality))


def _rate(text: str) -> int:
    rate = int(text)
    if not 1000 <= rate <= 384_000:
        raise argparse.ArgumentTypeError(f"{rate} Hz, expected 1000 to 384000")
    return rate


def _show(quality: "Quality") -> None:
    import sys

    from rich.console import Console

    from kws.data.quality_corpus import path_text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    faulty = sum(one.faulty for one in quality.labels)
    speakers = "no known" if quality.speakers is None else str(quality.speakers)
    console.print(
        f"{path_text(quality.root)}: {quality.clips} clips, {quality.seconds / 3600:.2f} h, "
        f"{len(quality.labels)} labels, {speakers} speakers; {faulty} clips with a fault",
        markup=False,
        soft_wrap=True,
    )
    if quality.findings:
        console.print(_finding_table(quality))
    else:
        console.print("nothing found that is wrong")
    console.print(_label_table(quality))


def _finding_table(quality: "Quality") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title="found, the serious first", title_justify="left", show_lines=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("which, the worst first", overflow="fold")
    for finding in quality.findings:
        lines = [finding.meaning, *(f"  {line}" for line in _examples(finding, quality.root))]
        style = "bold red" if finding.serious else ""
        table.add_row(
            Text(finding.name, style), Text(str(len(finding.cases)), style), Text("\n".join(lines))
        )
    return table


def _examples(finding: "Finding", root: Path) -> list[str]:
    from kws.data.quality_corpus import clip_name

    lines = []
    for case in finding.cases[:_EXAMPLES]:
        names = [clip_name(clip, root) for clip in case.clips[:_EXAMPLES]]
        more = ["..."] if len(case.clips) > _EXAMPLES else []
        lines.append(": ".join(filter(None, (" = ".join(names + more), case.text))))
    return lines + (["..."] if len(finding.cases) > _EXAMPLES else [])


def _label_table(quality: "Quality") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from kws.data.manifest import SPLITS

    table = Table(
        title="labels; medians of noise floor (dBFS) and of speech over it (dB)",
        title_justify="left",
    )
    table.add_column("label", overflow="fold")
    headings = ("clips", *SPLITS, "speakers", "seconds", "floor", "speech", "faulty")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for one in quality.labels:
        counts = (one.clips, *one.splits, one.speakers, one.seconds, one.floor_dbfs, one.snr_db)
        cells = ["–" if count is None else f"{count:.0f}" for count in (*counts, one.faulty)]
        table.add_row(Text(one.label), *cells)
    return table


def _as_json(quality: "Quality") -> dict[str, Any]:
    from dataclasses import asdict

    from kws.data.manifest import SPLITS
    from kws.data.quality_corpus import path_text, plain

    return {
        "data": path_text(quality.root),
        "sample_rate_hz": quality.sample_rate_hz,
        "clips": quality.clips,
        "seconds": quality.seconds,
        "speakers": quality.speakers,
        "labels": [
            asdict(one) | {"splits": dict(zip(SPLITS, one.splits, strict=True))}
            for one in quality.labels
        ],
        "findings": [
            {
                "name": finding.name,
                "meaning": finding.meaning,
                "serious": finding.serious,
                "cases": [
                    {
                        "text": case.text,
                        "clips": [
                            asdict(clip)
                            | {"path": path_text(clip.path), "speaker": plain(clip.speaker)}
                            for clip in case.clips
                        ],
                    }
                    for case in finding.cases
                ],
            }
            for finding in quality.findings
        ],
    }

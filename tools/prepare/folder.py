"""Make a manifest of any folder of recordings, or of someone's table of clips.

The folder has one folder a label, with sound files at any depth. Or a table names the clips: Common
Voice, Multilingual Spoken Words, or one's own with the columns path, label and, where there are,
speaker, split, start, duration. Or recordings with a wake word stand against recordings without.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kws.data.manifest import Clip

HELP = "make a manifest of any folder, or of someone's table of clips"
LARGEST_TABLE = 40


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("dir", type=Path, nargs="?", metavar="DIR", help="folder of the recordings")
    parser.add_argument(
        "--speaker-pattern",
        metavar="REGEX",
        help="finds the speaker in a path below DIR, in group 1 or (?P<speaker>…)",
    )
    parser.add_argument(
        "--metadata", type=Path, nargs="+", metavar="FILE", help="tables of clips, .csv or .tsv"
    )
    parser.add_argument(
        "--keywords", nargs="+", default=[], help="sentences of a table that are labels, too"
    )
    parser.add_argument("--word", metavar="NAME", help="a single wake word")
    parser.add_argument(
        "--positives", type=Path, nargs="+", metavar="DIR", help="recordings of the wake word alone"
    )
    parser.add_argument(
        "--negatives", type=Path, nargs="+", metavar="DIR", help="recordings without it, any length"
    )
    parser.add_argument(
        "--clip-seconds", type=float, default=1.0, help="pieces of long negatives (default: 1)"
    )
    parser.add_argument(
        "--shares",
        type=float,
        nargs=3,
        metavar=("TRAINING", "VALIDATION", "TESTING"),
        help="percent of the speakers; divides anew (default: splits of a table, else 80 10 10)",
    )
    parser.add_argument("--out", type=Path, help="the manifest (default: DIR/manifest.csv)")


def main(arguments: argparse.Namespace) -> None:
    """List the clips, divide them, write the manifest, show what is in it."""
    from kws.data.manifest import SPLITS
    from kws.data.manifest_file import NAME, write_manifest
    from kws.data.speakers import name_speakers
    from kws.data.splits import Shares, check_disjoint, divide
    from kws.errors import DataError

    _check(arguments)
    shares = Shares(*arguments.shares) if arguments.shares else None
    out = arguments.out or arguments.dir / NAME
    if out.exists():
        raise DataError(f"{out}: is there already, perhaps edited; remove it, or give --out")
    clips, notes = _gather(arguments)
    roots = [arguments.dir] if arguments.dir else arguments.positives + arguments.negatives
    clips, unknown = name_speakers(clips, roots, arguments.speaker_pattern)
    clips = divide(clips, shares)
    check_disjoint(clips, out)
    write_manifest(out, clips)
    for note in notes + unknown:
        print(note)
    _show(clips)
    for split in SPLITS:
        if not any(clip.split == split for clip in clips):
            print(f"no {split} clips: more speakers, or other --shares, give some")
    print(f"manifest: {out}\nnext: python tools/prepare_data.py check {out}")


def _check(arguments: argparse.Namespace) -> None:
    """Refuse arguments that do not go together."""
    from kws.errors import DataError

    wake_word = [arguments.word, arguments.positives, arguments.negatives]
    if any(wake_word):
        if not all(wake_word) or arguments.dir or arguments.metadata or not arguments.out:
            raise DataError(
                "a wake word needs --word, --positives, --negatives and --out, and no DIR"
            )
        if not 0.1 <= arguments.clip_seconds <= 60:
            raise DataError(
                f"--clip-seconds {arguments.clip_seconds:g}: expected between 0.1 and 60"
            )
    elif not arguments.dir:
        raise DataError("no DIR: expected a folder, or --word, --positives and --negatives")


def _gather(arguments: argparse.Namespace) -> "tuple[list[Clip], list[str]]":
    if arguments.word:
        from kws.data.wake_word import gather_wake_word

        return gather_wake_word(
            arguments.word, arguments.positives, arguments.negatives, arguments.clip_seconds
        )
    if arguments.metadata:
        from kws.data.tables import read_tables

        table = read_tables(arguments.metadata, arguments.dir, tuple(arguments.keywords))
        return table.clips, table.notes()
    from kws.data.folder import gather_folder

    return gather_folder(arguments.dir)


def _show(clips: "list[Clip]") -> None:
    """Print clips and speakers by label and split; the largest labels where there are many."""
    from rich.console import Console
    from rich.table import Table

    from kws.data.manifest import SPLITS
    from kws.data.splits import counts

    by_label = counts(clips)
    largest = sorted(by_label, key=lambda label: -sum(n for n, _ in by_label[label].values()))
    table = Table(title=f"{len(clips)} clips of {len(by_label)} labels", caption="clips (speakers)")
    table.add_column("label")
    for split in SPLITS:
        table.add_column(split, justify="right", no_wrap=True)
    for label in sorted(largest[:LARGEST_TABLE]):
        table.add_row(label, *map(_cell, by_label[label].values()))
    rest = largest[LARGEST_TABLE:]
    if rest:
        sums = [sum(by_label[label][split][0] for label in rest) for split in SPLITS]
        table.add_row(f"{len(rest)} more labels", *map(str, sums))
    Console().print(table)


def _cell(found: tuple[int, int]) -> str:
    clips, speakers = found
    return f"{clips} ({speakers or '?'})" if clips else "-"

"""Download Google Speech Commands and make a task of it: a manifest of who says what.

The twelve-class task of the paper, all words, or keywords of one's own.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kws.data.commands_task import Task
    from kws.data.manifest import Clip

HELP = "download Google Speech Commands and make a task of it"
_SEED = 59185
"""Of the choice among other words: the same task every time."""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="data folder")
    parser.add_argument("--version", choices=("v0.01", "v0.02"), default="v0.02")
    parser.add_argument(
        "--archive", type=Path, metavar="FILE", help="the archive, if you have it: no download"
    )
    parser.add_argument(
        "--test-archive", type=Path, metavar="FILE", help="the test archive, if you have it"
    )
    task = parser.add_mutually_exclusive_group()
    task.add_argument(
        "--task",
        choices=("12", "35"),
        default="12",
        help="12: ten commands, unknown and silence (default); 35: all words (v0.01 has 30)",
    )
    task.add_argument("--keywords", nargs="+", metavar="WORD", help="a task of your own")


def main(arguments: argparse.Namespace) -> None:
    """Get the archives, choose the clips, write the manifest, say what there is."""
    import numpy as np

    from kws.data.commands_task import make_task
    from kws.data.manifest_file import NAME
    from kws.data.speech_commands import COMMANDS

    out: Path = arguments.out
    keywords: tuple[str, ...] | None = COMMANDS if arguments.task == "12" else None
    if arguments.keywords:
        keywords = tuple(arguments.keywords)
    notes = _get(arguments, keywords is not None and set(keywords) == set(COMMANDS))
    task = make_task(out, keywords, np.random.default_rng(_SEED))
    for note in (*notes, *task.notes, *_write(out / NAME, task.clips)):
        print(f"note: {note}")
    _print_table(task, arguments.version)
    print(f"the task is in {out / NAME}; next: {_next(task, out)}")


def _get(arguments: argparse.Namespace, tests_officially: bool) -> list[str]:
    """Download or unpack what is not there yet; gives what people should know of it."""
    from kws.data.commands_archive import TEST_FOLDER, get_corpus, get_test
    from kws.errors import DataError

    out, version, test_archive = arguments.out, arguments.version, arguments.test_archive
    if test_archive and not tests_officially:
        raise DataError(
            f"{test_archive}: the test archive is of the ten commands, other keywords are tested "
            "on the corpus's testing speakers; leave --test-archive out"
        )
    notes = get_corpus(out, version, arguments.archive)
    if test_archive or (tests_officially and not arguments.archive):
        notes += get_test(out, version, test_archive)
    elif tests_officially and not (out / TEST_FOLDER).is_dir():
        notes.append(
            "the testing clips are the corpus's own, without silence: the official test archive "
            "is not there; give it with --test-archive"
        )
    return notes


def _write(manifest: Path, clips: "list[Clip]") -> list[str]:
    """Write the manifest; one of another task, or that was edited, is kept under another name."""
    from kws.data.manifest_file import write_manifest
    from kws.files import write_bytes

    before = manifest.read_bytes() if manifest.is_file() else None
    write_manifest(manifest, clips)
    if before in (None, manifest.read_bytes()):
        return []
    old = manifest.with_suffix(".old.csv")
    write_bytes(old, before)
    return [f"{manifest} was another one; it is kept as {old}"]


def _print_table(task: "Task", version: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from kws.data.commands_task import count_clips
    from kws.data.manifest import SPLITS

    table = Table(title=f"Speech Commands {version}: clips by split")
    table.add_column("label", no_wrap=True)
    counts = count_clips(task)
    for split in SPLITS:
        table.add_column(split, justify="right")
    for label, count in counts.items():
        table.add_row(label, *(f"{count[split]:,}" for split in SPLITS))
    table.add_section()
    table.add_row("all", *(f"{sum(c[split] for c in counts.values()):,}" for split in SPLITS))
    Console().print(table)


def _next(task: "Task", out: Path) -> str:
    """The command that goes on from here."""
    recipe = "recipes/speech_commands_8/gru_stream.yaml"
    words = ",".join(task.keywords)
    command = f"python tools/train.py {recipe} --data {out} --set 'data.keywords=[{words}]'"
    if all(clip.label in task.keywords for clip in task.clips):
        return f"{command} --set data.unknown=false"
    return f"{command} --set data.silence_share=0.0833"  # a tenth of the keywords' number

"""List what the cache of features holds, or prune it."""

import argparse
from pathlib import Path

HELP = "list or prune the features that were kept"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--dir", type=Path, default=Path("runs/cache"), help="cache folder (default: runs/cache)"
    )
    parser.add_argument(
        "--prune",
        type=float,
        metavar="DAYS",
        help="remove what was not used for so many days (0: all), and what is outdated",
    )


def main(arguments: argparse.Namespace) -> None:
    """Print a table, or what was removed."""
    from rich.console import Console
    from rich.table import Table

    from kws.data.cache_list import list_cache, prune_cache
    from kws.errors import DataError

    if arguments.prune is None:
        found, title = list_cache(arguments.dir), f"{arguments.dir}"
    elif not arguments.prune >= 0:
        raise DataError(f"--prune {arguments.prune}: expected a number of days, 0 or more")
    else:
        found, title = prune_cache(arguments.dir, arguments.prune), "removed"
    columns = ("key", "recipe", "split", "clips", "copies", "MB", "days unused")
    table = Table(*columns, title=title)
    for entry in found:
        table.add_row(
            entry.folder.name[:8],
            entry.recipe if entry.state == "complete" else f"({entry.state})",
            entry.split,
            f"{entry.clips:,}",
            str(entry.copies),
            f"{entry.file_bytes / 1e6:.1f}",
            f"{entry.unused_days:.1f}",
        )
    Console().print(table)
    total = sum(entry.file_bytes for entry in found)
    print(
        f"{len(found)} entries, {total / 1e6:.1f} MB{'' if arguments.prune is None else ' freed'}"
    )

"""Let synthesizers speak words and sentences, by many voices, into a folder to train on."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from prepare.whose_voices import add_voices, chosen_voices

if TYPE_CHECKING:
    from kws.data.saying import Corpus

HELP = "let synthesizers speak words and sentences"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    parser.add_argument(
        "--keywords",
        nargs="+",
        default=[],
        metavar="WORD",
        help="words to be spotted; hey_marvin is spoken as two words",
    )
    parser.add_argument(
        "--text",
        nargs="+",
        action="extend",
        default=[],
        metavar="TEXT",
        help="other words or sentences to say, a label each; put quotes around each",
    )
    parser.add_argument(
        "--near-misses",
        type=int,
        default=0,
        metavar="N",
        help="also N words and non-words a keyword that sound much like it",
    )
    parser.add_argument(
        "--sentences",
        action="store_true",
        help="also long recordings to test on, with keywords and without, with their times",
    )
    parser.add_argument(
        "--takes", type=int, default=50, metavar="N", help="clips of each keyword (default 50)"
    )
    parser.add_argument(
        "--other-takes",
        type=int,
        metavar="N",
        help="clips of each text and near miss (default: as many as of a keyword)",
    )
    add_voices(parser)
    parser.add_argument("--seed", type=int, default=1)


def main(arguments: argparse.Namespace) -> None:
    """Speak, and show what there is."""
    from kws.data.saying import say_corpus
    from kws.data.saying_order import Order

    voices = chosen_voices(arguments)
    order = Order(
        keywords=tuple(arguments.keywords),
        texts=tuple(arguments.text),
        takes=arguments.takes,
        other_takes=arguments.other_takes,
        near_misses=arguments.near_misses,
        sentences=arguments.sentences,
        seed=arguments.seed,
    )
    _show(say_corpus(order, voices, arguments.out), order.near_misses, arguments.out)


def _show(corpus: "Corpus", wanted: int, out: Path) -> None:
    from collections import Counter

    from rich.console import Console
    from rich.table import Table

    from kws.data.manifest import SPLITS

    console = Console(highlight=False)
    table = Table("folder", "clips", "speakers", *SPLITS)
    for name in dict.fromkeys(clip.path.parent.name for clip in corpus.clips):
        clips = [clip for clip in corpus.clips if clip.path.parent.name == name]
        splits = Counter(clip.split for clip in clips)
        speakers = len({clip.speaker for clip in clips})
        table.add_row(name, *map(str, (len(clips), speakers, *(splits[s] for s in SPLITS))))
    console.print(table)
    misses = Counter(miss.keyword for miss in corpus.near_misses)
    for keyword, found in misses.items():
        near = [miss for miss in corpus.near_misses if miss.keyword == keyword]
        said = ", ".join(miss.text or f"/{miss.pronunciation.ipa}/" for miss in near)
        less = f" (only {found} of {wanted} found)" if found < wanted else ""
        console.print(f"near {keyword}{less}: {said}", markup=False)
    for path, seconds in corpus.streams:
        console.print(f"stream {path}: {seconds / 60:.1f} min", markup=False)
    empty = [split for split in SPLITS if not any(clip.split == split for clip in corpus.clips)]
    if empty:
        console.print(f"no clips for {' and '.join(empty)}: more takes or more voices give some")
    console.print(
        f"{len(corpus.clips)} clips, {corpus.spoken} of them new, listed in {out}/manifest.csv; "
        f"train on them with --data {out}",
        markup=False,
    )

"""Tables for the terminal."""

from rich.console import Console
from rich.table import Table

from kws.report.open_set_table import open_set_table
from kws.tflite.metadata import Metadata
from kws.tflite.verify import Drift, Verification


def print_verification(metadata: Metadata, found: Verification) -> None:
    """Print what :func:`kws.tflite.verify.verify` measured."""
    console = Console()
    table = Table(
        title=f"{metadata.recipe}: {metadata.form}, {found.clips} validation clips",
        caption="= share of clips with the same answer; difference of posteriors, 1/256 steps",
    )
    table.add_column("", no_wrap=True)
    for heading in ("accuracy", "= float", "= LiteRT", "largest", "mean"):
        table.add_column(heading, justify="right", no_wrap=True)
    if found.accuracy_before is not None:
        table.add_row("float, before int8", f"{found.accuracy_before:.2%}")
    for row in found.rows:
        table.add_row(
            row.name,
            f"{row.accuracy:.2%}",
            f"{row.agreement_with_float:.2%}",
            "" if row.agreement_with_litert is None else f"{row.agreement_with_litert:.2%}",
            f"{row.largest_difference_steps:.1f}",
            f"{row.mean_difference_steps:.3f}",
        )
    console.print(table)
    if found.open_set:
        console.print(open_set_table(found.open_set))
    types = ", ".join(f"{count} {name}" for name, count in found.tensor_types.items())
    arena = f"{found.arena_bytes:,} bytes in use, {found.arena_smallest_bytes:,} to start"
    facts = {
        "file": f"{found.file_bytes:,} bytes (float: {found.float_file_bytes:,})",
        "TFLM arena": arena,
        "multiply-accumulates": f"{found.macs_per_second / 1e6:.2f} million a second of audio",
        "tensors": types,
        "operators": " ".join(found.operators),
    }
    if found.drift:
        facts["state drift"] = drift_text(found.drift)
    grid = Table.grid(padding=(0, 2))
    for name, text in facts.items():
        grid.add_row(name, text)
    console.print(grid)


def drift_text(drift: Drift) -> str:
    """The drift in one line."""
    return (
        f"mean distance of the {drift.of} from float: {drift.first_minute_steps:.2f} steps in the "
        f"first minute, {drift.last_minute_steps:.2f} in minute {drift.minutes} "
        f"(largest {drift.largest_minute_steps:.2f})"
    )

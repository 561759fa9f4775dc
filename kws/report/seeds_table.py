"""The table of several seeds, for the terminal."""

from rich.console import Console
from rich.table import Table

from kws.seeds import Figure, Seeds

_COUNTS = ("weights", "clips", "bytes", "second")
"""How the names of whole numbers end."""
_NAMES = {
    "validation_accuracy": "accuracy in TFLM",
    "float_validation_accuracy": "float accuracy",
    "agreement_with_float": "= float",
}


def print_seeds(found: Seeds) -> None:
    """Print every figure by seed, with mean and standard deviation."""
    table = Table(title=f"{found.recipe}: {len(found.seeds)} seeds")
    table.add_column("", no_wrap=True)
    for seed in found.seeds:
        table.add_column(f"seed {seed}", justify="right", no_wrap=True)
    table.add_column("mean ± deviation", justify="right", no_wrap=True)
    for name, figure in found.figures.items():
        values = [_text(name, value) for value in figure.values]
        table.add_row(_NAMES.get(name, name.replace("_", " ")), *values, spread_text(name, figure))
    Console().print(table)


def spread_text(name: str, figure: Figure) -> str:
    """Mean and standard deviation, as ``96.30 ± 0.21 %``."""
    if name.endswith(_COUNTS) or name == "training_minutes":
        return f"{_text(name, figure.mean)} ± {_text(name, figure.standard_deviation)}"
    return f"{100 * figure.mean:.2f} ± {100 * figure.standard_deviation:.2f} %"


def _text(name: str, value: float) -> str:
    if name == "training_minutes":
        return f"{value:.1f}"
    return f"{value:,.0f}" if name.endswith(_COUNTS) else f"{value:.2%}"

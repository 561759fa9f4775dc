"""The table of several seeds, for the terminal."""

from rich.console import Console
from rich.table import Table

from kws.seeds import Figure, Seeds

_COUNTS = ("weights", "clips", "bytes", "second")
"""How the names of whole numbers end."""
_NAMES = {
    "validation_accuracy": "accuracy in TFLM",
    "float_validation_accuracy": "float accuracy",
    "accuracy_before": "float accuracy before int8",
    "agreement_with_float": "= float",
    "training_minutes": "minutes of training",
}


def print_seeds(found: Seeds) -> None:
    """Print every figure by seed, with mean and standard deviation."""
    table = Table(title=f"{found.recipe}: {len(found.seeds)} seeds")
    table.add_column("", no_wrap=True)
    for seed in found.seeds:
        table.add_column(f"seed {seed}", justify="right", no_wrap=True)
    table.add_column("mean ± deviation", justify="right", no_wrap=True)
    for row in seed_rows(found, tuple(found.figures)):
        table.add_row(*row)
    Console().print(table)


def seed_rows(found: Seeds, names: tuple[str, ...]) -> list[list[str]]:
    """Of each figure its name, its value by seed, and mean and deviation, as text."""
    return [
        [
            _NAMES.get(name, name.replace("_", " ")),
            *(_text(name, value) for value in found.figures[name].values),
            spread_text(name, found.figures[name]),
        ]
        for name in names
    ]


def spread_text(name: str, figure: Figure) -> str:
    """Mean and standard deviation, as ``96.30 ± 0.21 %``."""
    if name.endswith(_COUNTS) or name == "training_minutes":
        return f"{_text(name, figure.mean)} ± {_text(name, figure.standard_deviation)}"
    return f"{100 * figure.mean:.2f} ± {100 * figure.standard_deviation:.2f} %"


def _text(name: str, value: float) -> str:
    if name == "training_minutes":
        return f"{value:.1f}"
    return f"{value:,.0f}" if name.endswith(_COUNTS) else f"{value:.2%}"

"""Put runs side by side: python tools/compare.py RUN RUN ... [--plot FILE] [--html FILE]"""

import argparse
from pathlib import Path

from cli import run


def main() -> None:
    """Read arguments, compare, print the table, write what was asked for."""
    parser = argparse.ArgumentParser(
        description="Put converted runs side by side. Runs whose recipes differ by the seed alone "
        "are one row: mean ± standard deviation."
    )
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="run folder, converted by convert.py"
    )
    parser.add_argument("--each", action="store_true", help="a row for every run, also for seeds")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="accuracy against bytes")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="table and plot as a self-contained page"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    arguments = parser.parse_args()

    from kws.report.compare import compare
    from kws.report.compare_plot import write_comparison_plot
    from kws.report.compare_show import (
        print_comparison,
        write_comparison_json,
        write_comparison_page,
    )

    comparison = compare(arguments.runs, arguments.each)
    print_comparison(comparison)
    for path, write in (
        (arguments.plot, write_comparison_plot),
        (arguments.html, write_comparison_page),
        (arguments.json, write_comparison_json),
    ):
        if path:
            write(path, comparison)
            print(f"written: {path}")


if __name__ == "__main__":
    run(main)

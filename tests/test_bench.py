"""The bench: naive conversions beside ours, in one run, written as a table."""

import sys

import pytest
from conftest import ROOT, optimized, run_tool


def cells_of(text: str) -> dict[str, list[str]]:
    """Rows of Markdown tables by their first cell."""
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        rows[cells[0]] = cells[1:]
    return rows


def bytes_of(cells: list[str]) -> tuple[int, int]:
    """File and arena bytes of a row."""
    return int(cells[0].replace(",", "")), int(cells[1].replace(",", ""))


@pytest.mark.slow
def test_a_gru_is_a_ninth_of_what_naive_conversion_gives(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    from bench import markdown, size_rows

    rows = cells_of(markdown("sizes", ("way", "file"), size_rows(((64, False),))))
    assert "dies" in rows["keras GRU(64), loop kept, full int8"][2]
    assert "TFLM refuses it" in rows["keras GRU(64), loop kept, dynamic range"][2]
    unrolled = bytes_of(rows["keras GRU(64), unrolled, full int8"])
    stream = bytes_of(rows["this toolkit: GRU(64), int8 stream"])
    window = bytes_of(rows["this toolkit: GRU(64), int8 window"])
    assert stream[0] < window[0] < unrolled[0] / 9
    assert stream[1] < window[1] < unrolled[1] / 10
    naive = bytes_of(rows["keras DS-CNN of MLPerf Tiny, full int8"])
    assert bytes_of(rows["this toolkit: `dscnn_reference`, the same net"])[0] < naive[0]


@pytest.mark.slow
def test_bench_writes_its_tables(tmp_path):
    """Those that take seconds, and the speed of training; sizes are above."""
    wanted = ("training", "features", "calls", "listening", "steps")
    run_tool("bench.py", *wanted, "--out", tmp_path / "bench.md", env=optimized())
    rows = cells_of((tmp_path / "bench.md").read_text())
    assert rows["keras.layers.GRU, float"][1] == "1.00"
    assert float(rows["the C engine, gcc -O3"][1]) > 1
    assert float(rows["litert, blocks of 20 ms"][0].rstrip("%")) > 0
    assert rows["streaming, blocks of 20 ms"][0].endswith("% of real time")
    assert 0 <= float(rows["waiting for the batch"][0].rstrip("%")) < 100
    assert not any(name.startswith("keras GRU(64)") for name in rows)


def test_an_unknown_table_is_refused(tmp_path):
    told = run_tool("bench.py", "speed", "--out", tmp_path / "b.md", status=2).stderr
    assert "'speed' is no table; expected some of sizes, training, features" in told

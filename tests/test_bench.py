"""The bench: naive conversions beside ours, in one run, written as a table."""

import pytest
from conftest import run_tool


@pytest.mark.slow
def test_bench_writes_its_tables(tmp_path):
    run_tool("bench.py", "--out", tmp_path / "bench.md")
    text = (tmp_path / "bench.md").read_text()
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        rows[cells[0]] = cells[1:]
    assert "dies" in rows["keras GRU(64), loop kept, full int8"][2]
    assert "TFLM refuses it" in rows["keras GRU(64), loop kept, dynamic range"][2]
    unrolled = bytes_of(rows["keras GRU(64), unrolled, full int8"])
    stream = bytes_of(rows["this toolkit: GRU(64), int8 stream"])
    window = bytes_of(rows["this toolkit: GRU(64), int8 window"])
    assert stream[0] < window[0] < unrolled[0] / 9
    assert stream[1] < window[1] < unrolled[1] / 10
    both = bytes_of(rows["this toolkit: Bidirectional(60), int8 window"])
    assert both[0] < bytes_of(rows["keras Bidirectional(60), unrolled, full int8"])[0] / 10
    assert rows["keras.layers.GRU, float"][1] == "1.00"
    assert float(rows["the C engine, gcc -O3"][1]) > 1
    assert float(rows["litert, blocks of 20 ms"][0].rstrip("%")) > 0
    assert rows["streaming, blocks of 20 ms"][0].endswith("% of real time")


def bytes_of(cells: list[str]) -> tuple[int, int]:
    """File and arena bytes of a row."""
    return int(cells[0].replace(",", "")), int(cells[1].replace(",", ""))

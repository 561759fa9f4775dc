"""Runs side by side, from run folders written by hand and by the tool."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import refused, run_tool
from matplotlib.image import imread
from test_report import COMPRESSED, HISTORY, LABELS, WINDOW, Page, answers_of, entry, row, verify_as

from kws.errors import RunError, StorageError
from kws.recipe_io import parse_recipe, write_recipe
from kws.report.answers import answers_path, write_answers
from kws.report.compare import FIGURES, Comparison, compare
from kws.report.compare_plot import write_comparison_plot
from kws.report.compare_show import (
    COLUMNS,
    cells,
    columns,
    headings,
    notes,
    print_comparison,
    title,
    write_comparison_json,
    write_comparison_page,
)
from kws.run import RunFolder
from kws.spotting.metrics import wilson_interval

ALL = list(COLUMNS)


def make_run(path: Path, accuracy: float, seed: int = 1, units: int = 8, **changes) -> RunFolder:
    """A run whose deployed file is as accurate as said, and whose float model has 95 %."""
    run = RunFolder(path)
    values = {
        "name": "tiny",
        "seed": seed,
        "data": {"keywords": list(LABELS[:2])},
        "model": {"units": [units]},
    }
    write_recipe(parse_recipe(values, "test"), run.recipe)
    run.history.write_text(HISTORY)
    run.facts.write_text(json.dumps({"data": "/clips"}))
    rows = [row("float Keras", 0.95), row("int8 LiteRT", 0.9), row("int8 TFLM", accuracy, 0.99)]
    verify_as(run, entry("model.tflite", **{"rows": rows} | changes))
    return run


def know_clips(run: RunFolder, fingerprint: str) -> None:
    changes = {"fingerprint": np.array(fingerprint)}
    write_answers(answers_path(run, "model.tflite"), answers_of(**changes))


def rows_of(comparison: Comparison) -> list[list[str]]:
    return [cells(row, ALL) for test in comparison.tests for row in test.rows]


def test_a_row_holds_the_figures_of_the_run(tmp_path):
    make_run(tmp_path / "a", 0.9375)
    (found,) = rows_of(compare([tmp_path / "a"]))
    assert found == [
        "a", "1", "int8 stream", "21,002", "29,012", "–", "5,712", "–", "–", "1.05 M", "95.00",
        "93.75", "+1.25", "98.75", "–", "–", "3", "–",
    ]  # fmt: skip
    assert list(COLUMNS) == list(FIGURES)


def test_deflated_and_compressed_bytes_have_columns_where_they_are(tmp_path):
    make_run(tmp_path / "a", 0.9, deflated_bytes=16384, compressed=COMPRESSED)
    make_run(tmp_path / "b", 0.9, 2, units=9, deflated_bytes=17000)
    comparison = compare([tmp_path / "a", tmp_path / "b"])
    shown = columns(comparison)
    assert headings(shown)[3:10] == [
        "weights", "file B", "deflated B", "arena B", "compr. B", "compr. arena B", "MAC/s",
    ]  # fmt: skip
    told = [cells(row, shown)[4:9] for row in comparison.tests[0].rows]
    assert told[0] == ["29,012", "16,384", "5,712", "19,020", "9,216"]
    assert told[1] == ["29,012", "17,000", "5,712", "–", "–"]
    assert notes(comparison)[0].startswith("compr.: the file for TFLM alone by convert.py")
    plain = columns(compare([tmp_path / "b"]))
    assert "deflated_bytes" in plain
    assert "compressed_bytes" not in plain


def test_minutes_are_what_training_noted(tmp_path):
    run = make_run(tmp_path / "a", 0.9)
    assert "minutes" not in columns(compare([run.path]))
    run.facts.write_text(json.dumps({"data": "/clips", "training_minutes": 2.25}))
    comparison = compare([run.path])
    assert rows_of(comparison)[0][-1] == "2.2"
    assert columns(comparison)[-1] == "minutes"


def test_words_never_heard_have_columns_where_they_were_asked(tmp_path):
    def point(name, count):
        low, high = wilson_interval(count, 40)
        taken = {"count": count, "total": 40, "value": count / 40, "low": low, "high": high}
        return {"name": name, "threshold": 0.5, "accuracy": taken, "taken": taken, "words": []}

    points = {
        name: point(name, 9 - 3 * i) for i, name in enumerate(("maximum", "decoder", "chosen"))
    }
    make_run(tmp_path / "a", 0.9, open_set=points)
    make_run(tmp_path / "b", 0.9, 2, units=9)
    comparison = compare([tmp_path / "a", tmp_path / "b"])
    shown = columns(comparison)
    packing = ("deflated_bytes", "compressed_bytes", "compressed_arena_bytes")
    assert shown == [name for name in COLUMNS if name not in ("minutes", *packing)]
    # 9 and 6 of 40
    assert [row[14:16] for row in rows_of(comparison)] == [["22.5", "15.0"], ["–", "–"]]
    assert any(note.startswith("unseen: clips of words never heard") for note in notes(comparison))
    verify_as(RunFolder(tmp_path / "b"), entry("model.tflite"))
    assert "unseen_taken" not in columns(compare([tmp_path / "b"]))


def test_seeds_are_one_row_with_mean_and_deviation(tmp_path):
    for seed, accuracy in ((1, 0.90), (2, 0.92), (3, 0.94)):
        make_run(tmp_path / f"seed{seed}", accuracy, seed)
    make_run(tmp_path / "wide", 0.95, units=16)
    paths = [tmp_path / name for name in ("seed2", "wide", "seed1", "seed3")]
    comparison = compare(paths)
    first, second = comparison.tests[0].rows
    # 90, 92, 94: the mean is 92, the deviation sqrt((4 + 0 + 4) / 2) = 2
    assert first.figures["accuracy"].mean == pytest.approx(0.92)
    assert first.figures["accuracy"].deviation == pytest.approx(0.02)
    assert first.figures["int8_cost"].mean == pytest.approx(0.03)
    shown = cells(first, ALL)
    assert shown[:2] == ["tiny", "2 1 3"]
    assert shown[10:13] == ["95.00 ± 0.00", "92.00 ± 2.00", "+3.00 ± 2.00"]
    assert cells(second, ALL)[:2] == ["wide", "1"]
    assert second.figures["accuracy"].deviation is None
    assert notes(comparison) == ["± is the standard deviation between seeds"]
    each = compare(paths, each=True)
    assert [one[0] for one in rows_of(each)] == ["seed2", "wide", "seed1", "seed3"]
    assert notes(each) == []


def test_what_differs_in_more_than_the_seed_stays_apart(tmp_path):
    make_run(tmp_path / "a", 0.9, 1)
    make_run(tmp_path / "b", 0.9, 2, units=9)
    make_run(tmp_path / "c", 0.9, 3, **WINDOW)
    assert [one[0] for one in rows_of(compare([tmp_path / name for name in "abc"]))] == list("abc")


def test_the_same_seed_is_not_counted_twice(tmp_path):
    for name in ("a", "b"):
        make_run(tmp_path / name, 0.9)
    make_run(tmp_path / "c", 0.92, 2)
    comparison = compare([tmp_path / name for name in ("a", "b", "c", "a")])
    assert rows_of(comparison)[0][:2] == ["tiny", "1 2"]
    twice, same = comparison.left_out
    assert twice == f"{tmp_path}/a: named twice, counted once"
    assert same.startswith(f"{tmp_path}/b (model.tflite): the same recipe and seed as {tmp_path}/a")
    assert len(rows_of(compare([tmp_path / "a", tmp_path / "b"], each=True))) == 2


def test_every_verified_file_has_its_row(tmp_path):
    run = make_run(tmp_path / "a", 0.9)
    verify_as(run, entry("model_window.tflite", **WINDOW), entry("model.tflite"))
    found = rows_of(compare([run.path]))
    assert [one[0] for one in found] == ["a", "a model_window.tflite"]
    assert [one[2] for one in found] == ["int8 stream", "int8 window"]


def test_runs_of_one_name_are_told_apart(tmp_path):
    for folder in ("x", "y"):
        make_run(tmp_path / folder / "tiny", 0.9, units=len(folder) + ord(folder))
    paths = [tmp_path / folder / "tiny" for folder in ("x", "y")]
    assert [one[0] for one in rows_of(compare(paths))] == [str(path) for path in paths]


def test_a_float_file_has_no_int8_cost(tmp_path):
    rows = [row("float Keras", 0.94), row("float32 LiteRT", 0.94), row("float32 TFLM", 0.94, 1.0)]
    make_run(tmp_path / "a", 0.9, precision="float32", rows=rows)
    found = rows_of(compare([tmp_path / "a"]))[0]
    assert (found[2], found[11], found[12]) == ("float32 stream", "94.00", "–")


def test_clips_that_differ_are_different_tables(tmp_path):
    for name, seed, fingerprint in (("a", 1, "one"), ("b", 2, "two"), ("c", 3, "one")):
        know_clips(make_run(tmp_path / name, 0.9 + seed / 100, seed), fingerprint)
    comparison = compare([tmp_path / name for name in "abc"])
    assert [one[1] for one in rows_of(comparison)] == ["1 3", "2"]
    assert [test.clips.fingerprint for test in comparison.tests] == ["one", "two"]
    assert all(test.certain for test in comparison.tests)
    assert title(comparison.tests[0]) == "50 validation clips, 4 labels, from /clips"
    assert notes(comparison)[-1].startswith("measured on 2 different sets of clips: figures of one")


def test_other_numbers_of_clips_are_other_clips(tmp_path):
    make_run(tmp_path / "a", 0.9)
    counts = [[8, 1, 1, 0], [0, 10, 0, 0], [0, 2, 18, 0], [0, 0, 0, 11]]
    make_run(tmp_path / "b", 0.9, 2, confusion=counts, clips=51)
    comparison = compare([tmp_path / "a", tmp_path / "b"])
    assert [test.clips.count for test in comparison.tests] == [50, 51]
    assert all(test.certain for test in comparison.tests)


@pytest.mark.parametrize("known", ["", "a", "ab"])
def test_doubt_about_the_clips_is_told(tmp_path, known):
    """Of runs without answers only the clips' numbers are known."""
    for seed, name in enumerate("abc", 1):
        run = make_run(tmp_path / name, 0.9, seed)
        if name in known:
            know_clips(run, "one")
    (test,) = compare([tmp_path / name for name in "abc"]).tests
    assert len(test.rows[0].entries) == 3
    assert not test.certain
    assert title(test).endswith("; not sure to be the same clips, only as many of each label")


def test_runs_that_cannot_be_compared_are_named(tmp_path):
    good = make_run(tmp_path / "good", 0.9)
    make_run(tmp_path / "unconverted", 0.9, 2).metrics.unlink()
    make_run(tmp_path / "damaged", 0.9, 3).metrics.write_text("{")
    make_run(tmp_path / "untrained", 0.9, 4).history.unlink()
    make_run(tmp_path / "broken", 0.9, 5).recipe.write_text("name: 3")
    (tmp_path / "empty").mkdir()
    names = ("unconverted", "good", "damaged", "untrained", "broken", "empty", "gone")
    comparison = compare([tmp_path / name for name in names])
    assert [one[0] for one in rows_of(comparison)] == ["good"]
    for sentence, (name, reason) in zip(
        comparison.left_out,
        (
            ("unconverted", "no verified model file yet; python tools/convert.py"),
            ("damaged", "metrics.json: cannot be read"),
            ("untrained", "no history.csv"),
            ("broken", "recipe.yaml"),
            ("empty", "not a run folder (no recipe.yaml)"),
            ("gone", "no such run folder"),
        ),
        strict=True,
    ):
        assert sentence.startswith(str(tmp_path / name))
        assert reason in sentence
    assert notes(comparison) == [f"left out: {sentence}" for sentence in comparison.left_out]
    with pytest.raises(RunError, match=r"none of the runs can be compared: \S+gone: no such run"):
        compare([tmp_path / "gone"])
    assert good.metrics.is_file()


@pytest.fixture
def three(tmp_path) -> Comparison:
    make_run(tmp_path / "a<b>", 0.9)
    make_run(tmp_path / "b", 0.92, 2, units=9, file_bytes=40_000)
    know_clips(make_run(tmp_path / "c", 0.91, 3, units=10), "other")
    counts = [[8, 1, 1, 0], [0, 10, 0, 0], [0, 2, 18, 0], [0, 0, 0, 11]]
    make_run(tmp_path / "d", 0.5, 2, units=11, confusion=counts, clips=51)
    return compare([tmp_path / name for name in ("a<b>", "b", "c", "d", "gone")])


def test_the_page_needs_nothing_from_outside(three, tmp_path):
    write_comparison_page(tmp_path / "page.html", three)
    text = (tmp_path / "page.html").read_text()
    found = Page(text)
    assert all(reference.startswith("#") for reference in found.references)
    assert not re.search(r"https?:|//[a-z]|url\((?!#)|@import|<script|\bon\w+=", text)
    assert found.tags.count("svg") == 1
    assert found.tags.count("table") == 3
    assert "a<b> 1 int8 stream 21,002 29,012 5,712 1.05 M 95.00 90.00 +5.00" in found.text
    assert text.count('class="best"') == 1
    assert text.index('class="best"') < text.index("92.00")
    assert "Left out:" in found.text
    assert "40,000" in found.text
    assert "<b>" not in text
    first = (tmp_path / "page.html").read_bytes()
    write_comparison_page(tmp_path / "page.html", three)
    assert (tmp_path / "page.html").read_bytes() == first


def test_the_plot_is_a_picture_with_a_dot_a_row(three, tmp_path):
    write_comparison_plot(tmp_path / "plot.png", three)
    picture = imread(tmp_path / "plot.png")[..., :3]
    assert picture.shape == (704, 1152, 3)
    for colour in ((0x2F, 0x6F, 0xAD), (0xD0, 0x64, 0x2A)):  # a set of clips each
        same = np.abs(picture - np.array(colour) / 255).max(axis=-1) < 0.01
        assert same.sum() > 50


def test_one_run_can_be_drawn(tmp_path):
    make_run(tmp_path / "a", 0.9)
    write_comparison_plot(tmp_path / "plot.png", compare([tmp_path / "a"]))
    assert imread(tmp_path / "plot.png").min() < 0.5


def test_json_holds_what_the_table_shows(three, tmp_path):
    write_comparison_json(tmp_path / "all.json", three)
    values = json.loads((tmp_path / "all.json").read_text())
    first = values["tests"][0]
    assert first["clips_by_label"] == {"<b>&yes": 10, "no": 10, "silence": 10, "unknown": 20}
    assert first["rows"][1]["figures"]["file_bytes"] == {"mean": 40000.0, "deviation": None}
    assert first["rows"][1]["seeds"] == [2]
    assert first["rows"][0]["figures"]["minutes"] is None
    assert len(values["left_out"]) == 1


def test_the_terminal_cuts_no_number_off(three, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    print_comparison(three)
    printed = capsys.readouterr().out
    assert "…" not in printed
    for text in ("a<b>", "29,012", "40,000", "51 validation clips", "left out: "):
        assert text in printed


def test_files_that_cannot_be_written(three, tmp_path):
    for write in (write_comparison_page, write_comparison_plot, write_comparison_json):
        with pytest.raises(StorageError, match="cannot be written"):
            write(tmp_path, three)


def test_the_tool(tmp_path):
    for seed, accuracy in ((1, 0.90), (2, 0.92)):
        make_run(tmp_path / f"seed{seed}", accuracy, seed)
    runs = [tmp_path / "seed1", tmp_path / "seed2"]
    files = [tmp_path / name for name in ("p.png", "p.html", "p.json")]
    options = [
        word for pair in zip(("--plot", "--html", "--json"), files, strict=True) for word in pair
    ]
    printed = run_tool("compare.py", *runs, *options).stdout
    assert re.search(r"│ tiny +│ 1 2 +│ int8 stream .* 91\.00 ± 1\.41 ", printed)
    assert all(file.is_file() and f"written: {file}" in printed for file in files)
    assert "│ seed2 " in run_tool("compare.py", *runs, "--each").stdout
    assert "none of the runs can be compared" in refused("compare.py", tmp_path / "gone")

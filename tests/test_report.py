"""The report page, made from run folders written by hand."""

import base64
import dataclasses
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kws.audio.io import read, write
from kws.errors import DataError, RunError, StorageError
from kws.recipe_io import parse_recipe, write_recipe
from kws.report import plots
from kws.report.answers import (
    Answers,
    answers_path,
    gather_answers,
    read_answers,
    worst_mistakes,
    write_answers,
)
from kws.report.html import write_report
from kws.report.mistakes import show_mistakes
from kws.report.run_facts import Curves, read_run_recipe, recipe_summary
from kws.run import RunFolder
from kws.spotting.metrics import detection_trade_off, share
from kws.tflite.interpreter import open_model

LABELS = ("<b>&yes", "no", "unknown", "silence")
CONFUSION = [[8, 1, 1, 0], [0, 10, 0, 0], [0, 2, 18, 0], [0, 0, 0, 10]]
HISTORY = """phase,epoch,loss,validation_accuracy
float,0,2.5,0.25
float,1,1.25,0.75
qat,2,1.125,0.875
"""


def row(name: str, accuracy: float, litert: float | None = None) -> dict:
    return {
        "name": name,
        "accuracy": accuracy,
        "agreement_with_float": 0.9875,
        "agreement_with_litert": litert,
        "largest_difference_steps": 31.25,
        "mean_difference_steps": 0.4125,
    }


def entry(file: str, **changes) -> dict:
    rows = [
        row("float Keras", 0.94), row("float TFLite", 0.94), row("int8 LiteRT", 0.9),
        row("int8 TFLM", 0.92, litert=0.9975),
    ]  # fmt: skip
    return {
        "file": file, "form": "stream", "state": "explicit", "precision": "int8",
        "weights": 21002, "stored_bytes": 22202, "clips": 50, "rows": rows,
        "drift": {
            "of": "state", "first_minute_steps": 1.25, "last_minute_steps": 1.5,
            "largest_minute_steps": 1.75, "minutes": 10,
        },
        "file_bytes": 29012, "float_file_bytes": 89104, "arena_bytes": 5712,
        "arena_smallest_bytes": 6400,
        "macs_per_second": 1047000, "operators": ["FULLY_CONNECTED", "TANH"],
        "tensor_types": {"INT32": 9, "INT8": 34}, "confusion": CONFUSION,
    } | changes  # fmt: skip


WINDOW = {
    "form": "window",
    "state": "none",
    "drift": None,
    "arena_bytes": 17216,
    "arena_smallest_bytes": 17280,
}


CLIP = 16000
TRUTH = np.repeat([0, 0, 0, 1, 2, 2, 3], [8, 1, 1, 10, 2, 18, 10])
GIVEN = np.repeat([0, 1, 2, 1, 1, 2, 3], [8, 1, 1, 10, 2, 18, 10])
"""Clips in an order that counts up to ``CONFUSION``."""


def answers_of(steps: int = 49, **changes) -> Answers:
    """Each clip gets 0.7 for its answer and 0.1 for each other label, but for two mistakes."""
    posteriors = np.full((50, 4), 0.1, np.float32)
    posteriors[np.arange(50), GIVEN] = 0.7
    posteriors[9] = 0.05, 0.0, 0.95, 0.0  # a "<b>&yes" taken for "unknown": the worst
    posteriors[21] = 0.0, 0.8, 0.2, 0.0  # an "unknown" taken for "no": the next
    rng = np.random.default_rng(0)
    values = {
        "names": np.array([f"word<i>/{number:02d}.wav" for number in range(50)]),
        "truth": TRUTH.astype(np.int32),
        "posteriors": posteriors,
        "worst": np.array([9, 21, 8, 20]),
        "audio": rng.integers(-3000, 3000, (4, CLIP)).astype(np.int16),
        "steps": np.linspace(0, 1, 4 * steps * 4, dtype=np.float32).reshape(4, steps, 4),
        "fingerprint": np.array("0123456789abcdef"),
    }
    return Answers(**values | changes)


def with_answers(run: RunFolder, file: str = "model.tflite", **changes) -> RunFolder:
    write_answers(answers_path(run, file), answers_of(**changes))
    return run


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run with two verified files, the window's written down first."""
    run = RunFolder(tmp_path / "gru<i>")
    values = {
        "name": "tiny",
        "description": "Two words & <script>alert(1)</script>",
        "data": {"keywords": list(LABELS[:2])},
        "model": {"units": [8]},
        "decoder": {"threshold": 0.8125},
    }
    write_recipe(parse_recipe(values, "test"), run.recipe)
    run.history.write_text(HISTORY)
    verify_as(run, entry("model_window.tflite", **WINDOW), entry("model.tflite"))
    return run


def verify_as(run: RunFolder, *entries: dict) -> None:
    run.metrics.write_text(json.dumps({"verification": {one["file"]: one for one in entries}}))


class Page(HTMLParser):
    """The page's text, its elements, and the attributes that could load something."""

    def __init__(self, text: str):
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "srcset", "data", "action"):
                self.references.append(value)
            if name == "id":
                self.ids.append(value)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def page(run: RunFolder) -> Page:
    return Page(write_report(run).read_text(encoding="utf-8"))


def test_it_is_written_into_the_run_folder(run):
    assert write_report(run) == run.path / "report.html"
    left = {file.name for file in run.path.iterdir()}
    assert left == {"recipe.yaml", "history.csv", "metrics.json", "report.html"}


def test_the_sections_come_in_order(run):
    titles = (
        "tiny", "accuracy, int8 TFLM", "From float to the microcontroller", "State drift",
        "Sizes in bytes", "Learning curves", "Labels", "Misses against false accepts",
        "Words never heard", "Worst mistakes", "Operators and tensors", "Decoder settings",
        "Recipe",
    )  # fmt: skip
    text = page(run).text
    places = [text.index(title, 30 if number else 0) for number, title in enumerate(titles)]
    assert places == sorted(places)


def test_headline_figures(run):
    text = page(run).text
    # Wilson's interval of 46 of 50, worked out by hand: 0.8116 to 0.9685
    assert (
        "accuracy, int8 TFLM 92.00% 46 of 50 validation clips; 95% interval 81.2–96.8% "
        "model file 29,012 B float: 89,104 B TFLM arena 5,712 B working memory, on a 64-bit host "
        "multiply-accumulates 1.05 M/s 1,047,000 a second of audio weights 21,002 with biases"
    ) in text
    assert "TFLM arena 17,216 B" in text
    assert text.index("5,712 B") < text.index("17,216 B"), "model.tflite comes first"


COMPRESSED = {
    "file": "model_compressed.tflite", "file_bytes": 19020, "plain_file_bytes": 29012,
    "deflated_bytes": 15010, "plain_deflated_bytes": 16384, "arena_bytes": 9216,
    "plain_arena_bytes": 5712, "arena_smallest_bytes": 9984, "clips": 50,
    "kernels": [
        {"shape": [96, 40], "values": 16, "zeros": 0.5, "form": "look-up", "stored_bytes": 1952}
    ],
}  # fmt: skip


def test_deflated_bytes_and_the_compressed_file_are_shown(run):
    verify_as(run, entry("model.tflite", deflated_bytes=16384, compressed=COMPRESSED))
    found = page(run)
    assert "model file 29,012 B float: 89,104 B; deflated: 16,384 B" in found.text
    assert (
        "compressed file 19,020 B model_compressed.tflite, for TFLM alone; deflated: 15,010 B; "
        "its arena: 9,216 B; the same answers to 50 clips"
    ) in found.text
    for bar, size in (
        ("model file, deflated", "16,384"), ("compressed file", "19,020"),
        ("compressed file, deflated", "15,010"), ("its TFLM arena", "9,216"),
    ):  # fmt: skip
        assert bar in found.words
        assert size in found.words
    verify_as(run, entry("model.tflite", deflated_bytes=16384))
    assert "ompressed" not in page(run).text.replace("compress: prune", "")
    verify_as(run, entry("model.tflite"))
    assert "deflated" not in page(run).text


def test_trade_offs_say_at_which_step_a_clip_is_asked(run):
    with_answers(run)
    assert "a detector of its own, asked at the clip's end: as the thr" in page(run).text
    recipe = read_run_recipe(run)
    pooled = recipe.train.model_copy(update={"loss": "max_pooling"})
    write_recipe(recipe.model_copy(update={"train": pooled}), run.recipe)
    text = page(run).text
    assert (
        "a detector of its own, asked at the step where a likeliest keyword has its highest "
        "posterior, or, where none is, at the clip's end: as the thr"
    ) in text
    assert "asked at the clip's end" not in text


def test_every_implementation_has_its_row_and_meaning(run):
    text = page(run).text
    for name, accuracy in (("float Keras", 94), ("float TFLite", 94), ("int8 LiteRT", 90)):
        pattern = rf"{name} The [^%]*\. {accuracy}\.00% 98\.75% 31\.2 steps 0\.412 steps"
        assert len(re.findall(pattern, text)) == 2, name
    pattern = r"int8 TFLM The deployed [^%]*\. 92\.00% 98\.75% 99\.75% 31\.2 steps 0\.412 steps"
    assert len(re.findall(pattern, text)) == 2
    assert "A step is the smallest change of an int8 posterior, 1/256" in text
    assert "before int8" not in text


def test_what_quantization_cost_the_float_weights_is_told(run):
    verify_as(run, entry("model.tflite", accuracy_before=0.955))
    text = page(run).text
    assert "float, before int8 the weights before they were trained on with quantization" in text
    assert text.count("95.50%") == 1


def test_drift_of_a_stream_and_of_a_window(run):
    text = page(run).text
    assert "1.25 steps in the first minute, 1.50 in minute 10 (largest 1.75)" in text
    assert "A step of the state is one of its int8 values." in text
    assert "model_window.tflite : each window starts from a fresh state" in text
    drift = entry("x")["drift"] | {"of": "posteriors"}
    verify_as(run, entry("model.tflite", state="internal", drift=drift))
    text = page(run).text
    assert "A step of a posterior is 1/256." in text
    assert "each window" not in text


def test_sizes_and_curves_are_drawn(run):
    found = page(run)
    assert found.tags.count("svg") == 4
    for label in ("int8 weights, int32 biases", "model file", "float model file", "TFLM arena"):
        assert found.words.count(label) >= 2, label
    for bytes_text in ("22,202", "29,012", "89,104", "5,712", "17,216"):
        assert bytes_text in found.words
    for label in ("training loss", "validation accuracy", "epoch", "was", "taken for"):
        assert label in found.words
    assert "3 epochs; after the last one the loss was 1.1250 and the validation" in found.text
    assert "accuracy 87.50%. Shaded: fine-tuning with quantization on" in found.text
    assert "qat" in found.words


def test_without_qat_nothing_is_shaded(run):
    run.history.write_text("\n".join(HISTORY.splitlines()[:3]) + "\n")
    text = run.path.joinpath(write_report(run)).read_text()
    assert "Shaded" not in text
    assert "fill: var(--shade)" not in text


def test_labels_with_recall_precision_and_intervals(run):
    text = page(run).text
    # Wilson by hand: 8 of 10 is 0.4902 to 0.9433; 13 given "no", 10 right: 0.4974 to 0.9182
    assert "<b>&yes 10 80.00% 49.0–94.3% 8 100.00% 67.6–100.0%" in text
    assert "no 10 100.00% 72.2–100.0% 13 76.92% 49.7–91.8%" in text
    assert "unknown 20 90.00% 69.9–97.2% 19 94.74% 75.4–99.1%" in text


def test_a_label_that_was_never_there_has_no_figures(run):
    counts = [[0, 0, 0, 0], [0, 10, 0, 0], [0, 2, 18, 0], [0, 0, 0, 10]]
    verify_as(run, entry("model.tflite", confusion=counts, clips=40))
    assert "<b>&yes 0 – – 0 – –" in page(run).text


def test_operators_decoder_and_recipe(run):
    text = page(run).text
    assert text.count("FULLY_CONNECTED TANH 9 INT32, 34 INT8") == 2
    assert "smoothing_ms 200.0 Length of the moving average" in text
    assert "threshold 0.8125" in text
    assert "units: - 8 bidirectional: false" in text


def test_a_float_model_shows_its_own_rows(run):
    rows = [row("float Keras", 0.94), row("float32 LiteRT", 0.94), row("float32 TFLM", 0.94, 1.0)]
    verify_as(run, entry("model.tflite", precision="float32", rows=rows))
    found = page(run)
    assert "accuracy, float32 TFLM 94.00%" in found.text
    assert "float weights" in found.words
    assert "84,008" in found.words  # 4 bytes a weight
    assert not any(word.startswith("int8 weights") for word in found.words)


def test_it_needs_nothing_from_outside(run):
    text = write_report(with_answers(run)).read_text()
    found = Page(text)
    inner = [reference[1:] for reference in found.references if reference.startswith("#")]
    data = [reference for reference in found.references if not reference.startswith("#")]
    assert {reference.partition(",")[0] for reference in data} == {
        "data:audio/wav;base64", "data:image/png;base64",
    }  # fmt: skip
    without_data = re.sub(r"data:[a-z/]+;base64,[A-Za-z0-9+/=]+", "", text)
    outside = r"https?:|//[a-z]|url\((?!#)|@import|<script|javascript:|\bon\w+="
    assert not re.search(outside, without_data)
    assert inner
    assert set(inner) <= set(found.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert not {"script", "link", "image", "iframe", "b", "i"} & set(found.tags)


def test_plots_take_the_colours_of_the_page(run):
    text = write_report(with_answers(run)).read_text()
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert not re.search(r"(fill|stroke): (#|rgb|black|white)", drawn)
    assert set(re.findall(r"var\(--(\w+)\)", drawn)) == {
        "ink", "soft", "line", "curve", "right", "wrong", "shade", "series1", "series2",
    }  # fmt: skip
    for name in set(re.findall(r"var\(--(\w+)\)", text)):
        light, dark = re.findall(rf"--{name}: #", text)
        assert light == dark
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_html_in_names_is_escaped(run):
    verify_as(run, entry("a<u>&.tflite"))
    with_answers(run, "a<u>&.tflite")
    text = write_report(run).read_text()
    assert "&lt;script&gt;alert(1)" in text
    assert "&lt;b&gt;&amp;yes" in text
    for raw in ("<b>", "<u>", "<i>", "<script", "&yes", "&."):
        assert raw not in text
    assert text.count("&lt;b&gt;&amp;yes</text>") == 2  # both axes of the matrix
    # From 39/40 false and 1/10 missed to none false and 2/10 missed: 0.1814 of both on the way
    assert "&lt;b&gt;&amp;yes  18.1%</text>" in text  # the legend of the trade-offs
    assert "word&lt;i&gt;/09.wav" in text
    assert "a<u>&.tflite" in Page(text).words


def test_the_same_run_gives_the_same_bytes(run):
    first = write_report(with_answers(run)).read_bytes()
    run.report.unlink()
    assert write_report(run).read_bytes() == first
    assert not re.search(rb"20\d\d-\d\d-\d\d", first)


def test_labels_that_matplotlib_could_take_for_something_else(recwarn):
    drawn = plots.confusion("model", np.eye(3, dtype=int), ("$x$", "你好", "a_b"))
    for label in ("$x$", "你好", "a_b"):
        assert f">{label}</text>" in drawn
    assert not list(recwarn)


def test_confusion_cells_hold_counts_and_are_stronger_for_larger_shares():
    drawn = plots.confusion("model", np.array([[3, 1], [0, 9]]), ("a", "b"))
    cells = re.findall(r"fill: var\(--(right|wrong)\)(?:; opacity: ([\d.]+))?", drawn)
    assert cells == [("right", "0.866025"), ("wrong", "0.5"), ("right", "")]
    assert re.findall(r">(\d+)</text>", drawn) == ["3", "1", "9"]


def test_one_epoch_is_drawn_as_a_point():
    drawn = plots.learning_curves(Curves(("float",), (1.0,), (0.5,)))
    assert len(re.findall(r"<use [^>]*var\(--curve\)", drawn)) == 2


def test_sixty_keywords_fit():
    labels = tuple(f"keyword{i}" for i in range(62))
    drawn = plots.confusion("model", np.eye(62, dtype=int), labels)
    width = float(re.search(r'width="([\d.]+)pt"', drawn)[1])
    assert 62 * 0.42 * 72 < width < 62 * 0.5 * 72


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("recipe.yaml", r"not a run folder \(no recipe.yaml\); python tools/train.py RECIPE --out"),
        (
            "history.csv",
            r"no history.csv, no epoch was trained yet; python tools/train\S+ .*--resume",
        ),
        ("metrics.json", r"no verified model file yet; python tools/convert.py \S+ makes one"),
    ],
)
def test_a_missing_file_names_the_command_that_makes_it(run, missing, command):
    (run.path / missing).unlink()
    with pytest.raises(RunError, match=command):
        write_report(run)
    assert not run.report.exists()


@pytest.mark.parametrize("metrics", [{}, {"verification": {}}, {"verification": None}])
def test_metrics_without_verification(run, metrics):
    run.metrics.write_text(json.dumps(metrics))
    with pytest.raises(RunError, match="no verified model file yet; python tools/convert"):
        write_report(run)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": []}, "model.tflite has no rows of figures"),
        ({"clips": 51}, "confusion matrix of model.tflite does not add up to its 51 clips"),
        ({"confusion": [[50]]}, "is not of the recipe's 4 labels"),
        ({"confusion": [*CONFUSION[:3], [0, 0, -1, 11]]}, "does not add up"),
        ({"confusion": []}, "is not of the recipe's 4 labels"),
        ({"arena_bytes": "much"}, r"verification\.model\.tflite\.arena_bytes: .*integer"),
        ({"drift": {"of": "state"}}, r"drift\.first_minute_steps: Field required"),
    ],
)
def test_damaged_metrics_are_refused(run, changes, message):
    verify_as(run, entry("model.tflite", **changes))
    with pytest.raises(
        RunError, match=f"{message}.*; remove the file and run python tools/convert"
    ):
        write_report(run)


def test_metrics_that_are_no_json(run):
    run.metrics.write_text('{"verification": {')
    with pytest.raises(RunError, match=r"metrics\.json: cannot be read"):
        write_report(run)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("phase,epoch,loss,validation_accuracy\n", "holds no epoch yet; python tools/train.py"),
        ("", "holds no epoch yet"),
        ("phase,epoch,loss\nfloat,0,1.0\n", r"damaged \(KeyError: 'validation_accuracy'\)"),
        (HISTORY + "qat,3,much,0.5\n", r"damaged \(ValueError: could not convert .*'much'\)"),
        (HISTORY + '"' + 200_000 * "x", r"damaged \(Error: field larger"),
        (HISTORY + "qat,3\n", r"damaged \(TypeError: .*expected a phase, an epoch, a loss"),
    ],
)
def test_damaged_history_is_refused(run, text, message):
    run.history.write_text(text)
    with pytest.raises(RunError, match=rf"history\.csv: {message}"):
        write_report(run)


def test_an_old_report_survives_a_failed_one(run):
    before = write_report(run).read_bytes()
    run.metrics.unlink()
    with pytest.raises(RunError):
        write_report(run)
    assert run.report.read_bytes() == before


def test_a_report_that_cannot_be_written(run):
    run.report.mkdir()
    with pytest.raises(StorageError, match=r"report\.html: cannot be written"):
        write_report(run)


def open_set(total: int) -> dict:
    def share_of(count: int, total: int) -> dict:
        return dataclasses.asdict(share(count, total))

    points = {}
    for name, threshold, count in (
        ("maximum", None, 20),
        ("decoder", 0.8125, 8),
        ("chosen", 0.5, 12),
    ):
        words = [{"word": "<on>", "taken": share_of(count, total)}] if total else []
        points[name] = {
            "name": name, "threshold": threshold, "accuracy": share_of(45, 50),
            "taken": share_of(min(count, total), total), "words": words,
        }  # fmt: skip
    return points


def test_words_never_heard(run):
    verify_as(run, entry("model.tflite", open_set=open_set(40)))
    text = page(run).text
    # Wilson by hand: 20 of 40 is 0.3520 to 0.6480, 8 of 40 is 0.1050 to 0.3476
    assert "maximum 95% interval decoder, 0.81 95% interval chosen, 0.50 95% interval" in text
    assert "<on> 40 50.00% 35.2–64.8% 20.00% 10.5–34.8% 30.00% " in text
    assert "all of them 40 50.00%" in text
    assert "accuracy without them 50 90.00%" in text
    verify_as(run, entry("model.tflite", open_set=open_set(0)))
    assert "The data hold no clip of the recipe's unseen words." in page(run).text
    verify_as(run, entry("model.tflite"))
    assert "Not measured when this file was verified" in page(run).text


def test_worst_mistakes_come_first():
    posteriors = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])
    assert worst_mistakes(posteriors, np.array([1, 1, 1, 1, 1])).tolist() == [0, 3, 1, 4]
    assert worst_mistakes(posteriors, np.array([0, 0, 1, 0, 0])).tolist() == []


def test_mistakes_can_be_heard_and_seen(run):
    with_answers(run)
    verify_as(run, entry("model.tflite"))
    found = page(run)
    assert found.tags.count("audio") == found.tags.count("article") == 4
    pattern = r"<b>&yes taken for unknown word<i>/09\.wav unknown 0\.95 <b>&yes 0\.05 no 0\.00"
    first, second = re.search(pattern, found.text), re.search("unknown taken for no", found.text)
    assert first.start() < second.start()
    assert "all 4 mistakes by name" in found.text
    assert "word<i>/21.wav unknown 0.20 no 0.80" in found.text
    sound = next(one for one in found.references if one.startswith("data:audio"))
    audio, rate = soundfile.read(
        io.BytesIO(base64.b64decode(sound.partition(",")[2])), dtype="int16"
    )
    assert rate == 16000
    assert audio.tolist() == answers_of().audio[0].tolist()
    assert run.report.stat().st_size < 1_000_000


def test_curves_stand_where_their_last_sample_is(run):
    recipe = read_run_recipe(run)
    steps = np.zeros((4, 49, 4), np.float32)
    steps[0, :, 0], steps[0, 10:, 2] = 0.5, 1.0
    steps[0, :, 1] = 0.01  # too small to be seen
    shown, _ = show_mistakes(with_steps(steps), recipe, 1)
    lines = re.findall(r'<polyline class="(\w+)" points="([^"]+)"', shown[0].curves)
    assert [kind for kind, _ in lines] == ["right", "wrong"]
    points = [point.split(",") for point in lines[1][1].split()]
    assert len(points) == 49
    # Frame 0 ends with sample 512, frame 48 with 48 * 320 + 512, of 16000
    assert (points[0][0], points[-1][0]) == ("32", "992")
    assert [y for _, y in points[9:11]] == ["100.0", "0.0"]
    assert {point.split(",")[1] for point in lines[0][1].split()} == {"50.0"}


def with_steps(steps: np.ndarray) -> Answers:
    return dataclasses.replace(answers_of(), steps=steps)


def test_a_window_model_has_bars_alone(run):
    recipe = read_run_recipe(run)
    shown, named = show_mistakes(with_steps(np.full((4, 1, 4), 0.25, np.float32)), recipe, 2)
    assert [one.curves for one in shown] == ["", ""]
    assert shown[0].bars == (
        ("unknown", pytest.approx(0.95), "wrong"), ("<b>&yes", pytest.approx(0.05), "right"),
        ("no", 0.0, "other"),
    )  # fmt: skip
    assert [one.name for one in named] == [f"word<i>/{i:02d}.wav" for i in (9, 21, 8, 20)]


def test_pages_of_two_files_share_the_room(run):
    with_answers(run)
    with_answers(run, "model_window.tflite", steps=1)
    found = page(run)
    assert found.tags.count("article") == 8
    assert found.text.count("all 4 mistakes by name") == 2
    assert found.tags.count("polyline") > 0


def test_without_the_answers_the_page_says_so(run):
    with_answers(run, "model_window.tflite", truth=np.full(50, 3, np.int32))  # of other clips
    text = page(run).text
    assert text.count("the answers to each clip were not kept when") == 4
    assert "taken for" in text


def test_a_model_without_mistakes(run):
    counts = [[10, 0, 0, 0], [0, 10, 0, 0], [0, 0, 20, 0], [0, 0, 0, 10]]
    verify_as(run, entry("model.tflite", confusion=counts))
    truth = np.repeat([0, 1, 2, 3], [10, 10, 20, 10])
    with_answers(
        run,
        truth=truth.astype(np.int32),
        posteriors=np.eye(4, dtype=np.float32)[truth],
        worst=np.zeros(0, np.int64),
        audio=np.zeros((0, CLIP), np.int16),
    )
    found = page(run)
    assert "model.tflite stream, state explicit, int8 None." in found.text
    assert "audio" not in found.tags


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-300]), "BadZipFile"),
        (lambda path: path.write_bytes(b""), "EOFError"),
        (lambda path: np.savez(path, truth=np.zeros(50, np.int32)), "KeyError"),
        (lambda path: write_answers(path, answers_of(truth=TRUTH + 9)), "ValueError"),
        (lambda path: write_answers(path, answers_of(posteriors=np.eye(50))), "ValueError"),
    ],
)
def test_damaged_answers_are_refused(run, damage, message):
    path = answers_path(with_answers(run), "model.tflite")
    damage(path)
    with pytest.raises(RunError, match=rf"model_answers.npz: damaged \({message}.*convert.py"):
        write_report(run)


def test_answers_are_those_of_the_verification(tone_run, tone_data):
    run = RunFolder(tone_run)
    recipe = read_run_recipe(run)
    (facts,) = json.loads(run.metrics.read_text())["verification"].values()
    kept = read_answers(answers_path(run, "model.tflite"), facts["confusion"])
    assert kept is not None, "counted as the verification has counted"
    assert len(kept.names) == facts["clips"]
    assert str(kept.names[0]).startswith("high/high")
    again = gather_answers(open_model(run.tflite, "litert"), tone_data, recipe)
    assert again.fingerprint == kept.fingerprint
    assert np.abs(again.posteriors - kept.posteriors).max() < 0.05
    fewer = recipe.model_copy(
        update={"data": recipe.data.model_copy(update={"silence_share": 0.1})}
    )
    other = gather_answers(open_model(run.tflite, "litert"), tone_data, fewer)
    assert other.fingerprint != kept.fingerprint
    assert "Misses against false accepts" in Page(run.report.read_text()).text


def test_a_clip_that_cannot_be_read_is_in_no_answer(tiny_model, tmp_path):
    rng = np.random.default_rng(0)
    for word in ("yes", "no", "tree"):
        for take in range(2):
            path = tmp_path / word / f"026290a7_nohash_{take}.wav"  # a validation speaker
            write(path, rng.normal(0, 0.1, CLIP), CLIP)
    (tmp_path / "yes" / "026290a7_nohash_0.wav").write_bytes(b"")
    runner = open_model(tiny_model)
    values = {"name": "tiny", "data": {"keywords": ["yes", "no"]}, "model": {"units": [16]}}
    recipe = parse_recipe(values, "test")
    answers = gather_answers(runner, tmp_path, recipe)
    names = [str(name) for name in answers.names]
    assert "yes/026290a7_nohash_0.wav" not in names
    assert "yes/026290a7_nohash_1.wav" in names
    assert names[-1] == "silence 1, made from noise"
    mistakes = answers.truth != answers.given
    assert len(answers.worst) == mistakes.sum() > 0
    last = answers.steps[:, -1]
    assert last.tolist() == answers.posteriors[answers.worst].tolist()
    first = answers.worst[0]
    if answers.truth[first] != 3:
        heard = read(tmp_path / names[first], CLIP)
        assert np.abs(answers.audio[0] / 32768 - heard).max() < 1e-4
    for path in tmp_path.rglob("*.wav"):
        path.write_bytes(b"")
    silent = parse_recipe(values | {"data": {"keywords": ["yes", "no"], "silence_share": 0}}, "t")
    with pytest.raises(DataError, match="not one of 6 validation clips could be read"):
        gather_answers(runner, tmp_path, silent)


def test_the_trade_offs_name_the_worst_keywords_and_grey_the_rest():
    rng = np.random.default_rng(0)
    truth = np.arange(200) % 10
    curves = {
        f"word{index}": detection_trade_off(rng.normal(truth == index, 0.3), truth == index)
        for index in range(10)
    }
    drawn = plots.trade_offs("model", curves, dict.fromkeys(curves, 0.5))
    worst = sorted(curves, key=lambda word: -curves[word].equal_error_rate)
    named = re.findall(r">(word\d)  [\d.]+%</text>", drawn)
    assert named == worst[:8]
    assert "var(--series8)" in drawn


def test_the_summary_says_what_the_model_is(run):
    recipe = read_run_recipe(run)
    assert recipe_summary(recipe) == (
        "40 log-mel bands every 20 ms; GRU of 8 units; 30 + 6 epochs at batches of 128; "
        "4 augmented copies of each clip, seed 1"
    )
    often = recipe.augment.model_copy(update={"keyword_takes": 5})
    assert recipe_summary(recipe.model_copy(update={"augment": often})).endswith(
        "; 4 augmented copies of each clip, 20 of each of a keyword, seed 1"
    )

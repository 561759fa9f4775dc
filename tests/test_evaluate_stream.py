"""tools/evaluate.py --stream, with a model that hears tones: 1 kHz is "yes", 3 kHz is "no"."""

import csv
import hashlib
import json

import numpy as np
import pytest
from test_evaluate import evaluate  # noqa: F401 (a fixture)
from tones import RATE, tones

from kws.audio.annotation import SpokenWord, write_words
from kws.audio.io import read, write
from kws.tflite.interpreter import open_model
from kws.tflite.metadata import metadata_json
from kws.tflite.pack import with_metadata

GAP_S = 1.5


@pytest.fixture
def copy(hearing, tmp_path):
    path = tmp_path / "copy.tflite"
    path.write_bytes(hearing.read_bytes())
    return path


def record(folder, name, *words: tuple[str, float, bool]):
    """Tones of 0.5 s after gaps: what the label says, the frequency, whether there is a label."""
    parts, said, at = [], [], 0.0
    for label, hz, labelled in words:
        parts += [(0, GAP_S), (hz, 0.5)]
        if labelled:
            said.append(SpokenWord(label, at + GAP_S, at + GAP_S + 0.5))
        at += GAP_S + 0.5
    write(folder / f"{name}.wav", tones(*parts, (0, GAP_S)), RATE)
    write_words(folder / f"{name}.txt", said)


@pytest.fixture
def recordings(tmp_path):
    """Six words are said, one of them another sound; and a tone that is no word."""
    folder = tmp_path / "recordings"
    yes, no, hum = ("yes", 1000, True), ("no", 3000, True), ("no", 300, True)
    record(folder, "far", yes, no, hum)
    record(folder, "near", yes, no, yes, ("yes", 1000, False))
    (folder / "recordings.csv").write_text("path,distance_m\nnear.wav,0.5\nfar.wav,3\n")
    return folder


@pytest.mark.parametrize("engine", ["litert", "tflm"])
def test_misses_and_false_accepts_are_counted(evaluate, hearing, recordings, tmp_path, engine):  # noqa: F811
    report, picture = tmp_path / "a.json", tmp_path / "a.png"
    status, out, _ = evaluate(
        *(hearing, "--stream", recordings, "--engine", engine, "--json", report, "--plot", picture)
    )
    assert status == 0
    values = json.loads(report.read_text())
    assert (values["missed"]["count"], values["missed"]["total"]) == (1, 6)
    assert values["false_accepts"]["count"] == 1
    seconds = (3 * 2 + GAP_S) + (4 * 2 + GAP_S)
    assert values["false_accepts"]["hours"] == pytest.approx(seconds / 3600)
    by_file = {one["path"].rpartition("/")[2]: one for one in values["recordings"]}
    assert (by_file["far.wav"]["missed"], by_file["near.wav"]["false_accepts"]) == (1, 1)
    assert -0.5 < values["latency"]["median_s"] < 0.1
    assert values["latency"]["within_250_ms"]["count"] == 5
    assert "within 250 ms: 5 of 5 detected (56.6 to 100.0 %)" in out
    assert "missed: 1 of 6 keywords" in out
    (row,) = [line for line in out.splitlines() if line.startswith("│ 3 ")]
    assert row.split("│")[2].strip() == "3"
    assert out.index("│ 0.5 ") < out.index("│ 3 ")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert list(values["by_condition"]) == ["distance_m"]
    assert values["by_condition"]["distance_m"]["3"]["missed"]["count"] == 1
    assert values["sha256"] == hashlib.sha256(hearing.read_bytes()).hexdigest()


def test_recordings_without_keywords_add_hours_and_false_accepts(
    evaluate,  # noqa: F811
    hearing,
    recordings,
    tmp_path,
):
    folder, report = tmp_path / "talk", tmp_path / "a.json"
    write(folder / "talk.wav", tones((0, 2), (3000, 0.5), (0, 2)), RATE)
    status, _, _ = evaluate(
        *(hearing, "--stream", recordings, "--negatives", folder, "--json", report)
    )
    values = json.loads(report.read_text())
    assert status == 0
    assert (values["missed"]["total"], values["false_accepts"]["count"]) == (6, 2)
    (no,) = [one for one in values["keywords"] if one["keyword"] == "no"]
    assert no["false_accepts"]["count"] == 1


def test_each_folder_has_its_own_false_accepts(
    evaluate,  # noqa: F811
    hearing,
    recordings,
    tmp_path,
):
    """One kind of talk can be much harder than another; folders of one name are told by path."""
    quiet, loud, report = tmp_path / "a" / "talk", tmp_path / "b" / "talk", tmp_path / "a.json"
    write(quiet / "talk.wav", tones((0, 6)), RATE)
    write(loud / "talk.wav", tones((0, 2), (3000, 0.5), (0, 2), (1000, 0.5), (0, 1)), RATE)
    status, out, _ = evaluate(
        *(hearing, "--stream", recordings, "--negatives", quiet, loud, "--json", report)
    )
    assert status == 0
    assert "by folder" in out
    folders = json.loads(report.read_text())["by_condition"]["folder"]
    counts = {name: scores["false_accepts"]["count"] for name, scores in folders.items()}
    assert counts == {"recordings": 1, str(quiet): 0, str(loud): 2}
    assert folders[str(quiet)]["false_accepts"]["hours"] == pytest.approx(6 / 3600)
    assert folders["recordings"]["missed"]["total"] == 6


def test_a_column_of_the_table_may_be_called_folder(
    evaluate,  # noqa: F811
    hearing,
    recordings,
    tmp_path,
):
    (recordings / "recordings.csv").write_text("path,folder\nnear.wav,hall\nfar.wav,yard\n")
    report = tmp_path / "a.json"
    assert evaluate(hearing, "--stream", recordings, "--json", report)[0] == 0
    assert json.loads(report.read_text())["by_condition"]["folder"].keys() == {"hall", "yard"}


def test_thresholds_are_chosen_and_written_and_then_used(evaluate, copy, tmp_path):  # noqa: F811
    """A false "yes" is shorter than the true ones: a higher threshold leaves it out."""
    folder, report = tmp_path / "recordings", tmp_path / "a.json"
    long, short = tones((0, 1.5), (1000, 0.5)), tones((0, 1.5), (1000, 0.2), (0, 0.3))
    audio = np.concatenate([long, short, long, tones((0, 1.5), (3000, 0.5), (0, 1.5))])
    write(folder / "a.wav", audio, RATE)
    words = [SpokenWord("yes", 1.5, 2), SpokenWord("yes", 5.5, 6), SpokenWord("no", 7.5, 8)]
    write_words(folder / "a.txt", words)
    before = open_model(copy).metadata
    plain = tmp_path / "plain.json"
    assert evaluate(copy, "--stream", folder, "--json", plain)[0] == 0
    assert json.loads(plain.read_text())["false_accepts"]["count"] == 1
    choose = ("--false-accepts-per-hour", "1", "--write", "--json", report)
    status, out, _ = evaluate(copy, "--stream", folder, *choose)
    assert status == 0
    assert "thresholds written" in out
    assert "hours of audio cannot show 1 false accepts an hour" in out
    values = json.loads(report.read_text())
    assert (values["missed"]["count"], values["false_accepts"]["count"]) == (0, 0)
    after = open_model(copy, "tflm").metadata
    assert after.decoder.keyword_thresholds.keys() == {"yes", "no"}
    assert b"threshold_choice" not in metadata_json(before)
    same = {"decoder": before.decoder, "threshold_choice": None}
    assert after.model_copy(update=same) == before
    choice = after.threshold_choice
    assert (choice.wanted_per_hour, choice.false_accepts) == (1, 0)
    assert (choice.missed, choice.said, choice.hours) == (0, 3, pytest.approx(9.5 / 3600, abs=1e-6))
    assert choice.false_accepts_per_hour == pytest.approx((0, 3.689 / choice.hours), rel=1e-3)
    assert choice.missed_share == pytest.approx((0, 0.5615), abs=1e-3)
    again = tmp_path / "again.json"
    status, out, _ = evaluate(copy, "--stream", folder, "--json", again)
    assert status == 0
    assert "its thresholds were chosen for at most 1 false accepts an hour, and gave 0 in" in out
    assert json.loads(again.read_text()) == values


def with_facts(path, **changes):
    facts = open_model(path).metadata.model_copy(update=changes)
    path.write_bytes(with_metadata(path.read_bytes(), facts, "x"))


def test_figures_of_the_thresholds_before_are_taken_out(evaluate, copy, recordings):  # noqa: F811
    kept = {"validation_accuracy": 0.9, "unseen_taken": 0.4}
    gone = {"threshold_validation_accuracy": 0.8, "unseen_taken_at_threshold": 0.2}
    with_facts(copy, figures=kept | gone)
    status, out, _ = evaluate(
        *(copy, "--stream", recordings, "--false-accepts-per-hour", "1000", "--write")
    )
    assert status == 0
    assert open_model(copy).metadata.figures == kept
    assert "taken out, as measured at the thresholds before: threshold_validation_accuracy" in out


def test_thresholds_that_make_it_deaf_are_not_written(evaluate, copy, tmp_path):  # noqa: F811
    """A tone that is no "yes" sounds just like one: no threshold tells them apart."""
    folder, report, before = tmp_path / "recordings", tmp_path / "a.json", copy.read_bytes()
    record(folder, "a", ("yes", 1000, True), ("no", 3000, True), ("yes", 1000, False))
    choose = ("--false-accepts-per-hour", "1", "--write", "--json", report)
    status, out, err = evaluate(copy, "--stream", folder, *choose)
    assert (status, "Traceback" in err, "thresholds written" in out) == (2, False, False)
    assert f"{copy}: thresholds not written: " in err
    assert "1 false accepts an hour" in err
    assert "ask for more an hour" in err
    assert copy.read_bytes() == before
    assert json.loads(report.read_text())["decoder"]["keyword_thresholds"].keys() == {"yes", "no"}
    status, out, _ = evaluate(copy, "--stream", folder, *choose[:2])
    assert (status, "ask for more an hour" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stream", "{data}", "--data", "{data}"], "either clips"),
        (["--stream", "{data}", "--split", "all"], "--split is for clips"),
        (["--data", "{data}", "--false-accepts-per-hour", "1"], "are for recordings"),
        (["--stream", "{data}", "--write"], "--write needs"),
        (["--stream", "{data}", "--false-accepts-per-hour", "0"], "more than 0"),
        (["--negatives", "{data}", "--false-accepts-per-hour", "1"], "with keywords"),
        (["--stream", "{data}/gone"], "cannot be listed"),
        (["--stream", "{data}/bad"], "no label file beside it"),
    ],
)
def test_mistakes_end_with_status_2(evaluate, hearing, recordings, arguments, message):  # noqa: F811
    write(recordings / "bad" / "a.wav", np.zeros(RATE, np.float32), RATE)
    status, _, err = evaluate(hearing, *(text.format(data=recordings) for text in arguments))
    assert status == 2
    assert message in err
    assert "Traceback" not in err


def test_false_accepts_are_kept_to_hear_and_to_train_on(evaluate, hearing, tmp_path):  # noqa: F811
    """Four tones of 1 kHz: one is said to be "yes", three are none; one of these is in a stream."""
    stream, none, kept = tmp_path / "stream", tmp_path / "none", tmp_path / "kept"
    record(stream, "a", ("yes", 1000, True), ("", 0, False), ("no", 3000, False))
    record(none, "b", ("yes", 1000, False), ("yes", 1000, False))
    given = (hearing, "--stream", stream, "--negatives", none, "--save-false-accepts", kept)
    status, out, _ = evaluate(*given)
    assert status == 0
    assert f"{kept}: 3 false accepts and near misses; train on them" in out
    with (kept / "false_accepts.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["keyword"] for line in lines] == ["no", "yes", "yes"]
    assert lines[1]["recording"] == str(none / "b.wav")
    for line in lines:
        audio = read(kept / line["path"], RATE)
        hz = {"no": 3000, "yes": 1000}[line["keyword"]]
        peak = np.argmax(np.abs(np.fft.rfft(audio))) * RATE / len(audio)
        assert peak == pytest.approx(hz, abs=20)
        assert len(audio) == pytest.approx(2 * RATE, abs=RATE / 2)
    status, _, err = evaluate(*given)
    assert (status, "already holds something" in err) == (2, True)
    status, _, err = evaluate(hearing, "--data", none, "--save-false-accepts", kept)
    assert (status, "is for recordings" in err) == (2, True)

"""Training: it learns, repeats itself to the byte, and goes on where it was stopped."""

import csv
import shutil
import signal
import time

import numpy as np
import pytest
from conftest import refused, run_tool
from forked import Forked

from kws.data.batches import batches_per_epoch, carried_share, training_batches
from kws.errors import DataError, RunError
from kws.nn.checkpoint import restore
from kws.nn.train_recipe import train_recipe
from kws.recipe_io import read_recipe
from kws.run import open_run, start_run
from kws.tflite.convert_run import convert_run
from kws.tflite.interpreter import open_model


def history(run) -> list[dict]:
    with open(run / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_it_learns_and_the_run_folder_is_whole(tone_run):
    names = {path.name for path in tone_run.iterdir()}
    assert names == {
        "recipe.yaml", "run.json", "checkpoints", "history.csv", "model.keras", "model.tflite",
        "model_float.tflite", "model_answers.npz", "metrics.json", "report.html",
    }  # fmt: skip
    lines = history(tone_run)
    assert [line["phase"] for line in lines] == ["float"] * 16 + ["qat"] * 2
    assert float(lines[-1]["validation_accuracy"]) >= 0.9
    assert float(lines[-1]["loss"]) < float(lines[0]["loss"]) / 2
    figures = open_model(tone_run / "model.tflite", "tflm").metadata.figures
    assert figures["validation_accuracy"] >= 0.9


def test_same_recipe_data_and_machine_give_the_same_bytes(
    tone_run, tone_recipe, tone_data, tmp_path
):
    run_tool("train.py", tone_recipe, "--data", tone_data, "--out", tmp_path / "again")
    run_tool("convert.py", tmp_path / "again")
    again, first = tmp_path / "again" / "model.tflite", tone_run / "model.tflite"
    assert again.read_bytes() == first.read_bytes()


def test_a_killed_training_goes_on_to_the_same_model(tone_run, tone_recipe, tone_data, tmp_path):
    """Killed hard in the middle, resumed by the same command: the unbroken run's bytes."""
    out = tmp_path / "killed"
    process = Forked("train.py", tone_recipe, "--data", tone_data, "--out", out)
    try:
        wait_for(lambda: (out / "history.csv").is_file() and len(history(out)) >= 3, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "model.keras").exists()
    assert "half written, model.keras is missing" in refused("convert.py", out)
    run_tool("train.py", tone_recipe, "--data", tone_data, "--out", out, "--resume")
    assert len(history(out)) == 18
    run_tool("convert.py", out)
    assert (out / "model.tflite").read_bytes() == (tone_run / "model.tflite").read_bytes()


def wait_for(ready, process, seconds: float = 180.0) -> None:
    """Wait until ``ready()``; fail if the process ends or the time is over."""
    end = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("mode", ["calibrate", "none"])
def test_other_quantization_modes_convert(tone_recipe, tone_data, tmp_path, mode):
    recipe = read_recipe(tone_recipe, (f"quantize.mode={mode}", "train.epochs=12"))
    _, lines, bad = train_recipe(recipe, tone_data, tmp_path / "run", resume=False)
    assert [line.phase for line in lines] == ["float"] * 12
    assert bad == ()
    run, _, _ = open_run(tmp_path / "run")
    facts, found, _ = convert_run(run, recipe, tone_data, "stream", "explicit", run.tflite)
    assert facts.precision == ("int8" if mode == "calibrate" else "float32")
    assert found.rows[-1].name == f"{facts.precision} TFLM"
    assert found.rows[-1].accuracy >= 0.8
    assert found.rows[-1].agreement_with_float >= (0.9 if mode == "calibrate" else 1.0)


def test_bidirectional_window_end_to_end(tone_recipe, tone_data, tmp_path):
    recipe = read_recipe(
        tone_recipe,
        (
            "model.bidirectional=true",
            "train.carried_state_share=0",
            "model.units=[8, 6]",
            "train.epochs=12",
        ),
    )
    train_recipe(recipe, tone_data, tmp_path / "run", resume=False)
    run_tool("convert.py", tmp_path / "run")
    runner = open_model(tmp_path / "run" / "model.tflite", "tflm")
    assert runner.metadata.form == "window"
    assert runner.metadata.figures["validation_accuracy"] >= 0.8
    message = refused("convert.py", tmp_path / "run", "--form", "stream")
    assert "a bidirectional model reads the window's end first" in message


def test_a_pooled_model_is_a_window_wherever_none_is_asked_for(tone_recipe, tone_data, tmp_path):
    """By the training of several seeds, which converts each, and by convert.py."""
    changes = ("model.pooling=mean", "train.carried_state_share=0", "quantize.mode=none")
    sets = [part for change in (*changes, "train.epochs=1") for part in ("--set", change)]
    out = tmp_path / "run"
    run_tool("train.py", tone_recipe, "--data", tone_data, "--out", out, "--seeds", 2, *sets)
    first = tmp_path / "run_seed1"
    run_tool("convert.py", first, "--out", tmp_path / "again.tflite")
    for path in (first / "model.tflite", tmp_path / "again.tflite"):
        assert open_model(path, "tflm").metadata.form == "window"


def test_a_model_that_fires_at_any_moment_is_answered_at_its_peak(tone_recipe, tone_data, tmp_path):
    """By Keras, LiteRT and TFLM alike."""
    recipe = read_recipe(
        tone_recipe, ("train.loss=max_pooling", "quantize.mode=calibrate", "model.cell=rnn")
    )
    train_recipe(recipe, tone_data, tmp_path / "run", resume=False)
    run, _, _ = open_run(tmp_path / "run")
    facts, found, _ = convert_run(run, recipe, tone_data, "stream", "explicit", run.tflite)
    assert facts.clip_answer == "peak"
    exact = found.rows[1]
    assert exact.name == "float TFLite"
    assert exact.agreement_with_float == 1.0
    assert exact.largest_difference_steps < 0.1
    assert found.rows[-1].agreement_with_float >= 0.9
    assert found.rows[-1].accuracy >= 0.7
    runner = open_model(run.tflite, "tflm")
    assert runner.metadata.clip_answer == "peak"
    noise = np.random.default_rng(0).normal(-30, 15, (49, 40)).astype(np.float32)
    steps = np.stack([runner.step(frame) for frame in noise])
    won = np.flatnonzero(steps.argmax(axis=1) < 2)
    highest = won[steps[won].max(axis=1).argmax()]
    assert highest < 48
    np.testing.assert_array_equal(runner.classify(noise), steps[highest])
    message = refused("convert.py", tmp_path / "run", "--form", "window")
    assert "trained with loss max_pooling, it answers at any moment" in message


def recipe_for_batches(tone_recipe):
    return read_recipe(tone_recipe, ("augment.copies=3", "train.batch_size=4"))


def test_an_epoch_takes_each_clip_once_in_one_copy(tone_recipe):
    recipe = recipe_for_batches(tone_recipe)
    features = np.repeat(np.arange(30, dtype=np.float16), 49 * 40).reshape(30, 49, 40)
    labels = np.tile(np.arange(10) % 4, 3)
    assert batches_per_epoch(recipe, 30) == 2
    copies = []
    for epoch in range(3):
        rows = np.concatenate(
            [x[:, 0, 0] for x, *_ in training_batches(recipe, features, labels, epoch)]
        )
        assert len(set(rows % 10)) == 8
        copies.append({int(row) % 10: int(row) // 10 for row in rows})
    for clip in set.intersection(*(set(chosen) for chosen in copies)):
        assert {chosen[clip] for chosen in copies} == {0, 1, 2}


def test_carried_share_rises_over_float_training_and_stays(tone_recipe):
    recipe = read_recipe(tone_recipe, ("train.epochs=5", "train.carried_state_share=0.4"))
    shares = [carried_share(recipe, epoch) for epoch in (0, 2, 4, 5, 6)]
    assert shares == pytest.approx([0.0, 0.2, 0.4, 0.4, 0.4])


def test_batches_depend_on_seed_and_epoch_alone(tone_recipe):
    recipe = recipe_for_batches(tone_recipe)
    features = np.random.default_rng(0).normal(size=(30, 49, 40)).astype(np.float16)
    labels = np.tile(np.arange(10) % 4, 3)

    def first(epoch):
        return next(iter(training_batches(recipe, features, labels, epoch)))[0].numpy()

    np.testing.assert_array_equal(first(4), first(4))
    assert not np.array_equal(first(4), first(5))


def test_the_end_of_an_epoch_waits_for_no_autotuning_thread(tone_recipe):
    features, labels = np.zeros((30, 49, 40), np.float16), np.zeros(30, int)
    batches = training_batches(recipe_for_batches(tone_recipe), features, labels, 0)
    assert batches.options().autotune.enabled is False


def test_targets_are_one_hot_and_mixed_where_the_recipe_says(tone_recipe):
    features = np.random.default_rng(0).normal(size=(30, 49, 40)).astype(np.float16)
    labels = np.tile(np.arange(10) % 4, 3)

    def first(*changes):
        recipe = read_recipe(tone_recipe, ("augment.copies=3", "train.batch_size=4", *changes))
        batches = training_batches(recipe, features, labels, 0, answers)
        return [part.numpy() for part in next(iter(batches))]

    answers = np.random.default_rng(1).dirichlet(np.ones(4), 30)
    clean, targets, taught, carried = first()
    assert sorted(targets.ravel()) == [0.0] * 12 + [1.0] * 4
    rows = [np.flatnonzero((features == clip).all(axis=(1, 2)))[0] for clip in clean]
    assert targets.argmax(axis=1).tolist() == labels[rows].tolist()
    np.testing.assert_allclose(taught, answers[rows], atol=1e-6)
    mixed, soft, taught_mixed, carried_too = first("augment.mixup_alpha=1")
    assert np.array_equal(carried, carried_too)
    assert soft.sum(axis=1) == pytest.approx(np.ones(4))
    assert ((soft > 0) & (soft < 1)).any()
    share, *_ = np.linalg.lstsq(clean.reshape(4, -1).T, mixed.reshape(4, -1).T, rcond=None)
    np.testing.assert_allclose(share.T @ targets, soft, atol=1e-3)
    np.testing.assert_allclose(share.T @ taught, taught_mixed, atol=1e-3)
    answers = None
    assert np.array_equal(first()[2], targets)


def test_a_run_is_never_written_over(tone_run, tone_recipe, tmp_path):
    recipe = read_recipe(tone_recipe)
    with pytest.raises(RunError, match=r"already holds a run; go on with it by --resume"):
        start_run(tone_run, recipe, resume=False)
    with pytest.raises(RunError, match=r"was made by another recipe \(train.epochs was 16, is 3\)"):
        start_run(tone_run, read_recipe(tone_recipe, ("train.epochs=3",)), resume=True)
    with pytest.raises(RunError, match=r"nothing to resume \(no recipe.yaml\)"):
        start_run(tmp_path / "new", recipe, resume=True)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match=r"already holds 'mine.txt'"):
        start_run(tmp_path / "notes", recipe, resume=False)
    with pytest.raises(RunError, match=r"is a file; --out wants a folder"):
        start_run(tmp_path / "notes" / "mine.txt", recipe, resume=False)


def test_resuming_with_other_data_is_refused(tone_run, tone_recipe, tone_data, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tone_data, other)
    next((other / "low").iterdir()).unlink()
    message = refused("train.py", tone_recipe, "--data", other, "--out", tone_run, "--resume")
    assert "was trained on other data" in message


def test_damaged_run_folders_are_refused(tone_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tone_run, run)
    (run / "model.keras").write_bytes((run / "model.keras").read_bytes()[:2000])
    assert "model.keras: damaged" in refused("convert.py", run)
    (run / "run.json").write_text("{")
    assert "run.json: cannot be read" in refused("convert.py", run)
    (run / "run.json").unlink()
    assert "half written, run.json is missing" in refused("convert.py", run)
    assert "no such run folder" in refused("convert.py", tmp_path / "nowhere")
    (run / "checkpoints" / "last.npz").write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.raises(RunError, match=r"last.npz: a damaged checkpoint"):
        restore(run / "checkpoints" / "last.npz", Nothing(), Nothing())


class Nothing:
    variables = ()


def test_fewer_clips_than_a_batch(tone_recipe, tone_data, tmp_path):
    recipe = read_recipe(tone_recipe, ("train.batch_size=4096",))
    with pytest.raises(DataError, match=r"training clips are less than one batch of 4096"):
        train_recipe(recipe, tone_data, tmp_path / "run", resume=False)

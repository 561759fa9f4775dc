"""Training stopped anywhere goes on to the weights that the unbroken one gives."""

import json

import numpy as np
import pytest

from kws.errors import RecipeError, RunError
from kws.nn import training
from kws.nn.checkpoint import restore_weights
from kws.nn.epochs import (
    Epoch,
    Phase,
    accuracy_before_quantization,
    all_over,
    best_of,
    is_over,
    of_phase,
    read_history,
)
from kws.nn.models import load_model
from kws.nn.train_recipe import train_recipe
from kws.recipe_io import read_recipe, write_recipe
from kws.run import RunFolder, read_json

OPTIONS = (
    "model={units: [6], cell: rnn}",
    "train={epochs: 12, batch_size: 8, learning_rate: 0.01, dropout: 0.1, recurrent_dropout: 0.1, "
    "loss: max_pooling, class_weights: {low: 2.0}, warm_up: 0.1, patience: 2, keep: best}",
    "quantize={epochs: 4, learning_rate: 0.002, calibration_clips: 64}",
)


class Killed(Exception):
    """What stands for a kill."""


def weights(run: RunFolder) -> list[np.ndarray]:
    return [variable.numpy() for variable in load_model(run.keras_model).variables]


def arrays(path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files if name != "history"}


@pytest.fixture(scope="module")
def options(tone_recipe):
    return read_recipe(tone_recipe, OPTIONS)


@pytest.fixture(scope="module")
def unbroken(options, tone_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("unbroken") / "run"
    return RunFolder(out), train_recipe(options, tone_data, out, resume=False)[1]


def test_a_phase_ends_when_nothing_gets_better_and_keeps_its_best(options, unbroken):
    run, history = unbroken
    for phase in training.phases(options):
        lines = of_phase(history, phase)
        best = best_of(lines)
        assert len(lines) < phase.epochs
        assert lines[0].epoch == phase.first_epoch
        assert lines[-1].epoch - best.epoch == 2
        highest = max(line.validation_accuracy for line in lines)
        assert next(line for line in lines if line.validation_accuracy == highest) == best
    kept = arrays(run.best("qat"))
    assert all(np.array_equal(kept[f"model_{i}"], value) for i, value in enumerate(weights(run)))
    last = arrays(run.checkpoint)
    assert any(not np.array_equal(kept[name], last[name]) for name in kept)
    minutes = sum(line.seconds for line in history) / 60
    assert read_json(run.facts)["training_minutes"] == pytest.approx(minutes, abs=0.006)


def test_stopped_anywhere_it_goes_on_to_the_same_weights(
    options, unbroken, tone_data, tmp_path, monkeypatch
):
    """Killed in the middle of an epoch, between best weights and checkpoint, and in both phases."""
    run, history = RunFolder(tmp_path / "run"), unbroken[1]
    floats = len(of_phase(history, training.phases(options)[0]))
    batches, save = training.training_batches, training.save
    killed_in: list[tuple[str, int]] = []

    def some_batches(recipe, features, labels, epoch, taught):
        for index, batch in enumerate(batches(recipe, features, labels, epoch, taught)):
            if ("batch", epoch) in killed_in and index == 3:
                raise Killed
            yield batch

    def save_or_not(path, model, optimizer, lines):
        if ("save", lines[-1]["epoch"]) in killed_in:
            raise Killed
        save(path, model, optimizer, lines)

    monkeypatch.setattr(training, "training_batches", some_batches)
    monkeypatch.setattr(training, "save", save_or_not)
    done = []
    for what in (("save", 2), ("batch", 12), ("batch", 13)):
        killed_in[:] = [what]
        with pytest.raises(Killed):
            train_recipe(options, tone_data, run.path, resume=run.recipe.is_file())
        with np.load(run.checkpoint) as file:
            done.append(len(json.loads(file["history"].tobytes())))
        assert not run.keras_model.exists()
    assert done == [2, floats, floats + 1]
    killed_in.clear()
    assert train_recipe(options, tone_data, run.path, resume=True)[1] == history
    for mine, theirs in zip(weights(run), weights(unbroken[0]), strict=True):
        np.testing.assert_array_equal(mine, theirs)


MORE = {
    # Batches of 64 go in two parts, where there are two processors.
    "stem": (
        "model={units: [6], cell: rnn, stem: [{channels: 4, kernel: [3, 4], stride: [2, 2]}]}",
        "train={epochs: 3, batch_size: 64, learning_rate: 0.01, dropout: 0.1}",
        "quantize={epochs: 2, calibration_clips: 64}",
    ),
    "distill": (
        "model={units: [6], cell: rnn}",
        "train={epochs: 3, batch_size: 16, learning_rate: 0.01, distill: {teachers: [TEACHER]}}",
        "quantize={epochs: 2, calibration_clips: 64}",
    ),
}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ((), 0.5),
        (("train.keep=best",), 0.75),
        (("quantize.mode=calibrate",), None),
        (("quantize.mode=none",), None),
    ],
)
def test_what_was_reached_before_quantization(tone_recipe, changes, wanted):
    accuracies = {"float": (0.25, 0.75, 0.5), "qat": (0.875, 0.625)}
    history = [
        Epoch(name, 0, 1.0, right) for name, reached in accuracies.items() for right in reached
    ]
    recipe = read_recipe(tone_recipe, changes)
    assert accuracy_before_quantization(history, recipe) == wanted
    assert accuracy_before_quantization(history[3:], recipe) is None


@pytest.mark.parametrize("what", MORE)
def test_killed_between_epochs_it_goes_on_to_the_same_weights(
    what, tone_recipe, tone_data, tmp_path, monkeypatch
):
    """With what a stem's batch normalisation keeps, and with a teacher's answers, compiled."""
    monkeypatch.setattr(training, "COMPILED_FROM", 0 if what == "distill" else 1000)
    changes = ("name=teacher", "train={epochs: 1, batch_size: 16}", "quantize.mode=none")
    teacher = tmp_path / "teacher.yaml"
    write_recipe(read_recipe(tone_recipe, changes), teacher)
    texts = (change.replace("TEACHER", str(teacher)) for change in MORE[what])
    recipe = read_recipe(tone_recipe, tuple(texts))

    def killed(epoch: Epoch) -> bool:
        if epoch.epoch in (0, 3):
            raise Killed
        return False

    whole, run = RunFolder(tmp_path / "runs" / "whole"), RunFolder(tmp_path / "runs" / "killed")
    history = train_recipe(recipe, tone_data, whole.path, resume=False)[1]
    for resume in (False, True):
        with pytest.raises(Killed):
            train_recipe(recipe, tone_data, run.path, resume, after_epoch=killed)
    assert len(read_history(run.history)) == 4
    assert train_recipe(recipe, tone_data, run.path, resume=True)[1] == history
    assert [epoch.phase for epoch in history] == ["float"] * 3 + ["qat"] * 2
    for mine, theirs in zip(weights(run), weights(whole), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_training_of_few_batches_is_not_compiled_and_learns_the_same(
    tone_recipe, tone_data, tmp_path, monkeypatch
):
    changes = ("train={epochs: 2, batch_size: 8}", "quantize.mode=none")  # dropout draws otherwise
    recipe, learned = read_recipe(tone_recipe, changes), []
    for name, batches in (("compiled", 28), ("plain", 29)):  # of 119 clips, 14 an epoch
        monkeypatch.setattr(training, "COMPILED_FROM", batches)
        model = train_recipe(recipe, tone_data, tmp_path / name, resume=False)[0]
        assert model.compiled == (name == "compiled")
        learned.append([variable.numpy() for variable in model.learned()])
    for one, other in zip(*learned, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def epochs(*accuracies: float, phase: str = "float", first: int = 0) -> list[Epoch]:
    return [Epoch(phase, first + i, 1.0, value) for i, value in enumerate(accuracies)]


def test_patience_by_hand():
    phase = Phase("float", 6, 0.1, 0)
    assert not is_over([], phase, 1)
    assert not is_over(epochs(0.5, 0.6, 0.6), phase, 2)
    assert is_over(epochs(0.5, 0.6, 0.6, 0.6), phase, 2)  # as good is not better
    assert not is_over(epochs(0.5, 0.6, 0.6, 0.7), phase, 2)
    assert not is_over(epochs(0.9, 0.1, 0.1, 0.1, 0.1), phase, None)
    assert is_over(epochs(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), phase, None)
    later = Phase("qat", 3, 0.1, 6)
    both = epochs(0.9, 0.1) + epochs(0.5, 0.4, phase="qat", first=6)
    assert not is_over(both, later, 2)
    assert is_over(both, later, 1)
    assert best_of(epochs(0.1, 0.4, 0.4)).epoch == 1


def test_a_hook_ends_the_training_and_resume_goes_on(tone_recipe, tone_data, tmp_path):
    recipe = read_recipe(tone_recipe, (*OPTIONS, "train.epochs=3", "quantize.mode=none"))
    out, seen = tmp_path / "run", []

    def after(epoch: Epoch) -> bool:
        seen.append(epoch)
        return epoch.epoch >= 1

    history = train_recipe(recipe, tone_data, out, resume=False, after_epoch=after)[1]
    assert [line.epoch for line in history] == [0, 1]
    assert seen == history
    assert not all_over(history, recipe)
    run = RunFolder(out)
    assert not run.keras_model.exists()
    whole = train_recipe(recipe, tone_data, out, resume=True, after_epoch=after)[1]
    assert [line.epoch for line in whole] == [0, 1, 2]
    assert run.keras_model.is_file()  # the last epoch ends it anyway
    run.best("float").write_bytes(b"PK")
    with pytest.raises(RunError, match=r"best_float.npz: a damaged checkpoint"):
        restore_weights(run.best("float"), load_model(run.keras_model))
    with pytest.raises(RunError, match=r"best_qat.npz: cannot be read \(No such file"):
        restore_weights(run.best("qat"), load_model(run.keras_model))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ("train.class_weights={lwo: 2}",),
            r"class_weights: no class 'lwo'; the classes are low, h",
        ),
        (("model.pooling=mean", "train.loss=max_pooling"), r"max_pooling is for streams"),
        (("model.pooling=mean", "train.suppress=1.0"), r"suppress is for streams"),
        (
            ("model.bidirectional=true", "train.carried_state_share=0", "train.loss=max_pooling"),
            r"this model reads whole windows: set loss to last",
        ),
    ],
)
def test_options_that_do_not_suit_are_refused(tone_recipe, changes, message):
    with pytest.raises(RecipeError, match=message):
        read_recipe(tone_recipe, changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("train.optimizer=lion", r"train.optimizer: found 'lion'"),
        ("train.warm_up=1.5", r"train.warm_up: found 1.5"),
        ("train.class_weights={low: 0}", r"class_weights.low: found 0, input should be greater"),
        ("train.patience=0", r"train.patience: found 0"),
        ("train.keep=all", r"train.keep: found 'all'"),
    ],
)
def test_values_out_of_range(tone_recipe, change, message):
    with pytest.raises(RecipeError, match=message):
        read_recipe(tone_recipe, (change,))

"""The search: exact costs, a budget that is kept, stopped and gone on with, the same every time."""

import csv
import importlib
import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, refused, run_tool

from kws.data.examples import load_unseen
from kws.data.stats import FeatureStats
from kws.errors import RecipeError, RunError
from kws.nn.candidate import train_candidate
from kws.nn.epochs import Epoch
from kws.nn.models import build_model, load_model
from kws.nn.training import Clips, calibrate
from kws.recipe_io import read_recipe
from kws.report.front import plot_front, print_front, tally
from kws.run import open_run
from kws.search.measure import LONGEST_FIGURES, SLACK_BYTES, measure
from kws.search.plan import Budget, Cost, Plan
from kws.search.results import STOPPED, TRAINED, Tried, front, winner, write_trials, write_winner
from kws.search.search import search
from kws.search.space import Smallest, candidate, key
from kws.tflite.convert import convert, read_weights
from kws.tflite.interpreter import open_model

STEM = (
    "[{channels: 4, kernel: [3, 5], stride: [2, 2]}, {channels: 8, kernel: [2, 3], stride: [1, 3]}]"
)
FIGURES = {**LONGEST_FIGURES, "validation_clips": 814, "unseen_taken": 1.0, "arena_bytes": 2048}


def changed(recipe_file, *changes):
    return read_recipe(recipe_file, changes)


# --- what a model costs


@pytest.mark.parametrize("stem", ["[]", STEM])
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn", "mingru"])
def test_the_file_of_a_calibrated_model_is_as_large_as_told(tone_recipe, cell, stem):
    """Keras weights and measured ranges: the file that conversion would write of them."""
    recipe = changed(
        tone_recipe, f"model.cell={cell}", f"model.stem={stem}", "model.units=[12, 8]",
        "quantize.mode=calibrate",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    features = rng.normal(-35, 15, (64, 49, 40)).astype(np.float32)
    stats = FeatureStats(features.mean(axis=(0, 1)), 15.0, -80.0, 20.0)
    model = build_model(recipe.model, 4, stats, False, 1)
    for weight in model.trainable_variables:
        weight.assign_add(rng.normal(0, 0.1, weight.shape))
    model.fold()
    calibrate(model, recipe, Clips(features, np.zeros(64, np.int64)))
    real = convert(read_weights(model), recipe, "stream", figures=FIGURES)
    cost = measure(recipe)
    assert 0 <= cost.file_bytes - len(real.data) <= SLACK_BYTES
    assert cost.macs_per_second == real.metadata.macs_per_second
    assert cost.weights == real.weights.count()


def test_a_trained_and_verified_file_costs_what_was_told(tone_run):
    cost, file = measure(read_recipe(tone_run / "recipe.yaml")), tone_run / "model.tflite"
    facts = open_model(file).metadata
    assert 0 <= cost.file_bytes - file.stat().st_size <= SLACK_BYTES
    assert cost.arena_bytes == facts.figures["arena_smallest_bytes"]
    assert cost.macs_per_second == facts.macs_per_second == 50 * (40 * 36 + 12 * 36 + 12 * 4)
    assert set(facts.figures) <= set(LONGEST_FIGURES)
    assert all(len(str(facts.figures[name])) <= len(str(LONGEST_FIGURES[name])) for name in
               facts.figures)  # fmt: skip


def test_per_channel_scales_are_counted(tone_recipe):
    one, each = (
        measure(changed(tone_recipe, f"quantize.weights={kind}"), Budget(1)).file_bytes
        for kind in ("per_tensor", "per_channel")
    )
    assert each >= one + 4 * 2 * (36 + 36)  # a scale for each of a GRU's columns, and its biases'


def test_the_first_broken_limit_is_named():
    cost = Cost(file_bytes=24_001, macs_per_second=2_000_000, weights=1, arena_bytes=8_001)
    assert Budget(24_001, 8_001, 2e6).broken(cost) is None
    assert Budget(24_000, 8_000, 1e6).broken(cost) == ("bytes", 24_001, 24_000)
    assert Budget(25_000, 8_000, 1e6).broken(cost) == ("macs", 2_000_000, 1e6)
    assert Budget(25_000, 8_000).broken(cost) == ("arena", 8_001, 8_000)
    assert Budget(25_000, None, 2e6).broken(cost) is None


@pytest.mark.parametrize("limit", [0, -5, float("nan"), float("inf")])
def test_a_limit_is_a_number_above_0(limit):
    with pytest.raises(RecipeError, match=r"--max-bytes .*: expected a number above 0"):
        Budget(limit)
    with pytest.raises(RecipeError, match=r"--max-macs-per-second"):
        Budget(24_000, None, limit)


# --- among what it looks


class Drawn:
    """Choices by a generator."""

    def __init__(self, rng):
        self.rng = rng

    def suggest_int(self, name, low, high, *, step=1):
        del name
        return int(low + step * self.rng.integers((high - low) // step + 1))

    def suggest_categorical(self, name, choices):
        del name
        return choices[self.rng.integers(len(choices))]


def test_widths_are_drawn_by_their_root(tone_recipe):
    class Widest(Smallest):
        def suggest_int(self, name, low, high, *, step=1):
            del name
            return high - (high - low) % step

    recipe = changed(tone_recipe)
    assert candidate(recipe, Smallest()).model.units == [8]
    assert candidate(recipe, Widest()).model.units == [256, 256]
    drawn = [candidate(recipe, Drawn(np.random.default_rng(i))) for i in range(300)]
    units = [width for one in drawn for width in one.model.units]
    assert np.median(units) == pytest.approx(90, abs=12)  # the mean root's; evenly: 132
    assert len(set(units)) == 14


def test_whatever_is_drawn_is_a_recipe(tone_recipe):
    recipe, rng = changed(tone_recipe), np.random.default_rng(0)
    drawn = [candidate(recipe, Drawn(rng)) for _ in range(200)]
    assert {one.model.cell for one in drawn} == {"gru", "lstm", "mingru", "rnn"}
    assert {len(one.model.units) for one in drawn} == {1, 2}
    assert {len(one.model.stem) for one in drawn} == {0, 1, 2, 3}
    assert {(one.features.mel_bands, one.features.hop_ms) for one in drawn} == {
        (bands, hop) for bands in (20, 30, 40) for hop in (10.0, 20.0)
    }
    for one in drawn:
        assert all(units % 4 == 0 and 8 <= units <= 256 for units in one.model.units)
        assert one.model.bands(one.features.mel_bands) >= 1
        assert (one.name, one.train, one.data) == ("tones_winner", recipe.train, recipe.data)
    assert len({key(one) for one in drawn}) > 190


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (("model.bidirectional=true", "train.carried_state_share=0"), "bidirectional is true"),
        (
            ("model.pooling=mean", "train.carried_state_share=0"),
            "pooling is mean, which makes no stream",
        ),
        (("features.kind=mfcc",), "features.kind is mfcc"),
        (
            ("model={architecture: dscnn}", "train.carried_state_share=0"),
            "architecture is dscnn, whose layers are fixed",
        ),
        (("train.strategy=multi_worker",), "the search trains on one machine"),
    ],
)
def test_recipes_of_no_stream_are_refused(tone_recipe, changes, problem):
    recipe = changed(tone_recipe, *changes)
    with pytest.raises(RecipeError, match=problem):
        Plan(recipe, Path("data"), Path("out"), Budget(24_000), 12)
    with pytest.raises(RecipeError, match="--trials 0: expected at least 1"):
        Plan(changed(tone_recipe), Path("data"), Path("out"), Budget(24_000), 0)


# --- the search itself, with a training that takes no time


TRIALS = 8


def hasten(patch: pytest.MonkeyPatch) -> None:
    """The sampler learns after three trainings; the arena takes no second to find."""
    patch.setattr("kws.search.study.RANDOM_TRIALS", 3)
    patch.setattr("kws.search.measure.smallest_arena", lambda _, used: used)


@pytest.fixture
def plan(monkeypatch, tone_recipe, tmp_path) -> Plan:
    hasten(monkeypatch)
    recipe = changed(tone_recipe, "train.epochs=6", "quantize.epochs=2")
    budget = Budget(12_000, 8_000)
    return Plan(recipe, tmp_path / "data", tmp_path / "search", budget, TRIALS)


@pytest.fixture(scope="module")
def unbroken(tone_recipe, tmp_path_factory):
    """The training and the results of a search that nothing disturbed, and where they are."""
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch)
        folder, training = tmp_path_factory.mktemp("unbroken") / "search", Training()
        recipe = changed(tone_recipe, "train.epochs=6", "quantize.epochs=2")
        whole = Plan(recipe, folder.parent / "data", folder, Budget(12_000, 8_000), TRIALS)
        return whole, training, run(whole, training)


def quality(recipe) -> float:
    """The accuracy that a candidate comes to here: more units, better."""
    return 0.5 + sum(recipe.model.units) / 1024 + 0.1 * (recipe.model.cell == "gru")


class Training:
    """Trains as told: the accuracy rises to the model's quality; may be interrupted."""

    def __init__(self, interrupt_at: tuple[int, int] | None = None):
        self.interrupt_at, self.folders, self.epochs = interrupt_at, [], 0

    def __call__(self, recipe, data, out, after_epoch):
        del data
        self.folders.append(out.name)
        kept = out / "history.json"
        history = [Epoch(**line) for line in json.loads(kept.read_text())] if kept.is_file() else []
        stop = any(after_epoch(epoch) for epoch in history)
        for epoch in range(8 if stop else len(history), 8):
            right = quality(recipe) * (epoch + 1) / 8
            history.append(Epoch("float" if epoch < 6 else "qat", epoch, 1.0, right))
            out.mkdir(exist_ok=True)
            kept.write_text(json.dumps([vars(one) for one in history]))
            self.epochs += 1
            if self.interrupt_at == (len(self.folders), epoch):
                raise KeyboardInterrupt
            if after_epoch(history[-1]):
                break
        return history, ("a.wav: damaged",), quality(recipe) / 2


def run(plan, training=None, resume=False, most=None):
    return search(plan, resume, training or Training(), lambda _: None, most)


def test_all_that_is_trained_keeps_the_budget(unbroken):
    plan, training, found = unbroken
    fit = [one for one in found.tried if one.fits]
    assert len(fit) == len(training.folders) == TRIALS
    assert found.over
    assert found.bad == ("a.wav: damaged",)
    assert all(plan.budget.broken(one.cost) is None for one in fit)
    unfit = [one for one in found.tried if one.outcome == "too many bytes"]
    assert unfit
    assert all(one.cost.file_bytes > 12_000 and one.cost.arena_bytes is None for one in unfit)
    assert unfit[0].reason == f"{unfit[0].cost.file_bytes:,}, 12,000 allowed"
    assert f"{len(unfit)} too many bytes" in tally(found.tried)
    assert len({key(one.recipe) for one in fit}) == TRIALS


def test_poor_candidates_are_stopped_early_and_good_ones_are_not(unbroken):
    fit = [one for one in unbroken[2].tried if one.fits]
    stopped = [one for one in fit if one.outcome == STOPPED]
    assert stopped
    for one in fit:
        assert (one.epochs < 8) == (one.outcome == STOPPED)
        assert one.accuracy == pytest.approx(quality(one.recipe) * one.epochs / 8)
        whole = one.outcome == TRAINED
        assert one.unseen_taken == (quality(one.recipe) / 2 if whole else None)
    trained = [quality(one.recipe) for one in fit if one.outcome == TRAINED]
    assert all(quality(one.recipe) < max(trained) for one in stopped)
    assert [one.outcome for one in fit[:4]] == [TRAINED] * 4  # no median before


def test_the_same_seed_finds_the_same_and_another_one_does_not(plan, unbroken, tmp_path):
    assert run(plan).tried == unbroken[2].tried
    other = plan.recipe.model_copy(update={"seed": 2})
    again = run(replace(plan, recipe=other, folder=tmp_path / "c", trials=2)).tried
    assert [one.cost for one in again[:3]] != [one.cost for one in unbroken[2].tried[:3]]


@pytest.mark.parametrize("when", ["first epoch", "middle", "last epoch", "verdict"])
def test_an_interrupted_search_goes_on_to_the_same_end(plan, unbroken, when):
    """Also between the last epoch and the result, and between an epoch and the verdict on it."""
    _, training, wanted = unbroken
    epochs = [one.epochs for one in wanted.tried if one.fits]
    poor = next(i for i, count in enumerate(epochs) if count < 8)
    at = {"first epoch": (1, 0), "middle": (3, 4), "last epoch": (4, 7),
          "verdict": (poor + 1, epochs[poor] - 1)}[when]  # fmt: skip
    before, after = Training(at), Training()
    with pytest.raises(KeyboardInterrupt):
        run(plan, before)
    assert run(plan, after, resume=True).tried == wanted.tried
    assert before.folders + after.folders[1:] == training.folders
    assert after.folders[0] == before.folders[-1]
    assert before.epochs + after.epochs == training.epochs


def test_a_search_in_parts_is_one_search_and_a_finished_one_trains_nothing(plan, unbroken):
    part = run(plan, most=5)
    assert (sum(one.fits for one in part.tried), part.over) == (5, False)
    assert run(plan, resume=True, most=20).tried == unbroken[2].tried
    nothing = Training()
    assert run(plan, nothing, resume=True).tried == unbroken[2].tried
    assert nothing.folders == []


def test_a_space_that_is_used_up_ends_the_search(plan, monkeypatch):
    monkeypatch.setattr("kws.search.search.MOST_UNFIT", 25)
    tight = Budget(measure(candidate(plan.recipe, Smallest())).file_bytes)
    found = run(replace(plan, budget=tight))
    assert found.over
    assert sum(one.fits for one in found.tried) < TRIALS
    assert not any(one.fits for one in found.tried[-25:])


def test_a_budget_that_nothing_fits_names_the_smallest(plan):
    told = r"fits into 900 bytes: .* \(rnn of 8 units, 20 bands every 20 ms\) takes 2,\d\d\d bytes"
    with pytest.raises(RecipeError, match=told):
        run(replace(plan, budget=Budget(900)))
    assert not plan.folder.exists()


def test_a_folder_of_something_else_is_refused(plan, tone_run, tmp_path):
    run(plan, most=1)
    with pytest.raises(RunError, match="go on with it by --resume"):
        run(plan)
    with pytest.raises(RunError, match="max_arena 8000, not None; resume with that"):
        run(replace(plan, budget=Budget(12_000)), resume=True)
    with pytest.raises(RunError, match=r"searched with data .*, not .*elsewhere"):
        run(replace(plan, data=tmp_path / "elsewhere"), resume=True)
    other = plan.recipe.model_copy(update={"seed": 2})
    with pytest.raises(RunError, match=r"another recipe \(seed was 1, is 2\)"):
        run(replace(plan, recipe=other), resume=True)
    trained = read_recipe(tone_run / "recipe.yaml")
    with pytest.raises(RunError, match=r"holds no search \(no search.json\)"):
        run(replace(plan, recipe=trained, folder=tone_run), resume=True)
    with pytest.raises(RunError, match="nothing to resume"):
        run(replace(plan, folder=tmp_path / "new"), resume=True)


def test_one_search_at_a_time_in_a_folder(plan):
    def train(recipe, data, out, after_epoch):
        with pytest.raises(RunError, match="another search is at work in it"):
            run(plan, resume=True)
        return Training()(recipe, data, out, after_epoch)

    assert len(run(plan, train, most=1).tried) >= 1


def test_a_journal_torn_by_a_kill_is_mended_and_a_damaged_one_is_refused(plan, unbroken):
    run(plan, most=3)
    journal = plan.folder / "journal.jsonl"
    Path(f"{journal}.lock").touch()
    with journal.open("ab") as file:
        file.write(b'{"op_code":5,"trial_id":')
    assert run(plan, resume=True).tried == unbroken[2].tried
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:3], b"rubbish\n", *lines[4:]]))
    with pytest.raises(RunError, match=r"journal.jsonl: a damaged journal"):
        run(plan, resume=True)


# --- what is shown of it


def trained(number, file_bytes, accuracy, recipe=None):
    return Tried(number, TRAINED, "", recipe, Cost(file_bytes, 1, 1, 1), accuracy, 8)


def test_the_front_is_of_those_that_none_beats():
    tried = [
        trained(0, 9_000, 0.90), trained(1, 5_000, 0.80), trained(2, 7_000, 0.80),
        trained(3, 9_000, 0.85), trained(4, 9_500, 0.90), trained(5, 4_000, 0.60),
        Tried(6, STOPPED, "", None, Cost(3_000, 1, 1, 1), 0.99, 2), Tried(7, "too many bytes"),
    ]  # fmt: skip
    assert [one.number for one in front(tried)] == [5, 1, 0]
    assert winner(tried).number == 0
    assert front(tried[6:]) == []
    assert winner(tried[6:]) is None


def test_results_are_written(unbroken, tone_recipe, tmp_path):
    plan, _, found = unbroken
    write_trials(found.tried, tmp_path / "t.csv")
    with open(tmp_path / "t.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [int(line["trial"]) for line in lines] == list(range(len(found.tried)))
    best = winner(found.tried)
    line = lines[best.number]
    assert float(line["validation_accuracy"]) == best.accuracy
    assert float(line["unseen_taken"]) == best.unseen_taken
    assert line["units"] == "+".join(map(str, best.recipe.model.units))
    assert int(line["file_bytes"]) == best.cost.file_bytes
    assert (tmp_path / "t.csv").read_text() == (plan.folder / "trials.csv").read_text()
    write_winner(best, changed(tone_recipe), tmp_path / "winner.yaml")
    recipe = read_recipe(tmp_path / "winner.yaml")
    assert f" epochs, {best.unseen_taken:.1%} of unseen words taken, " in recipe.description
    assert (recipe.train.epochs, recipe.quantize.epochs) == (16, 2)
    assert (recipe.model, recipe.features) == (best.recipe.model, best.recipe.features)
    assert measure(recipe, Budget(1)).file_bytes == best.cost.file_bytes
    plot_front(found.tried, plan.budget, "tones", tmp_path / "front.png")
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("unseen", "told"), [(0.5125, "51.2%"), (None, "–")])
def test_the_front_tells_of_words_never_heard(unbroken, capsys, monkeypatch, unseen, told):
    monkeypatch.setenv("COLUMNS", "80")
    best = replace(winner(unbroken[2].tried), unseen_taken=unseen)
    print_front([best])
    shown = capsys.readouterr().out
    assert re.search(rf"│ +\* {best.number} │ +{best.accuracy:.2%} │ +{told} │", shown)
    assert "unseen: clips of words never heard" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_search_begun_before_words_never_heard_were_told_goes_on(plan, unbroken):
    run(plan, most=3)
    journal = plan.folder / "journal.jsonl"
    text = journal.read_text()
    old = re.sub(r',"unseen_taken":[^}]*(?=})', "", text)
    assert "unseen_taken" not in old
    assert old != text
    journal.write_text(old)
    tried = run(plan, resume=True).tried
    assert [replace(one, unseen_taken=None) for one in tried] == [
        replace(one, unseen_taken=None) for one in unbroken[2].tried
    ]


# --- a real training


def test_a_candidate_tells_what_it_makes_of_words_never_heard(tone_recipe, tone_data, tmp_path):
    recipe = changed(
        tone_recipe, "model.cell=rnn", "model.units=[8]", "train.epochs=1", "quantize.epochs=1",
        "data.unknown=false", "data.unseen_words=[middle]",
    )  # fmt: skip
    _, bad, taken = train_candidate(recipe, tone_data, tmp_path / "run", lambda _: False)
    words = ("low", "high", "silence")
    unseen = load_unseen(tone_data, words, recipe.features, 16000, "validation", ("middle",))
    assert len(unseen.labels) >= 20
    model = load_model(tmp_path / "run" / "model.keras")
    model.set_mode("int8")
    given = model(unseen.features)[0][:, -1].numpy().argmax(axis=1)
    assert taken == pytest.approx((given < 2).mean())
    assert bad == ()
    (tone_data / "middle" / "damaged_nohash_0.wav").write_bytes(b"")
    try:
        again = train_candidate(recipe, tone_data, tmp_path / "run", lambda _: False)
    finally:
        (tone_data / "middle" / "damaged_nohash_0.wav").unlink()
    assert again[2] == taken
    assert "damaged_nohash_0.wav" in "".join(again[1])


def test_a_candidate_is_trained_on_and_told_again(tone_recipe, tone_data, tmp_path):
    recipe = changed(
        tone_recipe, "model.cell=rnn", "model.units=[8]", "train.epochs=3", "train.batch_size=16",
        "quantize.mode=none",
    )  # fmt: skip
    told: list[int] = []

    def until(last):
        def after_epoch(epoch):
            told.append(epoch.epoch)
            return epoch.epoch == last

        return after_epoch

    stopped, bad, unseen = train_candidate(recipe, tone_data, tmp_path / "run", until(1))
    assert (told, len(stopped), bad, unseen) == ([0, 1], 2, (), None)
    again = train_candidate(recipe, tone_data, tmp_path / "run", until(1))[0]
    assert (told, again) == ([0, 1, 0, 1], stopped)
    whole, _, unseen = train_candidate(recipe, tone_data, tmp_path / "run", until(9))
    assert unseen is None  # the data have no such word
    assert told == [0, 1, 0, 1, 0, 1, 2]
    assert whole[:2] == stopped
    assert open_run(tmp_path / "run")[0].keras_model.is_file()


# --- the program


def arguments(tone_recipe, tone_data, out):
    return [
        tone_recipe, "--data", tone_data, "--out", out, "--max-bytes", "4e3", "--max-arena", "8000",
        "--max-macs-per-second", "1e6", "--trials", "2", "--set", "train.epochs=3",
        "--set", "quantize.mode=calibrate", "--set", "train.batch_size=16",
    ]  # fmt: skip


START = (
    "import sys; sys.path.insert(0, 'tools'); import search, cli\n"
    "search.PER_PROCESS = 1; sys.argv = ['search.py', *sys.argv[1:]]\n"
)
"""The program, of which each process but the last trains one candidate."""


@pytest.mark.slow
def test_killed_in_its_second_process_it_goes_on_and_its_files_are_as_large_as_told(
    tone_recipe, tone_data, tmp_path
):
    out = tmp_path / "search"
    words = list(map(str, arguments(tone_recipe, tone_data, out)))
    process = subprocess.Popen(
        [sys.executable, "-c", START + "cli.run(search.main)", *words],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        first = process.stdout.readline()
        end = time.monotonic() + 180
        while len(histories := sorted(out.glob("[0-9]*/history.csv"))) < 2:
            assert process.poll() is None, "the search ended before it could be killed"
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert first.startswith("trial ")
    before = histories[0].stat().st_mtime_ns
    assert "go on with it by --resume" in refused("search.py", *words)
    shown = run_tool("search.py", *words, "--resume").stdout
    assert histories[0].stat().st_mtime_ns == before
    assert shown.count("\ntrial ") + shown.startswith("trial ") == 1
    assert "2 trained, 0 stopped early" in shown
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith("0")) == [
        ".lock", "cache", "front.png", "journal.jsonl", "recipe.yaml", "search.json", "trials.csv",
        "winner.yaml",
    ]  # fmt: skip
    assert f"next: python tools/train.py {out / 'winner.yaml'} --data {tone_data}" in shown
    assert read_recipe(out / "winner.yaml").train.epochs == 16
    with open(out / "trials.csv", newline="") as file:
        sizes = {int(line["trial"]): line for line in csv.DictReader(file)}
    told = sizes[int(histories[1].parent.name)]
    run, recipe, _ = open_run(histories[1].parent)
    real = convert(read_weights(load_model(run.keras_model)), recipe, "stream", figures=FIGURES)
    assert 0 <= int(told["file_bytes"]) - len(real.data) <= SLACK_BYTES


def test_ctrl_c_is_answered_with_what_to_do(tone_recipe, tone_data, tmp_path, monkeypatch, capsys):
    def train(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("kws.nn.candidate.train_candidate", train)
    monkeypatch.syspath_prepend(ROOT / "tools")
    words = arguments(tone_recipe, tone_data, tmp_path / "search")
    monkeypatch.setattr(sys, "argv", ["search.py", *map(str, words)])
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("search").main()
    told = f"{tmp_path / 'search'}: all is kept; the same command with --resume goes on\n"
    assert capsys.readouterr().err.endswith(told)


def test_bad_limits_are_one_line(tone_recipe, tone_data):
    words = [tone_recipe, "--data", tone_data, "--max-bytes"]
    assert "--max-bytes -1: expected a number above 0" in refused("search.py", *words, "-1")

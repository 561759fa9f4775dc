"""Several devices and machines: the losses of one, and a clear end when a worker dies."""

import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from conftest import refused
from forked import Forked
from test_training import history, wait_for

from kws.errors import RecipeError
from kws.nn.strategies import this_worker

RECIPE = (
    "train={epochs: 2, batch_size: 8, learning_rate: 0.01, dropout: 0.1, recurrent_dropout: 0.1, "
    "carried_state_share: 0.5, keep: best}",
    "quantize={epochs: 1, calibration_clips: 64}",
)
STEM = "model={units: [8], cell: rnn, stem: [{channels: 4, kernel: [3, 4], stride: [2, 2]}]}"
PLAIN = "model={units: [8], cell: rnn}"
FLOAT = "quantize.mode=none"
LONG = "train.epochs=200"


def command(recipe, data, out, *more) -> list[str]:
    changes = [part for change in (*RECIPE, *more) for part in ("--set", change)]
    return ["train.py", str(recipe), "--data", str(data), "--out", str(out), *changes]


class Workers:
    """Two of them, each a process with ports of its own on this machine."""

    def __init__(self, *commands: list[str]):
        ports = []
        for _ in commands:
            with socket.socket() as free:
                free.bind(("localhost", 0))
                ports.append(free.getsockname()[1])
        cluster = {"worker": [f"localhost:{port}" for port in ports]}
        self.processes = []
        for index, one in enumerate(commands):
            task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
            env = {**os.environ, "TF_CONFIG": json.dumps(task)}
            self.processes.append(Forked(*one, "--strategy", "multi_worker", env=env))

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()

    def finish(self) -> list[str]:
        """Wait for both; gives what they printed."""
        told = [process.communicate(timeout=300) for process in self.processes]
        assert [process.returncode for process in self.processes] == [0, 0], told
        return [out for out, _ in told]


def arrays(run) -> dict[str, np.ndarray]:
    """The float model: of a stem, with what batch normalisation keeps."""
    with np.load(run / "checkpoints" / "best_float.npz") as file:
        return {name: file[name] for name in file.files if name != "history"}


@pytest.fixture(scope="module")
def alone(tone_recipe, tone_data, tmp_path_factory):
    """The same trainings by one process without a strategy, and on two devices of it.

    ``stem_parts`` is without a strategy, each batch in two parts, as no stem's is by itself. Those
    named after the stem alone are compiled, as long trainings are.
    """
    out = tmp_path_factory.mktemp("alone")
    code = (
        "import sys, json, tensorflow as tf\n"
        "from pathlib import Path\n"
        "from kws.nn import steps, training\n"
        "from kws.nn.train_recipe import train_recipe\n"
        "from kws.recipe_io import read_recipe\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "two = [tf.config.LogicalDeviceConfiguration()] * 2\n"
        "tf.config.set_logical_device_configuration(cpu, two)\n"
        "recipe, data, out, plans = sys.argv[1:]\n"
        "for name, changes in json.loads(plans).items():\n"
        "    training.COMPILED_FROM = 0 if name.startswith('stem') else 1000\n"
        "    steps.parts_for = lambda *_, count=1 + name.endswith('parts'): count\n"
        "    values = read_recipe(Path(recipe), tuple(changes))\n"
        "    train_recipe(values, Path(data), Path(out) / name, False)\n"
    )
    plans = {
        "plain": (*RECIPE, PLAIN),
        "plain_mirrored": (*RECIPE, PLAIN, "train.strategy=mirrored"),
        "stem": (*RECIPE, STEM, FLOAT),
        "stem_parts": (*RECIPE, STEM, FLOAT),
        "stem_mirrored": (*RECIPE, STEM, FLOAT, "train.strategy=mirrored"),
        "short_stem_parts": (*RECIPE, STEM, FLOAT),
    }
    arguments = [str(tone_recipe), str(tone_data), str(out), json.dumps(plans)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    return out


def losses(run) -> np.ndarray:
    return np.array([float(line["loss"]) for line in history(run)])


def test_two_devices_have_the_losses_of_one(alone):
    one, two = alone / "plain", alone / "plain_mirrored"
    assert [line["phase"] for line in history(two)] == ["float"] * 2 + ["qat"]
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-3)
    np.testing.assert_allclose(losses(two)[:2], losses(one)[:2], rtol=1e-5)
    assert (two / "model.keras").is_file()


def test_batch_normalisation_is_of_each_share(alone):
    """Half a batch has a mean and variance of its own: near the whole one's, but not the same."""
    one, two = losses(alone / "stem"), losses(alone / "stem_mirrored")
    np.testing.assert_allclose(two, one, rtol=0.2)
    assert abs(two[0] - one[0]) > 1e-4


def test_two_devices_have_the_stem_of_one_that_takes_two_parts(alone):
    same_stem(alone / "stem_mirrored", alone / "stem_parts")


def same_stem(run, parts) -> None:
    """Batch normalisation sees the same halves of each batch: nothing is left but rounding."""
    np.testing.assert_allclose(losses(run), losses(parts), rtol=1e-6)
    before = arrays(parts)
    for name, value in arrays(run).items():
        np.testing.assert_allclose(value, before[name], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_two_workers_have_the_losses_of_one_and_the_chief_alone_writes(
    alone, tone_recipe, tone_data, tmp_path
):
    chief, other = tmp_path / "chief" / "run", tmp_path / "other" / "run"
    many = [command(tone_recipe, tone_data, out, PLAIN) for out in (chief, other)]
    with Workers(*many) as workers:
        told = workers.finish()
    assert "the run is in" in told[0]
    assert "the run is in" not in told[1]
    np.testing.assert_allclose(losses(chief), losses(alone / "plain"), rtol=1e-3)
    np.testing.assert_allclose(losses(chief)[:2], losses(alone / "plain")[:2], rtol=1e-5)
    assert (chief / "model.keras").is_file()
    assert [path.name for path in other.parent.iterdir()] == ["cache"]
    when_one_dies(tone_recipe, tone_data, tmp_path / "killed" / "run", other, chief)


def when_one_dies(recipe, data, out, other, unbroken) -> None:
    """The chief ends with a clear word; resumed, both give the weights of the unbroken ones."""
    first, second = (
        command(recipe, data, out, PLAIN, FLOAT),
        command(recipe, data, other, PLAIN, FLOAT),
    )
    with Workers(first, second) as workers:
        left, victim = workers.processes
        wait_for(lambda: (out / "history.csv").is_file(), left)
        victim.send_signal(signal.SIGKILL)
        said = left.communicate(timeout=60)[1]
    assert left.returncode == 2
    assert "error: another worker has ended or cannot be reached any more" in said
    assert "Traceback" not in said
    assert not (out / "model.keras").exists()
    with Workers([*first, "--resume"], [*second, "--resume"]) as workers:
        workers.finish()
    assert losses(out).tolist() == losses(unbroken)[:2].tolist()
    for name, value in arrays(unbroken).items():
        np.testing.assert_array_equal(arrays(out)[name], value)


@pytest.mark.slow
def test_two_workers_have_the_stem_of_one_that_takes_two_parts(
    alone, tone_recipe, tone_data, tmp_path
):
    chief, other = tmp_path / "chief" / "run", tmp_path / "other" / "run"
    many = [command(tone_recipe, tone_data, out, STEM, FLOAT) for out in (chief, other)]
    with Workers(*many) as workers:
        workers.finish()
    same_stem(chief, alone / "short_stem_parts")


@pytest.mark.slow
@pytest.mark.parametrize("ready", ["run.json", "history.csv"])
def test_when_the_chief_dies_the_other_ends_with_a_word(ready, tone_recipe, tone_data, tmp_path):
    """Before the first step, and between two of them."""
    chief, other = tmp_path / "chief" / "run", tmp_path / "other" / "run"
    many = [command(tone_recipe, tone_data, out, PLAIN, FLOAT, LONG) for out in (chief, other)]
    with Workers(*many) as workers:
        victim, left = workers.processes
        wait_for(lambda: (chief / ready).is_file(), victim)
        victim.send_signal(signal.SIGKILL)
        said = left.communicate(timeout=90)[1]
    assert left.returncode == 2
    assert "error: another worker has ended or cannot be reached any more" in said
    assert "Traceback" not in said
    assert [path.name for path in other.parent.iterdir()] == ["cache"]


@pytest.mark.parametrize("what", ["fewer", "other sounds"])
def test_workers_with_other_clips_are_refused(what, tone_recipe, tone_data, tmp_path):
    """Other sounds have the same names and sizes: of each clip, another one's of its word."""
    theirs = tmp_path / "theirs"
    for folder in tone_data.iterdir():
        (theirs / folder.name).mkdir(parents=True)
        clips = sorted(folder.iterdir())
        sounds = clips if what == "fewer" else clips[::-1]
        fewer = 3 if (what, folder.name) == ("fewer", "low") else 0
        for clip, sound in list(zip(clips, sounds, strict=True))[fewer:]:
            (theirs / folder.name / clip.name).symlink_to(sound)
    first = command(tone_recipe, tone_data, tmp_path / "a" / "run", PLAIN)
    second = command(tone_recipe, theirs, tmp_path / "b" / "run", PLAIN)
    with Workers(first, second) as workers:
        said = [process.communicate(timeout=200)[1] for process in workers.processes]
    assert [process.returncode for process in workers.processes] == [2, 2]
    assert "error: this worker's clips are not those of the chief" in said[1]
    assert "error: another worker has ended or cannot be reached any more" in said[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"TF_CONFIG is not set; expected, on the first of two machines"),
        ("{", r"TF_CONFIG is '\{' \(JSONDecodeError"),
        ('{"cluster": {"worker": ["a:1"]}}', r"KeyError: 'task'"),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            r"no worker 1 in its cluster",
        ),
        ('{"cluster": [], "task": {"type": "worker", "index": 0}}', r"TypeError"),
    ],
)
def test_a_tf_config_that_cannot_be_used(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(RecipeError, match=message):
        this_worker()


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "expected"),
    [
        ({"worker": ["a:1", "b:1"]}, "worker", 0, ("worker 0", True)),
        ({"worker": ["a:1", "b:1"]}, "worker", 1, ("worker 1", False)),
        ({"chief": ["c:1"], "worker": ["a:1"]}, "worker", 0, ("worker 0", False)),
        ({"chief": ["c:1"], "worker": ["a:1"]}, "chief", 0, ("chief 0", True)),
    ],
)
def test_who_writes(monkeypatch, cluster, kind, index, expected):
    config = {"cluster": cluster, "task": {"type": kind, "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert this_worker() == expected


def test_what_a_machine_cannot_do_is_refused(tone_recipe, tone_data, tmp_path):
    one = ("train.py", tone_recipe, "--data", tone_data, "--out", tmp_path / "run")
    assert "is for several GPUs in a machine, and this one has 0" in refused(
        *one, "--strategy", "mirrored"
    )
    assert "train.mixed_precision is for GPUs, and TensorFlow finds none" in refused(
        *one, "--set", "train.mixed_precision=true"
    )
    assert not (tmp_path / "run").exists()

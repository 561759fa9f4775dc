"""Features made by a Dask cluster: a scheduler and two workers as processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from conftest import ROOT, refused, run_tool

from kws.data import cache
from kws.data.cache import load_examples
from kws.errors import DataError
from kws.recipe_io import read_recipe

pytest.importorskip("distributed", reason="pip install -r requirements-dask.txt")
SMALL = "augment.copies=1"


@dataclass(frozen=True)
class Cluster:
    address: str
    workers: list[subprocess.Popen]


def start(*arguments: str) -> subprocess.Popen:
    """A Dask process of its own, which finds the package."""
    code = "import sys; from distributed.cli import {0}; sys.argv[0] = '{0}'; {0}.main()"
    return subprocess.Popen(
        [sys.executable, "-c", code.format(arguments[0]), *arguments[1:]],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that all of it can be ended
    )


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    """A scheduler and two workers, which are waited for."""
    from distributed import Client

    facts = tmp_path / "scheduler.json"
    scheduler = start(
        "dask_scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard",
        "--scheduler-file", str(facts),
    )  # fmt: skip
    options = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path))
    workers = [
        start("dask_worker", "--scheduler-file", str(facts), "--no-nanny", *options)
        for _ in range(2)
    ]
    try:
        end = time.monotonic() + 60
        while not facts.is_file():
            assert time.monotonic() < end
            time.sleep(0.05)
        with Client(scheduler_file=str(facts), set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            address = client.scheduler.address
        yield Cluster(address, workers)
    finally:
        for process in (*workers, scheduler):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_cluster_gives_the_same_features(cluster, tone_recipe, tone_data, tmp_path):
    recipe = read_recipe(tone_recipe)
    here = load_examples(recipe, tone_data, "training", tmp_path / "here")
    command = ("prepare_data.py", "features", tone_recipe, "--data", tone_data)
    run_tool(*command, "--dir", tmp_path / "there", "--dask", cluster.address)
    for index in range(len(list((tmp_path / "here" / here.key).glob("*.npy")))):
        names = [tmp_path / place / here.key / f"{index:06d}.npy" for place in ("here", "there")]
        assert names[0].read_bytes() == names[1].read_bytes()


def test_a_killed_worker_costs_nothing_but_time(
    cluster, tone_recipe, tone_data, tmp_path, monkeypatch
):
    """One of two workers dies with shards in its hands; the other makes them again."""
    monkeypatch.setattr(cache, "SHARD", 2)
    recipe = read_recipe(tone_recipe, ("augment.copies=10",))
    here = load_examples(recipe, tone_data, "training", tmp_path / "here")
    with ThreadPoolExecutor(1) as thread:
        arguments = (recipe, tone_data, "training", tmp_path / "there", cluster.address)
        making = thread.submit(load_examples, *arguments)
        while len(list(tmp_path.glob("there/*/*.json"))) < 3:
            assert not making.done(), making.result()
            time.sleep(0.01)
        os.killpg(cluster.workers[0].pid, signal.SIGKILL)
        assert not list(tmp_path.glob("there/*/info.json"))
        there = making.result(timeout=120)
    assert cluster.workers[0].wait(timeout=10) == -signal.SIGKILL
    assert here.features[:].tobytes() == there.features[:].tobytes()


def test_no_scheduler_and_no_worker(tone_recipe, tone_data, tmp_path):
    options = ("--data", tone_data, "--dir", tmp_path / "cache", "--dask", "tcp://127.0.0.1:9")
    message = refused("prepare_data.py", "features", tone_recipe, *options)
    assert "no Dask scheduler answers" in message


def test_without_the_package(monkeypatch, tone_recipe, tone_data, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(DataError, match=r"pip install -r requirements-dask\.txt"):
        load_examples(read_recipe(tone_recipe), tone_data, "training", tmp_path, "tcp://x:1")

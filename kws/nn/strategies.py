"""Which devices and machines train together: a recipe's ``train.strategy``."""

import functools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from kws.errors import RecipeError, RunError
from kws.nn.distribution import Distribution
from kws.recipe import Recipe


def distribute(recipe: Recipe) -> Distribution | None:
    """What the recipe's ``train.strategy`` asks for; to be called before TensorFlow did anything.

    With ``multi_worker`` it waits until all workers are there.

    Raises
    ------
    RecipeError
        When there are not the devices or workers for it, or the batch has no equal shares.
    """
    name = recipe.train.strategy
    if name == "none":
        return None
    if name == "mirrored":
        found = Distribution(_mirrored(*_local_devices()), chief=True)
    else:
        _, chief = this_worker()
        try:
            found = Distribution(tf.distribute.MultiWorkerMirroredStrategy(), chief)
        except (RuntimeError, ValueError, tf.errors.OpError) as error:
            raise RecipeError(
                f"train.strategy multi_worker: the workers of TF_CONFIG do not come together "
                f"({type(error).__name__}: {str(error).splitlines()[0]}); start the same command "
                "on each machine, each with its own task index"
            ) from error
    if recipe.train.batch_size % found.replicas:
        raise RecipeError(
            f"train.batch_size {recipe.train.batch_size} has no equal shares for "
            f"{found.replicas} replicas; set it to a multiple of {found.replicas}"
        )
    if found.here > 1 and (recipe.compress.prune or recipe.compress.cluster):
        raise RecipeError(
            f"compress works on one model in a process, and here are {found.here}: set "
            "train.strategy to none"
        )
    return found


@functools.cache
def _mirrored(*devices: str) -> tf.distribute.Strategy:
    """One for all trainings of a process: a second one would take the first one's messages."""
    return tf.distribute.MirroredStrategy(devices)


def _local_devices() -> list[str]:
    for kind in ("GPU", "CPU"):
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        if len(devices) > 1:
            return devices
    raise RecipeError(
        "train.strategy mirrored is for several GPUs in a machine, and this one has "
        f"{len(tf.config.list_logical_devices('GPU'))}: set it to none"
    )


def this_worker() -> tuple[str, bool]:
    """Which worker of TF_CONFIG this is, as ``worker 1``, and whether it is the chief.

    Raises
    ------
    RecipeError
        When TF_CONFIG is missing, or names no such worker.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        kind, index = config["task"]["type"], int(config["task"]["index"])
        if not 0 <= index < len(config["cluster"][kind]):
            raise ValueError(f"no {kind} {index} in its cluster")
        chief = kind == "chief" or ("chief" not in config["cluster"] and index == 0)
    except (ValueError, KeyError, TypeError) as error:
        found = f"is {text!r} ({type(error).__name__}: {error})" if text else "is not set"
        raise RecipeError(
            f"train.strategy multi_worker: the environment variable TF_CONFIG {found}; expected, "
            'on the first of two machines, {"cluster": {"worker": ["host1:12345", "host2:12345"]}, '
            '"task": {"type": "worker", "index": 0}}'
        ) from error
    return f"{kind} {index}", chief


@contextmanager
def workers_named(distribution: Distribution | None) -> Iterator[None]:
    """Say in one line that another worker is gone; TensorFlow says that a socket is closed."""
    try:
        yield
    except tf.errors.OpError as error:
        if distribution is None or distribution.alone:
            raise
        raise RunError(
            f"another worker has ended or cannot be reached any more ({type(error).__name__}); see "
            "what it says, then start all of them again with --resume"
        ) from error

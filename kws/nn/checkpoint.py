"""Checkpoints: weights, optimizer and history in one plain NumPy file, written whole."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from kws.errors import RunError
from kws.files import write_bytes

_HISTORY = "history"


def pack(owners: dict[str, Any], history: list[dict[str, Any]]) -> bytes:
    """All variables of a model and an optimizer, each by its name, and a history, as one file."""
    arrays: dict[str, Any] = {_HISTORY: np.frombuffer(json.dumps(history).encode(), np.uint8)}
    for name, owner in owners.items():
        arrays |= {f"{name}_{i}": variable.numpy() for i, variable in enumerate(owner.variables)}
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def unpack(data: bytes, owners: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """Set the variables to those packed, and give the history.

    Raises
    ------
    RunError
        When they are damaged or of another model; ``where`` begins the message.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            for name, owner in owners.items():
                for i, variable in enumerate(owner.variables):
                    variable.assign(arrays[f"{name}_{i}"])
            return json.loads(arrays[_HISTORY].tobytes())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{where}: a damaged checkpoint, or one of another model ({type(error).__name__}); "
            "remove the run folder and train again"
        ) from error


def save(
    path: Path,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    history: list[dict[str, Any]],
) -> None:
    """Write all variables of model and optimizer, and the history so far."""
    write_bytes(path, pack({"model": model, "optimizer": optimizer}, history))


def restore(
    path: Path, model: keras.Model, optimizer: keras.optimizers.Optimizer
) -> list[dict[str, Any]]:
    """Set all variables from a checkpoint, if there is one; gives its history (empty without).

    Raises
    ------
    RunError
        When the checkpoint is damaged or of another model.
    """
    if not path.is_file():
        return []
    return unpack(_read(path), {"model": model, "optimizer": optimizer}, str(path))


def save_weights(path: Path, model: keras.Model) -> None:
    """Write all variables of a model."""
    write_bytes(path, pack({"model": model}, []))


def restore_weights(path: Path, model: keras.Model) -> None:
    """Set all variables of a model; RunError where they are missing, damaged or of another."""
    unpack(_read(path), {"model": model}, str(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(
            f"{path}: cannot be read ({error.strerror}); remove the run folder and train again"
        ) from error

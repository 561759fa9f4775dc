"""Checkpoints: weights, optimizer and history in one plain NumPy file, written whole."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from kws.errors import RunError
from kws.files import whole


def save(
    path: Path,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    history: list[dict[str, Any]],
) -> None:
    """Write all variables of model and optimizer, and the history so far."""
    arrays = {
        **{f"model_{i}": variable.numpy() for i, variable in enumerate(model.variables)},
        **{f"optimizer_{i}": variable.numpy() for i, variable in enumerate(optimizer.variables)},
        "history": np.frombuffer(json.dumps(history).encode(), np.uint8),
    }
    with whole(path) as temporary:
        np.savez(temporary, **arrays)


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
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for name, variables in (("model", model.variables), ("optimizer", optimizer.variables)):
                for i, variable in enumerate(variables):
                    variable.assign(arrays[f"{name}_{i}"])
            return json.loads(arrays["history"].tobytes())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{path}: a damaged checkpoint, or one of another model ({type(error).__name__}); "
            "remove the run folder and train again"
        ) from error

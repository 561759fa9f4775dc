"""A model file to a C package: the model as an array, and every constant that a device needs.

Constants are written so that a C compiler gets the very values that Python has.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from kws.errors import ModelError
from kws.firmware.engine.write import write_engine
from kws.firmware.feature_tables import feature_tables, fixed_tables
from kws.firmware.layout import Arithmetic, EngineName, Target, templates_of
from kws.firmware.literals import c_float, c_string, hex_rows
from kws.firmware.package import MARK, write_package
from kws.firmware.profile import Profile
from kws.firmware.self_test import golden, golden_tables
from kws.spotting.decoder import needed_sums, refractory_steps, smoothing_steps
from kws.spotting.hearing import calls_per_second, frames_between_calls
from kws.tflite.arena import arena_bytes, arena_with_margin, smallest_arena
from kws.tflite.interpreter import Runner, TensorInfo, open_model
from kws.tflite.metadata import parse
from kws.tflite.operators import operators, require_tflm

_RESOLVER_NAMES = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}


def export(
    model_path: Path,
    out_dir: Path,
    engine: EngineName = "tflm",
    arithmetic: Arithmetic = "float",
    target: Target = "generic",
    profiles: Sequence[Profile] = (),
) -> list[Path]:
    """Write the package of a model file: all of its files, or none.

    Parameters
    ----------
    model_path : an int8 model file.
    out_dir : new, empty, or holding an earlier package of that kind, which is replaced.
    engine : features and decoder are C99; the model is run by TensorFlow Lite for
        Microcontrollers (``tflm``), or is C99 too and needs no library (``c``).
    arithmetic : of the features in C: ``float`` where there is an FPU, else ``fixed``.
    target : the platform whose build takes the package as it is.
    profiles : what the firmware takes on processors, for the C engine's README.

    Returns
    -------
    The files written.

    Raises
    ------
    ModelError
        When the model cannot be read, is not int8, uses an operator that the engine has not, or
        has labels that make no C identifiers.
    StorageError
        When the folder holds something else, or cannot be written.
    """
    facts = {**package_facts(model_path, engine, arithmetic), "profiles": profiles}
    files = templates_of(engine, arithmetic, target)
    facts["sources"] = [name for name in files if re.fullmatch(r"src/.*[.](c|cpp)", name)]
    facts["example"] = "example/wav.c" in files
    templates = Environment(
        loader=PackageLoader("kws.firmware"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    texts = {name: templates.get_template(file).render(facts) for name, file in files.items()}
    archive = f"Kws_{facts['identifier']}.zip" if target == "arduino" else ""
    return write_package(out_dir, texts, archive)


def package_facts(
    model_path: Path, engine: EngineName = "tflm", arithmetic: Arithmetic = "float"
) -> dict[str, Any]:
    """What the templates are filled with, as C source text where it is not a whole number."""
    runner = open_model(model_path, "tflm")
    facts, where = runner.metadata, str(model_path)
    if facts.precision != "int8":
        raise ModelError(
            f"{where}: a {facts.precision} model; firmware takes int8: "
            "convert a run with quantize.mode qat or calibrate"
        )
    rate = calls_per_second(facts)
    smoothing = smoothing_steps(facts.decoder, rate)
    config = facts.features
    return {
        "mark": MARK,
        "facts": facts,
        "recipe": c_string(facts.recipe),
        "labels": [
            {"name": name, "identifier": identifier, "text": c_string(name)}
            for name, identifier in zip(
                facts.labels, label_identifiers(facts.labels, where), strict=True
            )
        ],
        "keywords": len(facts.keywords),
        "input": _tensor(runner.inputs[0]),
        "output": _tensor(runner.outputs[0]),
        "low_hz": c_float(config.low_hz),
        "high_hz": c_float(config.high_hz),
        "log_floor": c_float(config.log_floor),
        "step_frames": frames_between_calls(facts),
        "needed": needed_sums(facts.labels, facts.decoder, smoothing).tolist(),
        "smoothing_steps": smoothing,
        "refractory_steps": refractory_steps(facts.decoder, rate),
        "engine": engine,
        "arithmetic": arithmetic,
        "tables": _tables(runner, arithmetic, where),
        "golden": golden_tables(golden(runner)),
        "recipe_comment": facts.recipe.replace("*/", ""),
        "identifier": re.sub(r"\W", "_", facts.recipe, flags=re.ASCII),
        **(_c_facts(runner, where) if engine == "c" else _tflm_facts(runner, where)),
    }


def _tflm_facts(runner: Runner, where: str) -> dict[str, Any]:
    """The file, the operators to register, and the arena, tried out."""
    model = parse(runner.data, where)
    require_tflm(model, where)
    used_bytes, used = arena_bytes(runner.data), operators(model)
    smallest = smallest_arena(runner.data, used_bytes)
    return {
        "model_bytes": len(runner.data),
        "model_rows": hex_rows(runner.data),
        "states": [_tensor(info) for info in _states(runner)],
        "operators": [{"name": name, "add": f"Add{resolver_name(name)}"} for name in used],
        "variables": _variables(model) if "VAR_HANDLE" in used else 0,
        "arena_used_bytes": used_bytes,
        "arena_smallest_bytes": smallest,
        "arena_bytes": arena_with_margin(smallest),
    }


def _tables(runner: Runner, arithmetic: Arithmetic, where: str) -> dict[str, str | int | None]:
    """What features are computed with."""
    config = runner.metadata.features
    if arithmetic == "fixed":
        return fixed_tables(config, runner.inputs[0].scale, where)
    return feature_tables(config, where)


def _c_facts(runner: Runner, where: str) -> dict[str, Any]:
    """The model and the features as C, and what they take."""
    config = runner.metadata.features
    engine = write_engine(runner.data, where)
    rooms = engine.buffer_bytes + engine.patch_bytes + 2 * engine.wide_values
    kept = sum(size for size, _ in engine.states)
    return {
        **vars(engine),
        "state_bytes": kept,
        "flash_bytes": sum(engine.flash.values()),
        "features_bytes": 6 * config.fft_size + 4 * config.mel_bands + 8,
        "rooms_bytes": rooms,
    }


def label_identifiers(labels: tuple[str, ...], where: str) -> list[str]:
    """The C names of the labels, such as ``KWS_LABEL_YES``.

    Raises
    ------
    ModelError
        When a label has other characters than a C name may have, or two have the same name.
    """
    names: dict[str, str] = {}
    for label in labels:
        if not re.fullmatch(r"[A-Za-z0-9_]+", label):
            raise ModelError(
                f"{where}: label {label!r} makes no C identifier; expected ASCII letters, digits "
                "and _ alone: rename the keyword in the recipe and its data folder, and train again"
            )
        name = f"KWS_LABEL_{label.upper()}"
        if name in names:
            raise ModelError(
                f"{where}: labels {names[name]!r} and {label!r} are both {name} in C; rename one "
                "in the recipe and its data folder, and train again"
            )
        names[name] = label
    return list(names)


def resolver_name(operator: str) -> str:
    """An operator as TFLM's MicroMutableOpResolver names it, such as ``FullyConnected``."""
    parts = operator.split("_")
    given = "".join(part if part[0].isdigit() else part.capitalize() for part in parts)
    return _RESOLVER_NAMES.get(operator, given)


def _tensor(info: TensorInfo) -> dict[str, Any]:
    scale, size = c_float(info.scale), int(np.prod(info.shape))
    return {"name": info.name, "bytes": size, "scale": scale, "zero_point": info.zero_point}


def _states(runner: Runner) -> list[TensorInfo]:
    """The state tensors, which a device copies from output to input as they are."""
    before, after = runner.inputs[1:], runner.outputs[1:]
    same = [(info.shape, info.scale, info.zero_point) for info in before]
    if same != [(info.shape, info.scale, info.zero_point) for info in after]:
        raise ModelError(
            f"{runner.where}: its states come out on another scale than they go in; "
            "convert the model again"
        )
    return before


def _variables(model: Any) -> int:
    """Number of resource variables: a handle may be made several times by its name."""
    handles = {
        (op.builtinOptions.container, op.builtinOptions.sharedName)
        for graph in model.subgraphs
        for op in graph.operators
        if hasattr(op.builtinOptions, "sharedName")
    }
    return len(handles)

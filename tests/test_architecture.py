"""The lines that the house draws: who imports whom, and what starts without TensorFlow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = sorted((ROOT / "kws").rglob("*.py"))
TENSORFLOW = {"tensorflow", "tf_keras", "tensorflow_model_optimization", "keras"}
MAY_USE_TENSORFLOW = ("kws/nn/", "kws/data/batches.py", "kws/tflite/convert.py")
BASE = ("kws.errors", "kws.files", "kws.progress", "kws.recipe", "kws.recipe_io", "kws.run")
CONVERSION = ("kws.tflite.convert", "kws.tflite.convert_run", "kws.tflite.emit")
SCORING = ("kws.spotting.metrics", "kws.spotting.open_set")
MAY_IMPORT = {
    "audio": (*BASE, "kws.audio"),
    "data": (*BASE, "kws.audio", "kws.data"),
    "nn": (*BASE, "kws.audio", "kws.data", "kws.nn"),
    "tflite": (*BASE, "kws.audio", "kws.tflite", "kws.nn.cells", *SCORING),
    "spotting": (*BASE, "kws.audio", "kws.tflite", "kws.spotting"),
    "firmware": (*BASE, "kws.audio", "kws.tflite", "kws.spotting", "kws.firmware"),
}


def imports(path: Path) -> set[str]:
    """Full names of all modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_tensorflow_is_imported_only_where_models_are_made(path):
    used = {name.split(".")[0] for name in imports(path)} & TENSORFLOW
    assert not used or name_of(path).startswith(MAY_USE_TENSORFLOW)


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_rooms_import_only_what_they_stand_on(path):
    module = name_of(path).removesuffix(".py").replace("/", ".")
    room = module.split(".")[1]
    if room not in MAY_IMPORT:
        return
    allowed = MAY_IMPORT[room]
    if module in CONVERSION:
        allowed = (*allowed, "kws.nn", "kws.data", "kws.report")
    own = {name for name in imports(path) if name.split(".")[0] == "kws"}
    assert all(name.startswith(allowed) for name in own), own


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_the_library_neither_prints_nor_exits_nor_parses_arguments(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"print", "exit", "input"}
    assert "argparse" not in imports(path)


@pytest.mark.parametrize("path", [*LIBRARY, *sorted((ROOT / "tools").rglob("*.py"))], ids=name_of)
def test_files_have_one_screenful_of_subject(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250


def loaded(modules: str, of: set[str]) -> str:
    """Which packages a new process has loaded after importing the modules."""
    code = (
        f"import sys, {modules}\n"
        f"print(*sorted({{name.split('.')[0] for name in sys.modules}} & {of}))"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_what_runs_a_model_needs_no_tensorflow():
    modules = (
        "kws.spotting.spotter, kws.firmware.export, kws.tflite.interpreter, kws.spotting.metrics, "
        "kws.data.examples"
    )
    assert loaded(modules, TENSORFLOW) == ""


def test_training_loads_no_second_keras():
    """It would take a third of the time to start; pruning and clustering do load it."""
    assert loaded("kws.nn.train_recipe", TENSORFLOW) == "tensorflow tf_keras"

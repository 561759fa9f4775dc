"""The firmware package, compiled by gcc and g++, run, and compared with what Python knows."""

import errno
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from c_package import WARNINGS, compiler
from tflite_micro import runtime
from tiny_models import model_bytes, untrained

from kws.errors import ModelError, StorageError
from kws.firmware.export import (
    arena_with_margin,
    export,
    label_identifiers,
    package_facts,
    resolver_name,
)
from kws.firmware.layout import templates_of
from kws.firmware.literals import c_float, c_string, hex_rows
from kws.tflite.arena import arena_bytes, smallest_arena
from kws.tflite.interpreter import open_model
from kws.tflite.metadata import NAME, metadata_json, parse
from kws.tflite.operators import operators
from kws.tflite.pack import pack

TOOL = Path(__file__).parents[1] / "tools" / "export_firmware.py"
PROGRAM = r"""
#include <stdio.h>
#include "kws_model.h"

int main(void) {
  for (unsigned i = 0; i < KWS_MODEL_BYTES; i++) printf("%02x", (unsigned)kws_model[i]);
  printf("\nalignment %u\n", (unsigned)((uintptr_t)kws_model % KWS_MODEL_ALIGNMENT));
  for (int i = 0; i < KWS_LABEL_COUNT; i++) printf("label %s\n", kws_labels[i]);
  printf("names %d %d\n", (int)KWS_LABEL_NO, (int)KWS_LABEL_SILENCE);
  printf("recipe %s\n", KWS_RECIPE);
  printf("counts %d %d %d\n", KWS_LABEL_COUNT, KWS_KEYWORD_COUNT, KWS_OPERATOR_COUNT);
  printf("features %d %d %d %d %d %d %d %d\n", KWS_FEATURES_LOG_MEL, KWS_FEATURES_MFCC,
         KWS_SAMPLE_RATE_HZ, KWS_WINDOW_SAMPLES, KWS_HOP_SAMPLES, KWS_FFT_SIZE, KWS_MEL_BANDS,
         KWS_FEATURE_SIZE);
  printf("edges %.9g %.9g %.9g\n", (double)KWS_LOW_HZ, (double)KWS_HIGH_HZ, (double)KWS_LOG_FLOOR);
  printf("steps %d %d %d %d\n", KWS_FORM_STREAM, KWS_FORM_WINDOW, KWS_FRAMES_PER_STEP,
         KWS_STEP_FRAMES);
  printf("input %d %.9g %d\n", KWS_INPUT_BYTES, (double)KWS_INPUT_SCALE, KWS_INPUT_ZERO_POINT);
  printf("output %d %.9g %d\n", KWS_OUTPUT_BYTES, (double)KWS_OUTPUT_SCALE, KWS_OUTPUT_ZERO_POINT);
#if KWS_STATE_COUNT > 0
  printf("state %d %.9g %d\n", KWS_STATE_0_BYTES, (double)KWS_STATE_0_SCALE,
         KWS_STATE_0_ZERO_POINT);
#endif
  const int needed[KWS_LABEL_COUNT] = KWS_NEEDED_SCORES;
  for (int i = 0; i < KWS_LABEL_COUNT; i++) printf("needed %d\n", needed[i]);
  printf("decoder %d %d\n", KWS_SMOOTHING_STEPS, KWS_REFRACTORY_STEPS);
  printf("arena %d %d %d\n", KWS_ARENA_USED_BYTES, KWS_ARENA_SMALLEST_BYTES, KWS_ARENA_BYTES);
  return 0;
}
"""
RESOLVER = """
#include "kws_model.h"
#include <cstdio>
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
struct Resolver {
%s
};
int main() {
  Resolver resolver;
  return KWS_REGISTER_OPERATORS(resolver) ? 0 : 1;
}
"""


def build(command: list[str], folder: Path) -> str:
    """Compile, run, and give what the program prints."""
    done = subprocess.run([*command, "-o", "program"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ran = subprocess.run([folder / "program"], capture_output=True, text=True, timeout=10)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def add_methods(package: Path) -> list[str]:
    return re.findall(r"\(resolver\)\.(Add\w+)\(\)", (package / "kws_model.h").read_text())


@pytest.fixture(scope="module")
def internal_model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("internal") / "internal.tflite"
    path.write_bytes(model_bytes(untrained((8, 8), False, 4), "stream", "internal"))
    return path


@pytest.fixture(scope="module", params=["tiny_model", "tiny_window_model", "internal_model"])
def model(request) -> Path:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def facts(model) -> dict:
    return package_facts(model)


@pytest.fixture(scope="module")
def package(model, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    export(model, folder)
    return folder


def test_a_c_program_has_the_very_values(model, package, tmp_path):
    gcc, runner = compiler("gcc"), open_model(model)
    facts, features = runner.metadata, runner.metadata.features
    (tmp_path / "main.c").write_text(PROGRAM)
    sources = ["main.c", str(package / "kws_model.c"), f"-I{package}"]
    printed = build([gcc, "-std=c99", *WARNINGS, *sources], tmp_path).splitlines()

    def tensor(name, info):
        size = int(np.prod(info.shape))
        return f"{name} {size} {np.float32(info.scale):.9g} {info.zero_point}"

    def numbers(name, *values):
        return " ".join([name, *(f"{np.float32(v):.9g}" for v in values)])

    stream, used = facts.form == "stream", arena_bytes(runner.data)
    arena = smallest_arena(runner.data, used)
    expected = [
        runner.data.hex(),
        "alignment 0",
        *(f"label {label}" for label in facts.labels),
        "names 1 3",
        "recipe tiny",
        f"counts 4 2 {len(operators(parse(runner.data, '')))}",
        "features 1 0 16000 512 320 512 40 40",
        numbers("edges", features.low_hz, features.high_hz, features.log_floor),
        "steps 1 0 1 1" if stream else "steps 0 1 49 5",
        tensor("input", runner.inputs[0]),
        tensor("output", runner.outputs[0]),
        *(tensor("state", info) for info in runner.inputs[1:]),
        # 0.7 of 256 steps for each posterior in the sum; the largest number where never detected
        *(f"needed {need}" for need in (2 * [1792 if stream else 359] + 2 * [2**31 - 1])),
        f"decoder {'10 50' if stream else '2 10'}",
        f"arena {used} {arena} {arena_with_margin(arena)}",
    ]
    assert printed == expected


def test_a_cpp_compiler_takes_the_header_and_registers_each_operator(model, package, tmp_path):
    gpp, gcc = compiler("g++"), compiler("gcc")
    used = operators(parse(model.read_bytes(), ""))
    adds = [f"Add{resolver_name(name)}" for name in used]
    body = 'TfLiteStatus %s() { std::puts("%s"); return kTfLiteOk; }'
    (tmp_path / "main.cpp").write_text(RESOLVER % "\n".join(body % (add, add) for add in adds))
    compile_c = [gcc, "-std=c99", *WARNINGS, "-c", str(package / "kws_model.c")]
    subprocess.run(compile_c, cwd=tmp_path, check=True)
    printed = build(
        [gpp, "-std=c++11", *WARNINGS, f"-I{package}", "main.cpp", "kws_model.o"], tmp_path
    )
    assert printed.split() == adds
    comment = (package / "kws_model.h").read_text()
    assert all(f"     {name}\n" in comment for name in used)


def test_operators_of_all_subgraphs_are_registered(tiny_window_model, tmp_path):
    export(tiny_window_model, tmp_path)
    inside = {"AddLess", "AddLogistic", "AddTanh", "AddGather"}  # in the loop's own subgraphs
    assert inside | {"AddWhile", "AddSoftmax"} <= set(add_methods(tmp_path))


def test_the_readmes_program_is_sound(model, package, tmp_path):
    readme = (package / "README.md").read_text()
    program = re.search(r"```cpp\n(.*?)```", readme, re.S).group(1)
    (tmp_path / "main.cpp").write_text(f"void act(const char *, int);\n{program}")
    command = [compiler("g++"), "-std=c++11", *WARNINGS, f"-I{package}", "-fsyntax-only"]
    done = subprocess.run([*command, "main.cpp"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in templates_of("tflm").keys() - {"README.md"}:
        assert f"`{name}`" in readme or f"`{name.removesuffix('.c')}.h`, `.c`" in readme
    assert f"{len(model.read_bytes())} bytes" in readme


def test_the_model_runs_in_the_arena_that_is_named(model, facts):
    data = model.read_bytes()
    smallest = facts["arena_smallest_bytes"]
    assert smallest >= facts["arena_used_bytes"]
    assert facts["arena_bytes"] >= smallest + 1024
    for size in (smallest, facts["arena_bytes"]):
        interpreter = runtime.Interpreter.from_bytes(data, arena_size=size)
        for index, info in enumerate(open_model(model).inputs):
            interpreter.set_input(np.zeros(info.shape, np.int8), index)
        interpreter.invoke()
        assert interpreter.get_output(0).shape == (1, 4)


def test_a_stream_needs_more_arena_to_start_than_it_uses(tiny_model):
    data, facts = tiny_model.read_bytes(), package_facts(tiny_model)
    assert facts["arena_smallest_bytes"] > facts["arena_used_bytes"] + 500
    with pytest.raises(RuntimeError, match="failed to allocate"):
        runtime.Interpreter.from_bytes(data, arena_size=facts["arena_smallest_bytes"] - 64)


def test_a_margin_is_an_eighth_and_a_kilobyte_at_least():
    assert [arena_with_margin(size) for size in (4000, 16000, 15999)] == [5024, 18000, 18000]


def test_a_model_that_starts_in_no_arena_is_named():
    with pytest.raises(ModelError, match="TFLM starts the model in no arena of 16 bytes and more"):
        smallest_arena(b"not a model", 16)


def test_resource_variables_are_counted(model, facts):
    assert facts["variables"] == (2 if model.name == "internal.tflite" else 0)


def test_the_same_model_gives_the_same_package(tiny_model, tmp_path):
    first = export(tiny_model, tmp_path / "a")
    texts = [path.read_bytes() for path in first]
    assert [path.name for path in first] == list(templates_of("tflm"))
    assert [path.read_bytes() for path in export(tiny_model, tmp_path / "b")] == texts
    assert [path.read_bytes() for path in export(tiny_model, tmp_path / "a")] == texts
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(templates_of("tflm"))


# --- Constants and names ---


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        ("FULLY_CONNECTED", "FullyConnected"),
        ("WHILE", "While"),
        ("CONV_2D", "Conv2D"),
        ("L2_POOL_2D", "L2Pool2D"),
        ("SPLIT_V", "SplitV"),
        ("BATCH_TO_SPACE_ND", "BatchToSpaceNd"),
        ("RELU6", "Relu6"),
        ("CUMSUM", "CumSum"),
        ("PADV2", "PadV2"),
        ("BATCH_MATMUL", "BatchMatMul"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "UnidirectionalSequenceLSTM"),
    ],
)
def test_operators_are_named_as_tflms_resolver_names_them(operator, name):
    assert resolver_name(operator) == name


@pytest.mark.parametrize("value", [0.0, 1.0, 60.0, 0.1, 1 / 3, 1e-7, 3e9, -2.5, 1 / 256])
def test_float_literals_are_exact(value):
    text = c_float(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[-+]\d+)?f", text)
    assert "." in text or "e" in text  # "1f" is no C
    assert np.float32(text[:-1]) == np.float32(value)


def test_strings_survive_the_c_compiler(tmp_path):
    gcc = compiler("gcc")
    text = 'a"b\\n??/ größe 1\tx%d'
    source = f"#include <stdio.h>\nint main(void) {{ fputs({c_string(text)}, stdout); return 0; }}"
    (tmp_path / "main.c").write_text(source)
    assert build([gcc, "-std=c99", *WARNINGS, "main.c"], tmp_path) == text


def test_bytes_are_written_in_rows():
    assert hex_rows(bytes(range(250, 256)) * 3) == [
        "0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,",
        "0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,",
    ]


def test_labels_become_c_identifiers():
    given = label_identifiers(("yes", "7", "turn_on"), "m")
    assert given == ["KWS_LABEL_YES", "KWS_LABEL_7", "KWS_LABEL_TURN_ON"]


@pytest.mark.parametrize("label", ["größe", "turn-on", "a b", "", 'x"'])
def test_a_label_that_is_no_identifier_is_named(label):
    with pytest.raises(ModelError, match=rf"^m: label {label!r} makes no C identifier"):
        label_identifiers(("yes", label), "m")


def test_labels_that_become_one_identifier_are_named():
    with pytest.raises(ModelError, match="labels 'Yes' and 'yes' are both KWS_LABEL_YES"):
        label_identifiers(("Yes", "yes"), "m")


# --- Bad input ---


def with_labels(path: Path, labels: tuple[str, ...]) -> bytes:
    """The model with other labels in its metadata."""
    facts = open_model(path).metadata.model_copy(update={"labels": labels})
    model = parse(path.read_bytes(), str(path))
    [entry] = [entry for entry in model.metadata if entry.name == NAME.encode()]
    model.buffers[entry.buffer].data = np.frombuffer(metadata_json(facts), np.uint8)
    return pack(model)


def test_nothing_is_written_for_a_model_that_cannot_be_exported(tiny_model, tmp_path):
    odd, out = tmp_path / "odd.tflite", tmp_path / "out"
    odd.write_bytes(with_labels(tiny_model, ("yes", "größe", "unknown", "silence")))
    with pytest.raises(ModelError, match="label 'größe'"):
        export(odd, out)
    odd.write_bytes(model_bytes(untrained((4,), False, 4), "stream", int8=False))
    with pytest.raises(ModelError, match=r"odd\.tflite: a float32 model; firmware takes int8"):
        export(odd, out)
    assert not out.exists()


@pytest.mark.parametrize("name", ["notes.txt", "README.md", "kws_model.c", ".git"])
def test_a_folder_that_holds_something_else_is_left_alone(tiny_model, tmp_path, name):
    (tmp_path / name).write_text("mine\n")
    with pytest.raises(StorageError, match=rf"holds something else \({re.escape(name)}\)"):
        export(tiny_model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine\n"


def test_an_output_folder_that_is_a_file_is_refused(tiny_model, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(StorageError, match="out: a file, expected a folder"):
        export(tiny_model, tmp_path / "out")


def test_a_full_disk_leaves_the_earlier_package_whole(
    tiny_model, tiny_window_model, tmp_path, monkeypatch
):
    paths = export(tiny_model, tmp_path)
    before, write_bytes = [path.read_bytes() for path in paths], Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if "README" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="no space left on the disk"):
        export(tiny_window_model, tmp_path)
    assert [path.read_bytes() for path in paths] == before
    assert len(list(tmp_path.iterdir())) == len(templates_of("tflm"))


def test_the_tool_lists_what_it_wrote_and_reports_in_one_line(tiny_model, tmp_path):
    out = tmp_path / "package"

    def tool(*arguments):
        command = [sys.executable, TOOL, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    done = tool(tiny_model, "--out", out)
    assert done.returncode == 0, done.stderr
    sizes = [f"{out / name}  {(out / name).stat().st_size} bytes" for name in templates_of("tflm")]
    assert done.stdout.splitlines() == sizes
    bad = tool("nowhere.tflite", "--out", tmp_path / "other")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("error: nowhere.tflite: no such model file")
    assert not (tmp_path / "other").exists()

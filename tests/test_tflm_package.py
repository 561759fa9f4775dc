"""The package for TFLM, run: its library is played by a stand-in that asks the real interpreter."""

import ctypes
import subprocess

import numpy as np
import pytest
from c_package import WARNINGS, compiler
from test_emulated import noise
from tiny_models import model_bytes, untrained

from kws.firmware.export import export, package_facts
from kws.recipe import DecoderConfig
from kws.spotting.spotter import Spotter
from kws.tflite.interpreter import open_model
from kws.tflite.metadata import parse, read_metadata
from kws.tflite.pack import with_metadata

THRESHOLD = 0.38
HEADERS = (
    "tensorflow/lite/micro/micro_interpreter.h",
    "tensorflow/lite/micro/micro_mutable_op_resolver.h",
    "tensorflow/lite/micro/micro_resource_variable.h",
    "tensorflow/lite/schema/schema_generated.h",
)
STAND_IN = """
#pragma once
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
#define TFLITE_SCHEMA_VERSION 3
struct TfLiteTensor { size_t bytes; struct { int8_t *int8; } data; };
extern "C" {
extern TfLiteTensor test_inputs[16], test_outputs[16];
extern int (*test_invoke)(void);
extern int test_status, test_resets;
}
namespace tflite {
struct Model { uint32_t version() const { return 3; } };
inline const Model *GetModel(const void *) { static Model model; return &model; }
template <unsigned Count> struct MicroMutableOpResolver {
  unsigned added = 0;
%s
};
struct MicroAllocator {
  static MicroAllocator *Create(uint8_t *, size_t) { return nullptr; }
};
struct MicroResourceVariables {
  static MicroResourceVariables *Create(MicroAllocator *, int) { return nullptr; }
};
struct MicroInterpreter {
  template <class R> MicroInterpreter(const Model *, const R &, uint8_t *, size_t) {}
  template <class R>
  MicroInterpreter(const Model *, const R &, MicroAllocator *, MicroResourceVariables *) {}
  TfLiteStatus AllocateTensors() { return test_status ? kTfLiteError : kTfLiteOk; }
  TfLiteStatus Invoke() { return test_invoke() ? kTfLiteError : kTfLiteOk; }
  TfLiteStatus Reset() { test_resets++; return kTfLiteOk; }
  TfLiteTensor *input(size_t index) { return &test_inputs[index]; }
  TfLiteTensor *output(size_t index) { return &test_outputs[index]; }
};
}
"""
DRIVER = """
#include "kws.h"
#include "tflm_stand_in.h"
extern "C" {
TfLiteTensor test_inputs[16], test_outputs[16];
int (*test_invoke)(void);
int test_status, test_resets;
static int8_t memory[32][65536];
void test_tensor(int output, int index, int bytes) {
  TfLiteTensor *tensor = (output ? test_outputs : test_inputs) + index;
  tensor->bytes = static_cast<size_t>(bytes);
  tensor->data.int8 = memory[16 * output + index];
}
int8_t *test_data(int output, int index) { return memory[16 * output + index]; }
static kws spotter;
int test_init(void) { return static_cast<int>(kws_init(&spotter)); }
int test_spot(const int16_t *audio, int samples, int *found, int most) {
  int hits = 0;
  kws_detection one;
  kws_feed(&spotter, audio, samples);
  while (kws_next(&spotter, &one) && hits < most) {
    found[2 * hits] = one.label;
    found[2 * hits++ + 1] = static_cast<int>(one.sample);
  }
  return hits;
}
}
"""


def write_stand_in(model, folder) -> None:
    """The headers of TFLM that a model's package includes, in a folder."""
    adds = [
        f"  TfLiteStatus {operator['add']}() {{ added++; return kTfLiteOk; }}"
        for operator in package_facts(model)["operators"]
    ]
    (folder / "tflm_stand_in.h").write_text(STAND_IN % "\n".join(adds))
    for header in HEADERS:
        path = folder / header
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('#include "tflm_stand_in.h"\n')


class Board:
    """A package with the stand-in, compiled; the real interpreter answers."""

    def __init__(self, model, folder):
        export(model, folder)
        write_stand_in(model, folder)
        (folder / "driver.cc").write_text(DRIVER)
        objects = []
        for source in ("kws.c", "kws_features.c", "kws_decoder.c", "kws_model.c"):
            objects.append(source.replace(".c", ".o"))
            flags = ["-std=c99", *WARNINGS, "-fPIC", "-c", source, "-o", objects[-1]]
            _run([compiler("gcc"), *flags], folder)
        sources = ["kws_nn.cpp", "driver.cc"]
        flags = ["-std=c++11", *WARNINGS, "-I.", "-shared", "-fPIC", "-o", "board.so"]
        _run([compiler("g++"), *flags, *sources, *objects], folder)
        self.library = ctypes.CDLL(str(folder / "board.so"))
        self.library.test_data.restype = ctypes.POINTER(ctypes.c_int8)
        self.runner = open_model(model, "tflm")
        for output, infos in enumerate((self.runner.inputs, self.runner.outputs)):
            for index, info in enumerate(infos):
                self.library.test_tensor(output, index, int(np.prod(info.shape)))
        self._kept = ctypes.CFUNCTYPE(ctypes.c_int)(self._invoke)
        ctypes.c_void_p.in_dll(self.library, "test_invoke").value = ctypes.cast(
            self._kept, ctypes.c_void_p
        ).value

    def _invoke(self) -> int:
        inputs = [
            np.ctypeslib.as_array(self.library.test_data(0, index), (int(np.prod(info.shape)),))
            .reshape(info.shape)
            .copy()
            for index, info in enumerate(self.runner.inputs)
        ]
        for index, value in enumerate(self.runner.invoker.invoke(inputs)):
            ctypes.memmove(self.library.test_data(1, index), value.ctypes.data, value.nbytes)
        return 0

    def set(self, name: str, value: int) -> None:
        ctypes.c_int.in_dll(self.library, name).value = value

    def spot(self, audio: np.ndarray) -> list[tuple[int, int]]:
        """(label, sample) of each detection."""
        found = np.zeros((100, 2), np.int32)
        hits = self.library.test_spot(
            *(audio.ctypes.data_as(ctypes.c_void_p), len(audio)),
            *(found.ctypes.data_as(ctypes.c_void_p), len(found)),
        )
        return [tuple(row) for row in found[:hits].tolist()]


def _run(command, folder) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", params=["explicit", "internal", "window"])
def board(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tflm")
    form = "window" if request.param == "window" else "stream"
    state = request.param if form == "stream" else "explicit"
    data = model_bytes(untrained((8, 6)), form, state)
    facts = read_metadata(parse(data, "m"), "m")
    eager = DecoderConfig(threshold=THRESHOLD, smoothing_ms=60, refractory_ms=100)
    data = with_metadata(data, facts.model_copy(update={"decoder": eager}), "m")
    (folder / "m.tflite").write_bytes(data)
    return Board(folder / "m.tflite", folder / "package")


def test_detections_are_the_desk_s(board):
    """With a threshold that an untrained model passes: states, windows and calls are in step."""
    audio, facts = noise(6.0), board.runner.metadata
    board.set("test_status", 0)
    assert board.library.test_init() == 0
    before = ctypes.c_int.in_dll(board.library, "test_resets").value
    assert before == (1 if facts.state == "internal" else 0)
    board.runner.reset()
    found = board.spot(audio)
    desk = Spotter(board.runner)
    wanted = desk.push(audio / np.float32(32768))
    rate = facts.features.sample_rate_hz
    assert found == [(facts.labels.index(one.keyword), round(one.time_s * rate)) for one in wanted]
    assert len(found) >= 3
    last = np.ctypeslib.as_array(board.library.test_data(1, 0), (len(facts.labels),))
    assert last.any()


def test_a_model_that_does_not_start_says_why(tmp_path):
    """An arena that is too small: 3, at every reset; the posteriors stay at nothing."""
    (tmp_path / "m.tflite").write_bytes(model_bytes(untrained((4,)), "stream"))
    board = Board(tmp_path / "m.tflite", tmp_path / "package")
    board.set("test_status", 1)
    assert [board.library.test_init() for _ in range(2)] == [3, 3]
    assert board.spot(noise(2.0)) == []


def test_tensors_of_another_size_are_found_out(tmp_path):
    (tmp_path / "m.tflite").write_bytes(model_bytes(untrained((4,)), "stream"))
    board = Board(tmp_path / "m.tflite", tmp_path / "package")
    board.library.test_tensor(0, 0, 41)
    assert board.library.test_init() == 4

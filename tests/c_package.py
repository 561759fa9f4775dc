"""A firmware package with the C engine, compiled for this machine and called from Python."""

import ctypes
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from kws.firmware.export import export
from kws.firmware.layout import Arithmetic
from kws.spotting.decoder import Detection
from kws.tflite.interpreter import Runner, open_model

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
SOURCES = ("kws.c", "kws_features.c", "kws_nn.c", "kws_decoder.c")
DRIVER = r"""
#include "kws.h"

int32_t test_bytes(void) { return (int32_t)sizeof(kws); }

/* Features of audio in blocks of the given lengths, over and over; gives the number of frames. */
int32_t test_features(kws *k, const int16_t *audio, int32_t samples, const int32_t *blocks,
                      int32_t count, int8_t *stored, kws_value *values) {
  int32_t frames = 0, block = 0;
  kws_features_reset(&k->features);
  while (samples > 0) {
    int32_t left = blocks[block++ % count];
    if (left > samples) left = samples;
    samples -= left;
    while (left > 0) {
      const int32_t taken = kws_features_push(&k->features, audio, left);
      audio += taken;
      left -= taken;
      if (kws_features_frame(&k->features, values + frames * KWS_FEATURE_SIZE)) {
        kws_features_quantize(values + frames * KWS_FEATURE_SIZE,
                              stored + frames * KWS_FEATURE_SIZE);
        frames++;
      }
    }
  }
  return frames;
}

/* Detections in audio, (label, score, sample) each; gives their number. */
int32_t test_spot(kws *k, const int16_t *audio, int32_t samples, const int32_t *blocks,
                  int32_t count, int32_t *found, int32_t most) {
  int32_t block = 0, hits = 0;
  kws_init(k);
  while (samples > 0) {
    kws_detection one;
    int32_t now = blocks[block++ % count];
    if (now > samples) now = samples;
    kws_feed(k, audio, now);
    audio += now;
    samples -= now;
    while (kws_next(k, &one) && hits < most) {
      found[3 * hits] = one.label;
      found[3 * hits + 1] = one.score;
      found[3 * hits++ + 2] = (int32_t)one.sample;
    }
  }
  return hits;
}

/* What the decoder makes of posteriors, one after the other: a label or -1 each. */
void test_decode(kws *k, const int8_t *posteriors, int32_t calls, int32_t *labels) {
  int32_t call;
  kws_decoder_reset(&k->decoder);
  for (call = 0; call < calls; call++)
    labels[call] = kws_decoder_push(&k->decoder, posteriors + call * KWS_LABEL_COUNT);
}

void test_reset(kws *k) { kws_nn_reset(&k->nn); }

/* The model on as many calls of `size` stored values each, one after the other. */
void test_run(kws *k, const int8_t *frames, int8_t *posteriors, int32_t size, int32_t calls) {
  int32_t call;
  for (call = 0; call < calls; call++)
    kws_nn_run(&k->nn, frames + call * size, posteriors + call * KWS_LABEL_COUNT);
}
"""


def compiler(name: str) -> str:
    """The path of gcc or g++; a test is skipped without."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"no {name} here: apt-get install gcc g++")
    return found


@dataclass
class Package:
    """What Python calls, and the model by TFLM to compare with."""

    folder: Path
    library: ctypes.CDLL
    runner: Runner

    def __post_init__(self) -> None:
        self.memory = ctypes.create_string_buffer(self.library.test_bytes())

    def reset(self) -> None:
        """Forget all, in C and in TFLM."""
        self.library.test_reset(self.memory)
        self.runner.reset()

    def run(self, frames: np.ndarray) -> np.ndarray:
        """Stored posteriors (calls, labels) of the stored frames of one call or of many."""
        size = int(np.prod(self.runner.inputs[0].shape))
        calls = frames.size // size
        posteriors = np.zeros((calls, len(self.runner.metadata.labels)), np.int8)
        self.library.test_run(self.memory, _pointer(frames), _pointer(posteriors), size, calls)
        return posteriors

    def features(self, audio: np.ndarray, blocks=(160,)) -> tuple[np.ndarray, np.ndarray]:
        """Frames of int16 audio: stored ones, and in dB."""
        config = self.runner.metadata.features
        shape = (config.frames(len(audio)), config.size)
        stored, values = np.zeros(shape, np.int8), np.zeros(shape, np.float32)
        lengths = np.array(blocks, np.int32)
        frames = self.library.test_features(
            *(self.memory, _pointer(audio), len(audio), _pointer(lengths), len(lengths)),
            *(_pointer(stored), _pointer(values)),
        )
        assert frames == len(stored)
        return stored, values

    def decode(self, posteriors: np.ndarray) -> np.ndarray:
        """A label or -1 for each of the stored posteriors (calls, labels)."""
        labels = np.zeros(len(posteriors), np.int32)
        self.library.test_decode(
            self.memory, _pointer(posteriors), len(posteriors), _pointer(labels)
        )
        return labels

    def spot(self, audio: np.ndarray, blocks=(160,)) -> list[Detection]:
        """Detections in int16 audio."""
        facts, lengths = self.runner.metadata, np.array(blocks, np.int32)
        found = np.zeros((10_000, 3), np.int32)
        hits = self.library.test_spot(
            *(self.memory, _pointer(audio), len(audio), _pointer(lengths), len(lengths)),
            *(_pointer(found), len(found)),
        )
        full = self.library.test_full_score()
        return [
            Detection(facts.labels[label], sample / facts.features.sample_rate_hz, score / full)
            for label, score, sample in found[:hits].tolist()
        ]


def build_package(
    model: Path, folder: Path, *flags: str, arithmetic: Arithmetic = "float"
) -> Package:
    """Export a model with the C engine and compile it, without a warning."""
    export(model, folder, "c", arithmetic)
    (folder / "driver.c").write_text(
        DRIVER + "\nint32_t test_full_score(void) { return KWS_FULL_SCORE; }\n"
    )
    command = [compiler("gcc"), "-std=c99", *WARNINGS, "-O2", *flags, "-shared", "-fPIC"]
    done = subprocess.run(
        [*command, "-o", "package.so", "driver.c", *SOURCES, "-lm"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    library = ctypes.CDLL(str(folder / "package.so"))
    return Package(folder, library, open_model(model, "tflm"))


def _pointer(values: np.ndarray) -> ctypes.c_void_p:
    assert values.flags.c_contiguous
    return values.ctypes.data_as(ctypes.c_void_p)

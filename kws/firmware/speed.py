"""The C engine beside TFLM's interpreter, on this machine."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from kws.errors import ModelError
from kws.firmware.export import export
from kws.tflite.interpreter import Tflm, open_model

CALLS = 4000
_TIMER = r"""
#include <stdio.h>
#include <time.h>
#include "kws_nn.h"

static kws_nn nn;

int main(void) {
  static int8_t frames[KWS_NN_INPUT_BYTES], posteriors[KWS_NN_OUTPUT_BYTES];
  clock_t start;
  int i, sum = 0;
  kws_nn_reset(&nn);
  start = clock();
  for (i = 0; i < %d; i++) {
    frames[i %% KWS_NN_INPUT_BYTES] = (int8_t)(i & 127);
    kws_nn_run(&nn, frames, posteriors);
    sum += posteriors[0];
  }
  printf("%%.9f %%d\n", (double)(clock() - start) / CLOCKS_PER_SEC, sum);
  return 0;
}
"""


def call_times(model: Path) -> dict[str, float]:
    """Microseconds of processor time of a call of the model, by engine.

    The interpreter's are of its ``invoke`` alone, without the copies in and out that Python needs.

    Raises
    ------
    ModelError
        When the engine cannot do the model, or there is no gcc.
    """
    return {"TFLM's interpreter": _interpreted(model), "the C engine, gcc -O3": _compiled(model)}


def _interpreted(model: Path) -> float:
    runner = open_model(model, "tflm")
    runner.step_stored(np.zeros(runner.inputs[0].shape, np.int8))
    assert isinstance(runner.invoker, Tflm)
    invoke = runner.invoker.invoke_only
    start = time.process_time()
    for _ in range(CALLS):
        invoke()
    return (time.process_time() - start) / CALLS * 1e6


def _compiled(model: Path) -> float:
    gcc = shutil.which("gcc")
    if gcc is None:
        raise ModelError(f"{model}: the C engine cannot be timed: no gcc; apt-get install gcc")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(model, folder, "c")
        (folder / "timer.c").write_text(_TIMER % CALLS)
        command = [gcc, "-std=c99", "-O3", "timer.c", "kws_nn.c", "-o", "timer"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        ran = subprocess.run([folder / "timer"], check=True, capture_output=True, text=True)
    return float(ran.stdout.split()[0]) / CALLS * 1e6

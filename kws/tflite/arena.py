"""How much memory TFLM needs for a model: measured, not guessed."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kws.errors import ModelError
from kws.tflite.interpreter import Runner, Tflm, captured_stderr

STEP_BYTES = 64
_MOST_CRASHES = 16
FOREIGN_ARENA = 16 * 2**20
MARGIN_BYTES = 1024
"""Least margin over the smallest arena; an eighth of it where that is more."""
_TRY = """
import sys
from tflite_micro import runtime
data = sys.stdin.buffer.read()
for size in range(*map(int, sys.argv[1:])):
    print("trying", size, flush=True)
    try:
        runtime.Interpreter.from_bytes(data, arena_size=size).invoke()
    except RuntimeError:
        continue
    print("enough", size, flush=True)
    break
"""


def arena_bytes(data: bytes) -> int:
    """Bytes of the arena in use after one call, as TFLM's recording allocator reports them."""
    runner = Runner(data, "tflm", "model")
    runner.step_stored(np.zeros(runner.inputs[0].shape, runner.inputs[0].dtype))
    assert isinstance(runner.invoker, Tflm)
    return _reported_bytes(runner.invoker.print_allocations)


def foreign_arena_bytes(path: Path) -> int:
    """The same for any ``.tflite`` file of one input, ours or not.

    Raises
    ------
    RuntimeError
        When TFLM refuses the file.
    """
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(str(path), arena_size=FOREIGN_ARENA)
    detail = interpreter.get_input_details(0)
    interpreter.set_input(np.zeros(detail["shape"], detail["dtype"]), 0)
    interpreter.invoke()
    return _reported_bytes(interpreter.print_allocations)


def _reported_bytes(print_allocations: Callable[[], None]) -> int:
    """The total in what TFLM's ``print_allocations`` writes to standard error."""
    report = captured_stderr(print_allocations)
    found = re.search(r"Arena allocation total\s+(\d+) bytes", report)
    if not found:
        raise ModelError("TFLM's allocation report has no total; is its version the pinned one?")
    return int(found.group(1))


def smallest_arena(data: bytes, used_bytes: int) -> int:
    """Bytes of the smallest arena, to 64, in which TFLM starts the model and calls it once.

    Often more than the ``used_bytes`` of its report: to plan the memory takes memory, which is free
    again afterwards. Tried out in processes of their own, as TFLM may crash where it is short.

    Raises
    ------
    ModelError
        When four times the bytes in use are not enough, or it crashes whatever the size.
    """
    size = -(-used_bytes // STEP_BYTES) * STEP_BYTES
    end = 4 * size + 65536
    for _ in range(_MOST_CRASHES):
        command = [sys.executable, "-c", _TRY, str(size), str(end), str(STEP_BYTES)]
        lines = subprocess.run(command, input=data, capture_output=True, check=False).stdout.split()
        if b"enough" in lines:
            return int(lines[-1])
        tried = int(lines[-1]) if lines else end
        if tried + STEP_BYTES >= end:
            break
        size = tried + STEP_BYTES  # crashed there
    raise ModelError(f"TFLM starts the model in no arena of {used_bytes} bytes and more")


def arena_with_margin(smallest: int) -> int:
    """Bytes to give to the arena, a multiple of 16."""
    padded = smallest + max(MARGIN_BYTES, smallest // 8)
    return -(-padded // 16) * 16

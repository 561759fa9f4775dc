"""Programs of `tools/` in processes that start with TensorFlow loaded.

Loading it takes longer than most of what tests then ask of a program. Each process of the test run
has one server that loads it once; what it forks has done nothing yet, and runs a program as Python
would: its own arguments, folder, environment, output, exit status and signals.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1] / "tools"
TENSORFLOW_TOOLS = ("convert.py", "mine.py", "search.py", "train.py")
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["kws.nn.train_recipe", "kws.tflite.convert_run", "kws.report.html", "kws.spotting.spotter"]
)


class Forked:
    """A running program; its methods are those of :class:`subprocess.Popen`."""

    def __init__(self, tool: str, *arguments: object, cwd=None, env: dict[str, str] | None = None):
        self.args = [tool, *map(str, arguments)]
        self._told = tempfile.TemporaryDirectory()
        what = (self.args, self._told.name, str(cwd or Path.cwd()), dict(env or os.environ))
        self._process = _FORKS.Process(target=_become, args=what)
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end; gives what was printed."""
        self.wait(timeout)
        out, err = (Path(self._told.name, name).read_text() for name in ("out", "err"))
        return out, err


def run_forked(tool: str, *arguments: object, **options) -> subprocess.CompletedProcess:
    """As :func:`subprocess.run`."""
    program = Forked(tool, *arguments, **options)
    out, err = program.communicate()
    return subprocess.CompletedProcess(program.args, program.returncode, out, err)


def _become(args: list[str], told: str, cwd: str, env: dict[str, str]) -> None:
    """In the new process: be the program."""
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(Path(told) / name, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = [str(TOOLS / args[0]), *args[1:]]
    sys.path[0:0] = [str(TOOLS)]
    status: object = None
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
        status = 1
    if isinstance(status, str):
        print(status, file=sys.stderr)
    # As Python ends. A process of multiprocessing would wait for what joblib keeps in readiness.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if isinstance(status, str) else int(status or 0))

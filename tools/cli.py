"""What the programs share: errors as one line, exit status 2, a quiet terminal, `kws` found."""

import faulthandler
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kws.errors import DataError, KwsError

if TYPE_CHECKING:
    from kws.recipe import Recipe


def run(main: Callable[[], None]) -> None:
    """Run a program; a user's mistake is one line on standard error and status 2."""
    native = _keep_the_terminal()
    try:
        main()
    except KwsError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has gone
        sys.stderr.close()
        sys.exit(141)
    except Exception:
        native.seek(0)
        sys.stderr.write(native.read().decode(errors="replace"))
        raise


def data_folder(given: Path | None, recipe: "Recipe", source: Path) -> Path:
    """The folder of ``--data``, else the one that the recipe in ``source`` names."""
    if given is None and recipe.data.folder is None:
        raise DataError(f"{source}: names no data.folder; say where the clips are: --data DIR")
    return given or Path(recipe.data.folder or "")


def speak_corpus(given: Path | None, recipe: "Recipe", data: Path) -> None:
    """Speak the recipe's own corpus into its folder, if it has one and no ``--data`` is given."""
    if recipe.data.synthetic and not given:
        from kws.data.synthetic import make_corpus

        make_corpus(recipe.data, recipe.features.sample_rate_hz, data, recipe.seed)


def train_and_tell(
    recipe: "Recipe", data: Path, out: Path, resume: bool, tensorboard: bool = False
) -> None:
    """Train, and say what came of it and what was left out."""
    from kws.nn.models import trainable_weights
    from kws.nn.train_recipe import train_recipe

    start = time.monotonic()
    model, history, bad = train_recipe(recipe, data, out, resume, tensorboard=tensorboard)
    minutes = (time.monotonic() - start) / 60
    for message in bad:
        print(f"left out: {message}")
    if bad:
        print(f"{len(bad)} clips could not be read and were left out")
    print(
        f"{out.name}: {trainable_weights(model):,} weights, {minutes:.1f} minutes, validation "
        f"accuracy {history[-1].validation_accuracy:.2%} ({history[-1].phase})"
    )


def convert_and_report(data: Path, folder: Path) -> None:
    """Convert and verify as tools/convert.py does."""
    from kws.report.html import report_run
    from kws.run import open_run
    from kws.tflite.convert_run import convert_run

    run, recipe, _ = open_run(folder)
    form = "window" if recipe.model.window_only else "stream"
    convert_run(run, recipe, data, form, "explicit", run.tflite)
    print(f"model: {run.tflite}\nreport: {report_run(run, run.tflite, data)}")


def _keep_the_terminal() -> io.BufferedRandom:
    """Leave standard error to Python; what C++ libraries write there goes to a file.

    TensorFlow announces its compiler and its missing GPUs in dozens of lines that no setting turns
    off. The file is shown when a program fails for a reason that is not the user's.
    """
    native = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the program runs)
    if sys.stderr is not sys.__stderr__:  # someone else listens already
        return native
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    os.dup2(native.fileno(), 2)
    faulthandler.enable(sys.stderr)
    return native

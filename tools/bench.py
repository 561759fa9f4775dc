"""Sizes and speeds, measured here and now: python tools/bench.py (or: make bench)"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cli import run

BOX = Path(__file__).resolve().parents[1] / "recipes" / "speech_commands_8"
SMALL, DSCNN = BOX / "gru_small/model.tflite", BOX / "dscnn_reference/model.tflite"
TABLES = ("sizes", "training", "features", "files", "calls", "listening", "steps")
HOST = "a GRU over 49 frames of 40 log-mel bands, softmax of 10; TFLM arena on a 64-bit host"


def main() -> None:
    """Measure, print the tables, write them as Markdown."""
    parser = argparse.ArgumentParser(
        description="Sizes beside naive conversion, training speed beside Keras, features."
    )
    parser.add_argument(
        "tables", nargs="*", metavar="TABLE", help=f"some of {', '.join(TABLES)} (default: all)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/bench.md"), help="default: build/bench.md"
    )
    arguments = parser.parse_args()
    for name in arguments.tables:
        if name not in TABLES:
            parser.error(f"{name!r} is no table; expected some of {', '.join(TABLES)}")

    from kws.files import write_text

    known = {
        "sizes": (HOST, ("way", "file", "TFLM arena", "outcome"), size_rows),
        "training": ("training, clips a second, one run", ("way", "clips/s", "ratio"), speed_rows),
        "features": ("features, one core", ("way", "rate"), feature_rows),
        "files": ("from sound files to features", ("way", "clips/s", "ratio"), preparation_rows),
        "calls": ("a call of gru_small, one run", ("engine", "microseconds", "ratio"), engine_rows),
        "listening": ("listening with gru_small, of one core", ("way", "share"), spotter_rows),
        "steps": ("a training step", ("part", "share of its time"), input_rows),
    }
    wanted = arguments.tables or TABLES
    tables = [(title, columns, rows()) for title, columns, rows in map(known.get, wanted)]
    show(tables)
    write_text(arguments.out, "\n".join(markdown(*table) for table in tables))
    print(f"written to {arguments.out}")


def size_rows(
    models: tuple[tuple[int, bool], ...] = ((64, False), (60, True)),
) -> list[tuple[str, ...]]:
    """The naive ways, each in a process of its own, and ours; models as units, bidirectional.

    The convolutional net that recurrent ones are compared with comes last.
    """
    from kws.nn.naive import WAYS

    rows = []
    for units, bidirectional in models:
        name = f"Bidirectional({units})" if bidirectional else f"GRU({units})"
        for way in WAYS:
            made = naive("convert_naively", way, units, bidirectional)
            rows.append((f"keras {name}, {way}", *made))
        for form in ("window",) if bidirectional else ("stream", "window"):
            rows.append(
                (f"**this toolkit: {name}, int8 {form}**", *ours(units, bidirectional, form))
            )
    rows.append(("keras DS-CNN of MLPerf Tiny, full int8", *naive("convert_dscnn_naively")))
    rows.append(("this toolkit: `dscnn_reference`, the same net", *outcome(0, DSCNN)))
    return rows


def naive(function: str, *arguments: object) -> tuple[str, str, str]:
    """What comes of a function of :mod:`kws.nn.naive`, which writes a file or kills its process.

    Each has a process of its own, forked from one that has loaded TensorFlow.
    """
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["kws.nn.naive"])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "naive.tflite"
        process = forks.Process(target=quietly, args=(function, *arguments, str(file)))
        process.start()
        process.join()
        return outcome(process.exitcode or 0, file)


def quietly(function: str, *arguments: object) -> None:
    """In that process: a converter that dies fills the terminal."""
    silent = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(silent, number)
    from kws.nn import naive as ways

    getattr(ways, function)(*arguments)


def outcome(status: int, file: Path) -> tuple[str, str, str]:
    """Size, arena and a word on what came of a conversion."""
    if not file.is_file():
        return (
            "–",
            "–",
            f"the converter dies (signal {-status})" if status < 0 else "the converter fails",
        )
    size = f"{file.stat().st_size:,}"
    call = f"print(foreign_arena_bytes({str(file)!r}))"
    code = f"from kws.tflite.arena import foreign_arena_bytes; {call}"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    if result.returncode:
        return size, "–", "TFLM refuses it"
    return size, f"{int(result.stdout):,}", "runs"


def ours(units: int, bidirectional: bool, form: str) -> tuple[str, str, str]:
    """The same for this toolkit's file."""
    from kws.recipe_io import parse_recipe
    from kws.tflite.arena import arena_bytes
    from kws.tflite.convert import convert
    from kws.tflite.random_weights import random_weights

    words = ["yes", "no", "up", "down", "left", "right", "stop", "go"]
    model = {"units": [units], "bidirectional": bidirectional}
    values = {"name": "bench", "data": {"keywords": words}, "model": model}
    recipe = parse_recipe({**values, "train": {"carried_state_share": 0.0}}, "bench")
    weights = random_weights(recipe.model, len(recipe.data.labels))
    data = convert(weights, recipe, form).data
    return f"{len(data):,}", f"{arena_bytes(data):,}", "runs"


def speed_rows() -> list[tuple[str, ...]]:
    """Training speed, and the ratio to Keras."""
    from kws.nn.speed import training_speeds

    return beside_first(training_speeds())


def feature_rows() -> list[tuple[str, ...]]:
    """Batched extraction, a loop over clips, and the share of real time that streaming takes."""
    import numpy as np

    from kws.audio.features import StreamingFeatures, extract
    from kws.recipe import FeatureConfig

    config = FeatureConfig()
    clips = np.random.default_rng(0).normal(0, 0.1, (512, 16000)).astype(np.float32)
    extract(clips[:2], config)
    batched = timed(lambda: extract(clips, config)) / len(clips)
    single = timed(lambda: [extract(clip, config) for clip in clips[:128]]) / 128
    stream = StreamingFeatures(config)
    blocks = clips[:20].reshape(-1, config.hop_samples)
    streamed = timed(lambda: [stream.push(block) for block in blocks]) / 20
    return [
        ("stacked clips of 1 s", f"{1 / batched:.0f} clips/s"),
        ("clip by clip", f"{1 / single:.0f} clips/s"),
        ("streaming, blocks of 20 ms", f"{streamed:.2%} of real time"),
    ]


def preparation_rows() -> list[tuple[str, ...]]:
    """Clips a second from files to features, and the ratio to a plain loop."""
    from kws.data.speed import preparation_rates

    with tempfile.TemporaryDirectory() as folder:
        return beside_first(preparation_rates(Path(folder)))


def engine_rows() -> list[tuple[str, ...]]:
    """Microseconds of a call, and how many times as fast as the interpreter."""
    from kws.firmware.speed import call_times

    times = call_times(SMALL)
    slowest = next(iter(times.values()))
    return [(name, f"{us:.1f}", f"{slowest / us:.2f}") for name, us in times.items()]


def spotter_rows() -> list[tuple[str, ...]]:
    """Share of real time that sound to detections takes: features, model and decoder."""
    import numpy as np

    from kws.spotting.spotter import Spotter
    from kws.tflite.interpreter import ENGINES, open_model

    blocks = np.random.default_rng(0).normal(0, 0.1, (1000, 320)).astype(np.float32)  # 20 s
    rows = []
    for engine in ENGINES:
        spotter = Spotter(open_model(SMALL, engine))
        seconds = timed(lambda hears=spotter.push: [hears(block) for block in blocks])
        rows.append((f"{engine}, blocks of 20 ms", f"{seconds / 20:.2%}"))
    return rows


def input_rows() -> list[tuple[str, ...]]:
    """How long training waits for its batches."""
    from kws.nn.speed import input_bound_share

    with tempfile.TemporaryDirectory() as folder:
        return [("waiting for the batch", f"{input_bound_share(Path(folder)):.1%}")]


def beside_first(rates: dict[str, float]) -> list[tuple[str, ...]]:
    """Each rate, and its ratio to the first."""
    reference = next(iter(rates.values()))
    return [(name, f"{rate:.0f}", f"{rate / reference:.2f}") for name, rate in rates.items()]


def timed(call) -> float:
    """Seconds of the faster of two calls."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def show(tables) -> None:
    """Print tables on the terminal."""
    from rich.console import Console
    from rich.table import Table

    for title, headings, rows in tables:
        table = Table(*headings, title=title)
        for row in rows:
            table.add_row(*(cell.replace("**", "") for cell in row))
        Console().print(table)


def markdown(title: str, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table as Markdown."""
    lines = [headings, tuple("---" for _ in headings), *rows]
    return f"{title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    run(main)

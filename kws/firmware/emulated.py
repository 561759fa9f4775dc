"""Firmware on an emulated Cortex-M: compiled by GCC, run by QEMU, what it takes counted.

QEMU counts instructions, not cycles: a Cortex-M4 takes some 1.2 to 1.6 cycles for one, by the wait
states of its flash. The count is the same at every run. Firmware reads the board's timer, and tells
by a loop of known length how many instructions a tick is.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from kws.audio.io import as_int16
from kws.audio.noise import coloured_noise
from kws.errors import ModelError
from kws.firmware.export import Arithmetic, export
from kws.firmware.literals import c_array
from kws.firmware.profile import Cpu, Profile
from kws.spotting.decoder import STEPS, Detection, smoothing_steps
from kws.spotting.hearing import calls_per_second
from kws.tflite.metadata import Metadata, metadata_of


class BoardTooSmall(ModelError):
    """Firmware that the emulated board has no room for; a part with more may have."""


@dataclass(frozen=True)
class _Board:
    """A board that QEMU emulates."""

    machine: str
    flags: tuple[str, ...]
    """The compiler's, besides the processor"""
    arithmetic: Arithmetic
    flash_at: int
    flash_bytes: int
    ram_bytes: int
    ram_at: int = 0x20000000


_FLOAT, _SOFT = ("-mfloat-abi=hard", "-mfpu=auto"), ("-mfloat-abi=soft",)
_BOARDS: dict[Cpu, _Board] = {
    "cortex-m0": _Board("microbit", _SOFT, "fixed", 0x400, 255 << 10, 16 << 10),
    "cortex-m3": _Board("mps2-an385", _SOFT, "fixed", 0x400, 4 << 20, 4 << 20),
    "cortex-m4": _Board("mps2-an386", _FLOAT, "float", 0x400, 4 << 20, 4 << 20),
    "cortex-m55": _Board("mps3-an547", _FLOAT, "float", 0x11000000, 2 << 20, 512 << 10, 0x30000000),
}
_SOURCES = ("kws.c", "kws_features.c", "kws_nn.c", "kws_decoder.c")
_OWN = ("startup.c", "profile.c", "kws_self_test.c")
_FLAGS = (
    "-mthumb",
    "-O3",
    "-std=c99",
    "-DKWS_SELF_TEST",
    "-ffunction-sections",
    "-fdata-sections",
    "-w",
)
PARTS = "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
_TIMEOUT_S = 300
_NOISE_S = 4.0
_SELF_TEST = ("", "features", "posteriors", "detections")
"""What ``kws_self_test`` finds to differ, by its result"""


def missing_tools() -> str:
    """What to install, or nothing."""
    here = shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")
    return "" if here else f"no arm-none-eabi-gcc and qemu-system-arm here: {PARTS}"


def profile(model: Path, audio: np.ndarray | None = None, cpu: Cpu = "cortex-m4") -> Profile:
    """Export a model with the C engine, compile it, and let it hear some audio.

    Parameters
    ----------
    audio : int16 (samples,), at the model's rate; a second at least, a minute at most (on a
        Cortex-M0 five seconds: it is compiled into 256 KB of flash). Otherwise noise.
    cpu : one with an FPU computes features in float, another in fixed point.

    Raises
    ------
    ModelError
        When the engine cannot do the model, a tool is missing, or the firmware fails, or its
        self-test does; :class:`BoardTooSmall` when it fits only with a larger part.
    """
    if problem := missing_tools():
        raise ModelError(f"{model}: cannot be profiled: {problem}")
    facts = metadata_of(model)
    if audio is None:
        audio = _noise(facts.features.sample_rate_hz)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        board = _BOARDS[cpu]
        export(model, folder, "c", board.arithmetic)
        _write_board(folder, audio)
        _compile(folder, cpu, board, str(model))
        printed = _run(folder / "firmware.elf", board.machine, str(model))
        flash = _flash(folder)
        macs = int(re.search(r"KWS_NN_MACS (\d+)", (folder / "kws_nn.h").read_text())[1])  # type: ignore[index]
    if failed := _SELF_TEST[_numbers(printed)["self_test"]]:
        raise ModelError(f"{model}: on the emulated {cpu} {failed} differ from the desk's")
    return _read(printed, flash, facts, len(audio), macs, cpu)


def _noise(rate_hz: int) -> np.ndarray:
    samples = round(_NOISE_S * rate_hz)
    return as_int16(coloured_noise(samples, 1.0, np.random.default_rng(0), rate_hz))


def _write_board(folder: Path, audio: np.ndarray) -> None:
    for file in files("kws.firmware").joinpath("board").iterdir():
        (folder / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    samples = c_array("int16_t", "audio", map(str, audio.tolist()))
    head = f"#include <stdint.h>\n#define AUDIO_SAMPLES {len(audio)}\n"
    (folder / "audio.h").write_text(head + samples + "\n", encoding="utf-8")


def _compile(folder: Path, cpu: Cpu, board: _Board, where: str) -> None:
    gcc = ["arm-none-eabi-gcc", f"-mcpu={cpu}", *board.flags, *_FLAGS]
    for source in (*_SOURCES, *_OWN):
        _call([*gcc, "-c", source], folder, where)
    objects = [f"{Path(source).stem}.o" for source in (*_SOURCES, *_OWN)]
    link = ["-nostartfiles", "--specs=nano.specs", "-T", "board.ld", "-Wl,--gc-sections"]
    for name in ("flash_at", "flash_bytes", "ram_at", "ram_bytes"):
        link.append(f"-Wl,--defsym={name}={getattr(board, name)}")
    try:
        _call([*gcc, *link, *objects, "-lm", "-o", "firmware.elf"], folder, where)
    except ModelError as error:
        if "overflow" not in str(error):
            raise
        raise BoardTooSmall(
            f"{where}: the firmware, with the audio it is to hear, is too large for the board of "
            f"the emulated {cpu} ({board.flash_bytes >> 10} KB of flash, {board.ram_bytes >> 10} "
            "KB of RAM): shorter audio, a smaller model or another processor"
        ) from error


def _run(firmware: Path, board: str, where: str) -> str:
    host = ["-semihosting-config", "enable=on,target=native", "-icount", "shift=0"]
    quiet = ["-display", "none", "-serial", "none", "-monitor", "none"]
    command = ["qemu-system-arm", "-M", board, "-kernel", str(firmware), *host, *quiet]
    return _call(command, firmware.parent, where)


def _call(command: list[str], folder: Path, where: str) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{where}: {command[0]} took more than {_TIMEOUT_S} s") from error
    if done.returncode:
        lines = (done.stderr.strip() or "no message").splitlines()
        signs = ("overflow", "error", "fault")
        told = next((line for sign in signs for line in lines if sign in line), lines[-1])
        raise ModelError(f"{where}: {command[0]} failed (status {done.returncode}): {told}")
    return done.stdout + done.stderr  # semihosting writes to the latter


def _flash(folder: Path) -> dict[str, int]:
    """Bytes of code and constants by part; what is left of the whole is the C library's."""

    def sizes(name: str) -> int:
        out = _call(["arm-none-eabi-size", name], folder, name).splitlines()[1].split()
        return int(out[0]) + int(out[1])

    found = {
        "features": sizes("kws_features.o"),
        "model": sizes("kws_nn.o"),
        "decoder and glue": sizes("kws_decoder.o") + sizes("kws.o"),
    }
    ours = sum(found.values()) + sum(sizes(f"{Path(name).stem}.o") for name in _OWN)
    found["C library"] = max(0, sizes("firmware.elf") - ours)
    return found


def _numbers(printed: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", printed, re.M)}


def _read(
    printed: str, flash: dict[str, int], facts: Metadata, samples: int, macs: int, cpu: Cpu
) -> Profile:
    numbers = _numbers(printed)
    config, rate = facts.features, calls_per_second(facts)
    full = STEPS * smoothing_steps(facts.decoder, rate)
    spotted = re.findall(r"^detection (\S+) (\d+)\nsample (\d+)$", printed, re.M)

    per_tick = numbers["instructions"] / numbers["ticks"]

    def a_second(name: str, each: int, times: float) -> float:
        return numbers[name] * per_tick / each * times

    model = a_second("model", numbers["calls"], 1.0)
    parts = {
        "features": a_second("features", numbers["frames"], config.frames_per_second),
        "model": model * rate,
        "decoder": a_second("decoder", numbers["calls"], rate),
    }
    return Profile(
        cpu=cpu,
        flash=flash,
        ram_bytes=numbers["ram"],
        stack_bytes=numbers["stack"],
        instructions={
            **parts,
            "whole": sum(parts.values()),
            "ran": a_second("whole", samples, config.sample_rate_hz),
        },
        per_mac=model / macs,
        detections=tuple(
            Detection(label, int(sample) / config.sample_rate_hz, int(score) / full)
            for label, score, sample in spotted
        ),
    )

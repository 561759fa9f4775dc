"""What a model's firmware takes on a Cortex-M, by emulation, and on which common parts it fits.

Needs GCC for ARM and QEMU (Debian: gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm).
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cli import run

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from kws.firmware.parts import Part
    from kws.firmware.profile import Profile

PART_NAMES = ("nrf52840", "stm32f411", "stm32u585", "rp2040", "esp32-s3")
CPUS = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m55")
_LONGEST_S = 60.0


def main() -> None:
    """Compile, run, and show."""
    arguments = _parse()
    from rich.console import Console

    from kws.firmware.emulated import profile
    from kws.firmware.parts import PARTS, require
    from kws.tflite.metadata import metadata_of

    audio = _audio(arguments.wav, metadata_of(arguments.model).features.sample_rate_hz)
    chosen = [part for part in PARTS if arguments.part in (None, part.name.lower())]
    cpu = arguments.cpu or (arguments.part and chosen[0].counts_as) or "cortex-m4"
    found = profile(arguments.model, audio, cpu)
    console = Console(width=200, highlight=False)
    console.print(_takes(found))
    console.print(_parts(found, chosen))
    for one in found.detections if arguments.wav else ():
        print(f"{one.time_s:7.2f} s  {one.keyword}  {one.score:.2f}")
    if arguments.part:
        require(found, chosen[0], str(arguments.model))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, metavar="MODEL.tflite")
    parser.add_argument(
        "--wav", type=Path, metavar="FILE", help="sound to hear (default: noise); a minute at most"
    )
    on = parser.add_mutually_exclusive_group()
    on.add_argument("--cpu", choices=CPUS, help="what to emulate (default: cortex-m4)")
    on.add_argument(
        "--part", choices=PART_NAMES, help="one part: its processor; status 2 where it does not fit"
    )
    return parser.parse_args()


def _audio(wav: Path | None, rate_hz: int) -> "np.ndarray | None":
    if wav is None:
        return None
    import numpy as np

    from kws.audio.io import as_int16, read

    audio = read(wav, rate_hz, longest_s=_LONGEST_S)
    return as_int16(np.pad(audio, (0, max(0, rate_hz - len(audio)))))


def _takes(found: "Profile") -> "Table":
    from rich.table import Table

    table = Table(title=f"firmware on a {found.cpu}, C engine", title_justify="left")
    for name in ("part", "flash, bytes", "instructions a second"):
        table.add_column(name, justify="left" if name == "part" else "right")
    rows = {"features": "features", "model": "model", "decoder and glue": "decoder"}
    for name, bytes_ in found.flash.items():
        count = found.instructions.get(rows.get(name, ""), None)
        table.add_row(name, f"{bytes_:,}", "" if count is None else f"{count:,.0f}")
    whole = f"{found.instructions['whole']:,.0f}"
    table.add_row("whole", f"{sum(found.flash.values()):,}", whole)
    table.caption = (
        f"RAM {found.ram_bytes:,} bytes, stack {found.stack_bytes:,}; the model takes "
        f"{found.per_mac:.2f} instructions a multiply-accumulate"
    )
    table.caption_justify = "left"
    return table


def _parts(found: "Profile", parts: "list[Part]") -> "Table":
    from rich.table import Table

    from kws.firmware.parts import fit
    from kws.firmware.profile import CYCLES_PER_INSTRUCTION

    table = Table(title="on common parts", title_justify="left")
    for name in ("part", "core", "flash", "RAM", "time", ""):
        table.add_column(name, justify="left" if name in ("part", "core", "") else "right")
    for part in parts:
        one = fit(found, part)
        time = "not counted" if one.time_share is None else f"{100 * one.time_share:.1f} %"
        shares = (f"{100 * one.flash_share:.1f} %", f"{100 * one.ram_share:.1f} %", time)
        table.add_row(part.name, part.core, *shares, "fits" if one.fits else "does not fit")
    table.caption = f"time at {CYCLES_PER_INSTRUCTION} cycles an instruction"
    table.caption_justify = "left"
    return table


if __name__ == "__main__":
    run(main)

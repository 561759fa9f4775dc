"""Common microcontrollers: their memory, their clock, and whether a firmware fits."""

from dataclasses import dataclass

from kws.errors import ModelError
from kws.firmware.profile import Cpu, Profile


@dataclass(frozen=True)
class Part:
    """A microcontroller, as its data sheet has it."""

    name: str
    core: str
    flash_bytes: int
    ram_bytes: int
    clock_hz: float
    counts_as: Cpu | None
    """The emulated processor whose instructions are its own"""


PARTS = (
    Part("nRF52840", "Cortex-M4F", 1024 * 1024, 256 * 1024, 64e6, "cortex-m4"),
    Part("STM32F411", "Cortex-M4F", 512 * 1024, 128 * 1024, 100e6, "cortex-m4"),
    Part("STM32U585", "Cortex-M33", 2048 * 1024, 786 * 1024, 160e6, "cortex-m4"),
    Part("RP2040", "Cortex-M0+", 2048 * 1024, 264 * 1024, 133e6, "cortex-m0"),
    Part("ESP32-S3", "Xtensa LX7", 8192 * 1024, 512 * 1024, 240e6, None),
)
"""RP2040 and ESP32-S3: flash of the usual boards"""


@dataclass(frozen=True)
class Fit:
    """A firmware on a part."""

    part: Part
    flash_share: float
    ram_share: float
    time_share: float | None
    """Of the processor's time; None where its instructions are others"""

    @property
    def fits(self) -> bool:
        """In flash, RAM and, where it is known, time."""
        return max(self.flash_share, self.ram_share, self.time_share or 0.0) <= 1.0


def fit(profile: Profile, part: Part) -> Fit:
    """How much of a part a firmware takes; its time where the part runs what was counted."""
    return Fit(
        part=part,
        flash_share=sum(profile.flash.values()) / part.flash_bytes,
        ram_share=(profile.ram_bytes + profile.stack_bytes) / part.ram_bytes,
        time_share=profile.cycles / part.clock_hz if part.counts_as == profile.cpu else None,
    )


def require(profile: Profile, part: Part, model: str) -> None:
    """Refuse a firmware that a part is too small for.

    Raises
    ------
    ModelError
        Which of flash, RAM and time are too little, and by how much.
    """
    one = fit(profile, part)
    shares = {"flash": one.flash_share, "RAM": one.ram_share, "time": one.time_share or 0.0}
    over = [f"{100 * share:.0f} % of its {name}" for name, share in shares.items() if share > 1.0]
    if over:
        raise ModelError(
            f"{model}: does not fit a {part.name}: it takes {' and '.join(over)}; a smaller model, "
            "or a larger part"
        )

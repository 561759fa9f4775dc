"""What firmware takes on a processor, as counted."""

from dataclasses import dataclass
from typing import Literal

from kws.spotting.decoder import Detection

Cpu = Literal["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m55"]
CYCLES_PER_INSTRUCTION = 1.4
"""Of a Cortex-M that runs from flash with a cache; between 1.2 and 1.6 as the flash waits"""


@dataclass(frozen=True)
class Profile:
    """What firmware takes on a processor."""

    cpu: Cpu
    flash: dict[str, int]
    """Bytes of code and constants: features, model, decoder and glue, and the C library's"""
    ram_bytes: int
    """All that ``kws`` holds"""
    stack_bytes: int
    """Most that was used of the stack"""
    instructions: dict[str, float]
    """In a second of audio: features, model, decoder, and the whole of them; ``ran``: a second of
    the audio that was heard, of which a window model's first second has no call"""
    per_mac: float
    """Instructions of the model for a multiply-accumulate"""
    detections: tuple[Detection, ...]

    @property
    def cycles(self) -> float:
        """In a second of audio, about."""
        return self.instructions["whole"] * CYCLES_PER_INSTRUCTION

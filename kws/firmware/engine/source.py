"""C source in the making: constants, each once, and the lines that run the model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from kws.firmware.engine.places import Buffer, Place
from kws.firmware.engine.scaling import Scaling
from kws.firmware.literals import c_array


@dataclass
class Source:
    """What the engine's file is made of."""

    constants: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    buffer: Buffer = field(default_factory=Buffer)
    flash: dict[str, int] = field(default_factory=dict)
    """Bytes of constants, by what they are"""
    macs: int = 0
    """Multiply-accumulates of a call, loops counted as often as they run"""
    times: int = 1
    """How often the line that is written next runs in a call"""
    patch_bytes: int = 0
    """Most that a kernel reads at once where that must be put together"""
    wide_values: int = 0
    """Most values that a dot product reads"""
    _names: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def constant(self, values: np.ndarray, what: str) -> str:
        """The name of an array of these values."""
        flat = np.ascontiguousarray(values).reshape(-1)
        key = (flat.dtype.name, flat.tobytes())
        if key not in self._names:
            name = self._names[key] = f"kws_c{len(self._names)}"
            kind = f"{'KWS_ALIGNED ' * (what == 'weights')}{flat.dtype.name}_t"
            self.constants.append(f"/* {what} */\n{c_array(kind, name, _literals(flat))}")
            self.flash[what] = self.flash.get(what, 0) + flat.nbytes
        return self._names[key]

    def finish(
        self,
        bias: np.ndarray,
        scalings: Sequence[Scaling],
        zero_point: int,
        low: int,
    ) -> str:
        """The name of what a product of matrices ends with."""
        bias = np.pad(bias, (0, -len(bias) % 4))  # tiles are whole
        multipliers = np.array([one.multiplier for one in scalings], np.int32)
        less = np.array([-one.shift - 1 for one in scalings], np.int8)
        parts = (
            self.constant(bias.astype(np.int32), "biases"),
            self.constant(multipliers, "scales"),
            self.constant(less, "scales"),
            int(len(scalings) > 1),
            int(less.min() >= 0 and low == -128),
            zero_point,
            low,
        )
        return self.structure("kws_finish", parts)

    def structure(self, kind: str, parts: Iterable[object]) -> str:
        """The name of a constant structure."""
        text = ", ".join(map(str, parts))
        key = (kind, text.encode())
        if key not in self._names:
            name = self._names[key] = f"kws_s{len(self._names)}"
            self.constants.append(f"static const {kind} {name} = {{{text}}};")
        return self._names[key]

    def line(self, text: str, *places: Place) -> None:
        """Add a line in which ``{0}``, ``{1}`` ... stand for places, which it uses."""
        for place in places:
            self.buffer.use(place)
        self.lines.append(text.format(*(self.token(place) for place in places)))
        self.buffer.moment += 1

    def token(self, place: Place) -> str:
        """What stands for a place until rooms are planned."""
        base = place.base if place.room < 0 else f"@{place.room}@"
        return f"({base} + {place.offset})" if place.offset else base

    def planned(self) -> tuple[list[str], int]:
        """The lines with addresses in the buffer, and its bytes."""
        size = self.buffer.plan()
        lines = list(self.lines)
        for number, room in enumerate(self.buffer.rooms):
            address = f"(kws_buffer + {room.start})"
            lines = [line.replace(f"@{number}@", address) for line in lines]
        return lines, size


def _literals(values: np.ndarray) -> list[str]:
    """As C has them: the lowest int32 is no literal."""
    return [str(v) if v != -(2**31) else "(-2147483647 - 1)" for v in values.tolist()]

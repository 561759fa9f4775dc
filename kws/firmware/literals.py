"""C literals that give a compiler the very values that Python has."""

import re
from collections.abc import Iterable

import numpy as np

_WIDTH = 96


def c_float(value: float) -> str:
    """The C literal of ``value`` as float32, exact (nine digits tell all float32 values apart)."""
    text = f"{np.float32(value):.9g}"
    return (text if re.search(r"[.e]", text) else text + ".0") + "f"


def c_string(text: str) -> str:
    """The C literal of a text in UTF-8; what is not plain ASCII is escaped in octal."""
    plain = (chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(plain)}"'


def hex_rows(data: bytes) -> list[str]:
    """The bytes as rows of C source, twelve a row."""
    rows = (data[start : start + 12] for start in range(0, len(data), 12))
    return [" ".join(f"0x{byte:02x}," for byte in row) for row in rows]


def c_floats(name: str, values: np.ndarray) -> str:
    """A constant array of float32 values."""
    return c_array("float", name, map(c_float, values.reshape(-1)))


def c_array(kind: str, name: str, literals: Iterable[str]) -> str:
    """A constant array of a type, from its literals."""
    listed = list(literals)
    rows, row = [], " "
    for literal in listed:
        if len(row) + len(literal) + 2 > _WIDTH:
            rows.append(row)
            row = " "
        row += f" {literal},"
    body = "\n".join([*rows, row])
    return f"static const {kind} {name}[{len(listed)}] = {{\n{body}\n}};"

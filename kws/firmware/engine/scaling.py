"""The integers by which int8 arithmetic stands for real factors, as TFLite's kernels compute them.

Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference" (2018): a real factor is ``multiplier / 2**31 * 2**shift``, the multiplier in 2**30 to
2**31. Softmax is computed in fixed point after gemmlowp (github.com/google/gemmlowp).
"""

import math
from dataclasses import dataclass

import numpy as np

_ONE = 1 << 31
_MOST, _LEAST = (1 << 31) - 1, -(1 << 31)
EXP_BITS = 5
"""Integer bits of the difference that softmax takes the exponential of"""


@dataclass(frozen=True)
class Scaling:
    """A real factor as an integer multiplier and a shift."""

    multiplier: int
    shift: int


def scaling(factor: float) -> Scaling:
    """The nearest scaling to a real factor of 0 or more."""
    if factor == 0.0:
        return Scaling(0, 0)
    mantissa, shift = math.frexp(factor)
    multiplier = _round(mantissa * _ONE)
    if multiplier == _ONE:
        multiplier, shift = multiplier // 2, shift + 1
    return Scaling(0, 0) if shift < -31 else Scaling(multiplier, shift)


def product_scaling(a: float, b: float, output: float) -> Scaling:
    """Of a product of two scales that is brought to a third; of convolutions and MUL."""
    return scaling(float(a) * float(b) / float(output))


def exponentials(factor: float, beta: float = 1.0) -> list[int]:
    """What softmax takes a score for that is 0, 1, 2 ... steps below the highest.

    Parameters
    ----------
    factor : the scale of the scores.

    Returns
    -------
    exp of each difference, in steps of 2**-31, as far as it counts.
    """
    real = min(beta * float(np.float32(factor)) * (1 << (31 - EXP_BITS)), _ONE - 1.0)
    scaled = scaling(real)
    reach = math.floor(((1 << EXP_BITS) - 1) * (1 << (31 - EXP_BITS)) / (1 << scaled.shift))
    table = []
    for steps in range(min(reach, 255) + 1):
        table.append(_exp_of_negative(_high_product(-steps << scaled.shift, scaled.multiplier)))
    return table


def _exp_of_negative(a: int) -> int:
    """exp of ``a``, 0 or less, in steps of 2**-26; the result in steps of 2**-31."""
    if a == 0:
        return _MOST
    quarter = 1 << 24
    within = (a & (quarter - 1)) - quarter
    result = _exp_within_a_quarter(_saturated(within << EXP_BITS))
    rest = within - a
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, factor in enumerate(factors, start=-2):  # exp(-2**exponent)
        if rest & (1 << (26 + exponent)):
            result = _high_product(result, factor)
    return result


def _exp_within_a_quarter(a: int) -> int:
    """exp of -1/4 to 0, by a Taylor series around -1/8; steps of 2**-31."""
    x = a + (1 << 28)
    x2 = _high_product(x, x)
    x3, x4 = _high_product(x2, x), _high_product(x2, x2)
    inner = _high_product(_divided(x4, 2) + x3, 715827883) + x2
    series = _divided(inner, 1)
    constant = 1895147668  # exp(-1/8)
    return _saturated(constant + _high_product(constant, x + series))


def _high_product(a: int, b: int) -> int:
    """``a * b / 2**31``, rounded to nearest."""
    if a == b == _LEAST:
        return _MOST
    return (a * b + (1 << 30)) >> 31


def _divided(x: int, bits: int) -> int:
    """``x / 2**bits``, rounded to nearest, half away from zero."""
    mask = (1 << bits) - 1
    return (x >> bits) + ((x & mask) > (mask >> 1) + (x < 0))


def _saturated(x: int) -> int:
    return max(_LEAST, min(_MOST, x))


def _round(value: float) -> int:
    """To nearest, half away from zero, as C's round."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)

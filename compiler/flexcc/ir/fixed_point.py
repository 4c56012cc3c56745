# SPDX-License-Identifier: Apache-2.0
"""Real ratios as integers: a multiplier and a shift, and the one rounding behind them."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["MULTIPLIER_BITS", "fixed_point", "fixed_points", "is_tie", "round_shift"]

MULTIPLIER_BITS = 24
_SHIFT_MAX = 63

IntArray = NDArray[np.int64]


def fixed_point(ratio: float) -> tuple[int, int]:
    """Multiplier and shift with ratio = multiplier / 2^shift to 24 bits.

    The multiplier is the significand of the ratio as a float32, from 2^23 on. Ratios below 2^-39
    lose bits, for the shift ends at 63; the smallest become 0.

    Raises:
        ValueError: the ratio is negative, not finite, or 2^24 and more.
    """
    with np.errstate(over="ignore", under="ignore"):
        value = np.float32(ratio)
    if not 0 <= value < 1 << MULTIPLIER_BITS:
        raise ValueError(f"the ratio {ratio:.3g} is not in 0..2^{MULTIPLIER_BITS}")
    _, exponent = np.frexp(np.float64(value))
    shift = min(MULTIPLIER_BITS - int(exponent), _SHIFT_MAX)
    return round(float(np.ldexp(np.float64(value), shift))), shift


def fixed_points(ratios: NDArray[np.float64]) -> tuple[IntArray, IntArray]:
    """Multiplier and shift of each ratio, as `fixed_point` finds them; all are in 0..2^24."""
    values = ratios.astype(np.float32).astype(np.float64)
    _, exponents = np.frexp(values)
    shifts = np.minimum(MULTIPLIER_BITS - exponents.astype(np.int64), _SHIFT_MAX)
    return np.rint(np.ldexp(values, shifts)).astype(np.int64), shifts


def round_shift(total: IntArray, shift: int | IntArray) -> IntArray:
    """round_half_even(total / 2^shift), exact; `shift` broadcasts and lies in 0..63."""
    shifts = np.asarray(shift, np.int64)
    # Adding half a step less one, plus the quotient's lowest bit, rounds ties to even.
    result: IntArray = total >> shifts
    result &= shifts > 0
    result += np.where(shifts > 0, (1 << np.maximum(shifts - 1, 0)) - 1, 0)
    result += total
    result >>= shifts
    return result


def is_tie(total: IntArray, shift: int | IntArray, within: float = 0.0) -> NDArray[np.bool_]:
    """Whether total / 2^shift lies between two integers, exactly or `within` a part of a step."""
    shifts = np.asarray(shift, np.int64)
    half = 1 << np.maximum(shifts - 1, 0)
    distance = np.abs((total & (half | (half - 1))) - half)
    result: NDArray[np.bool_] = (shifts > 0) & (distance <= 2 * within * half)
    return result

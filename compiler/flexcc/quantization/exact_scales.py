# SPDX-License-Identifier: Apache-2.0
"""Scales with which float32 does not round: on a grid, or with few significant bits."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["few_bits", "odd_factor", "on_grid"]

# Smaller multiples lie so far apart that precision would lose more than equality is worth.
_LEAST = 16
# Floats around a solution that are tried, for products and quotients are rounded.
_NEIGHBOURS = (0, 1, -1, 2, -2)

Floats = NDArray[np.float32]


def on_grid(
    scale: Floats,
    factor: float,
    divisor: float,
    *,
    bits: int,
    farthest: float | NDArray[np.float64] = 1.0 / 8,
) -> Floats:
    """The scales, each the next for which float32((factor * scale) / divisor) is k * 2^-bits.

    ONNX Runtime computes ratios so. They grow by the part `farthest` at the most; those that find
    no such number, and those of ratios below 2^(4-bits) or beyond 1, stay as they are.
    """
    result = scale.copy()
    sx, sy = np.float32(factor), np.float32(divisor)
    with np.errstate(over="ignore", under="ignore"):
        plain = np.ldexp(_ratio(scale, sx, sy).astype(np.float64), bits)
        least, most = np.ceil(plain), plain * (1 + farthest)
        open_ = (least >= _LEAST) & (least <= most) & (least < 1 << 2 * bits)
        step = 0
        while open_.any():
            wanted = least + step
            exact = np.ldexp(wanted, -bits)
            near = (exact * np.float64(sy) / np.float64(sx)).astype(np.float32)
            for offset in _NEIGHBOURS:
                candidate = _neighbour(near, offset)
                hit = open_ & (_ratio(candidate, sx, sy) == exact)
                result[hit] = candidate[hit]
                open_ &= ~hit
            step += 1
            open_ &= least + step <= most
    return result


def few_bits(scale: Floats, bits: int | NDArray[np.int64]) -> Floats:
    """The scales, each the next with that many significant bits; one too large for it stays."""
    fraction, exponent = np.frexp(scale.astype(np.float64))
    whole = np.ceil(np.ldexp(fraction, bits))
    with np.errstate(over="ignore"):
        larger = np.ldexp(whole, exponent - bits).astype(np.float32)
    result: Floats = np.where(np.isfinite(larger), larger, scale)
    return result


def odd_factor(scale: float) -> int:
    """The odd number that a float32 is, but for a power of two; 1 for zero."""
    significand = int(np.ldexp(np.frexp(np.float32(scale))[0], 24))
    return significand // (significand & -significand) if significand else 1


def _ratio(scale: Floats, sx: np.float32, sy: np.float32) -> Floats:
    """As ONNX Runtime computes it."""
    ratio: Floats = (sx * scale) / sy
    return ratio


def _neighbour(values: Floats, offset: int) -> Floats:
    """Positive floats that many places up."""
    return (values.view(np.int32) + np.int32(offset)).view(np.float32)

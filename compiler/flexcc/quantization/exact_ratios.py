# SPDX-License-Identifier: Apache-2.0
"""Weight scales with which ONNX Runtime requantises as exactly as the accelerator does.

ONNX Runtime multiplies an accumulator by float32((sx * sw) / sy) in float32. Where that rounds the
product to a tie that it is not, the output is a step off, and further layers make more of it. With
a ratio that is a multiple of 2^-16, products below 256 have 24 bits at most, which float32 holds;
those above saturate. So scales grow a little, up to the next such ratio.
"""

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.layers import Convolution, ConvTranspose2d
from flexcc.ir.types import Quantization

__all__ = ["exact_ratios"]

_BITS = 16
# Smaller multiples lie so far apart that weights would lose more than equality is worth.
_LEAST = 16
# Ratios are tried up to this part above the wanted one, with scales this many floats around.
_FARTHEST = 1.0 / 16
_NEIGHBOURS = (0, 1, -1, 2, -2)

Floats = NDArray[np.float32]


def exact_ratios(
    conv: Convolution, scale: Floats, source: Quantization, target: Quantization
) -> Floats:
    """The scales per output channel, each up to a sixteenth larger where that makes it exact.

    A channel of one weight, or of equal weights, keeps its scale: there the weights are exact. So
    do layers that ONNX Runtime computes in float32 altogether: transposed ones, those of two
    slopes, those of 16 bits.
    """
    in_float = isinstance(conv, ConvTranspose2d) or conv.slope is not None
    if in_float or (source.bits, target.bits) != (8, 8):
        return scale
    sizes = np.abs(conv.weight)
    several = np.count_nonzero(sizes, axis=(1, 2, 3)) > 1
    several &= (sizes != sizes.max(axis=(1, 2, 3), keepdims=True)).any(axis=(1, 2, 3))
    result = scale.copy()
    sx, sy = np.float32(source.scale), np.float32(target.scale)
    with np.errstate(over="ignore", under="ignore"):
        least = np.ceil(np.ldexp(_ratio(scale, sx, sy).astype(np.float64), _BITS))
        most = least * (1 + _FARTHEST)
        open_ = several & (least >= _LEAST) & np.isfinite(most) & (least < 1 << _BITS)
        step = 0
        while open_.any():
            wanted = least + step
            exact = np.ldexp(wanted, -_BITS)
            near = (exact * np.float64(sy) / np.float64(sx)).astype(np.float32)
            for offset in _NEIGHBOURS:
                candidate = _neighbour(near, offset)
                hit = open_ & (_ratio(candidate, sx, sy) == exact)
                result[hit] = candidate[hit]
                open_ &= ~hit
            step += 1
            open_ &= least + step <= most
    return result


def _ratio(scale: Floats, sx: np.float32, sy: np.float32) -> Floats:
    """As ONNX Runtime computes it."""
    ratio: Floats = (sx * scale) / sy
    return ratio


def _neighbour(values: Floats, offset: int) -> Floats:
    """Positive floats that many places up."""
    return (values.view(np.int32) + np.int32(offset)).view(np.float32)

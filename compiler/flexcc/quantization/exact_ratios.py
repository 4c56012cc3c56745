# SPDX-License-Identifier: Apache-2.0
"""Weight scales and slopes with which ONNX Runtime computes as exactly as the accelerator does.

Where it has integer kernels it multiplies an accumulator by float32((sx * sw) / sy) in float32.
Where that rounds the product to a tie that it is not, the output is a step off, and further layers
make more of it. With a ratio that is a multiple of 2^-16, products below 256 have 24 bits at most,
which float32 holds; those above saturate.

Where it has none it sums products of real numbers in float32. With the binary scales that tensors
have there (`exact_tensors`), the sums are exact while scales of weights have few bits.
"""

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.kernels import is_float
from flexcc.ir.layers import Convolution, ConvTranspose2d
from flexcc.ir.types import Quantization
from flexcc.quantization.exact_scales import few_bits, odd_factor, on_grid

__all__ = ["exact_ratios", "exact_slope"]

_BITS = 16
# How far scales grow for it, in parts: where no weight needs it, half a step of 8 bits is enough.
_FARTHEST, _FARTHEST_OF_EQUALS = 1.0 / 8, 2.0**-9
# Significant bits where sums are made in float32: accumulators reach some 20 bits, those of equal
# weights fewer, those of 16 bits seldom more, for ranges follow their outliers.
_FEW, _FEW_OF_WIDE, _FEW_BY_ODD, _FEW_OF_EQUALS = 4, 5, 3, 8
# Where the scale of the output is no power of two, theirs have its odd factor, so that ratios have
# few bits, too; a scale of a larger one was not chosen for this.
_ODD_MAX = 1 << 4
_SLOPE_BITS = 8

Floats = NDArray[np.float32]


def exact_ratios(
    conv: Convolution, scale: Floats, source: Quantization, target: Quantization
) -> Floats:
    """The scales per output channel, a little larger where that makes it exact.

    A channel of one weight, or of equal weights, is quantised without loss: its scale grows by next
    to nothing.
    """
    sizes = np.abs(conv.weight)
    several = np.count_nonzero(sizes, axis=(1, 2, 3)) > 1
    several &= (sizes != sizes.max(axis=(1, 2, 3), keepdims=True)).any(axis=(1, 2, 3))
    if is_float(conv, source.bits, target.bits):
        # Groups of a transposed layer share their scales.
        several |= isinstance(conv, ConvTranspose2d)
        factor = odd_factor(target.scale)
        odd = factor if factor < _ODD_MAX else 1
        few = _FEW if source.bits == target.bits == 8 else _FEW_OF_WIDE
        bits = np.where(several, few if odd == 1 else _FEW_BY_ODD, _FEW_OF_EQUALS)
        return few_bits(scale / np.float32(odd), bits) * np.float32(odd)
    farthest = np.where(several, _FARTHEST, _FARTHEST_OF_EQUALS)
    return on_grid(scale, source.scale, target.scale, bits=_BITS, farthest=farthest)


def exact_slope(slope: Floats) -> Floats:
    """The slopes to the nearest number of few bits, so that products with them are exact, too."""
    fraction, exponent = np.frexp(slope.astype(np.float64))
    whole = np.rint(np.ldexp(fraction, _SLOPE_BITS))
    result: Floats = np.ldexp(whole, exponent - _SLOPE_BITS).astype(np.float32)
    return result

# SPDX-License-Identifier: Apache-2.0
"""The numbers contract of normalisation over neighbouring channels.

    y = clamp(round_half_even(x * multiplier(s) / 2^shift(s)) + zero_point, low, high)

x is the centred input (integer less zero point) and s the exact sum of such squares. Multiplier and
shift are sx/sy * (bias + alpha/size * sx^2 * s)^-beta to 24 bits: the only rounding of the output.
"""

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.fixed_point import MULTIPLIER_BITS, fixed_points
from flexcc.ir.layers import LocalNorm
from flexcc.ir.types import Quantization

__all__ = ["norm_factors", "norm_scaling"]

IntArray = NDArray[np.int64]
Real = NDArray[np.float64]


def norm_factors(layer: LocalNorm, sums: Real) -> Real:
    """What inputs are multiplied by, for the sums of squares around them; infinite if too large."""
    with np.errstate(over="ignore"):
        result: Real = (layer.bias + layer.alpha / layer.size * sums) ** -layer.beta
    return result


def norm_scaling(
    layer: LocalNorm, source: Quantization, target: Quantization, sums: IntArray
) -> tuple[IntArray, IntArray]:
    """Multipliers and shifts for the sums of squares of centred inputs.

    Raises:
        InputError: a step of the input is 2^24 steps of the output or more.
    """
    factors = norm_factors(layer, np.float64(source.scale) ** 2 * sums)
    ratios = source.scale / target.scale * factors
    largest = float(ratios.max(initial=0))
    if not largest < 1 << MULTIPLIER_BITS:
        raise InputError(
            f"{layer.name}: one step of its input is {largest:.3g} steps of its output, 2^24 or "
            "more; the scales of its input and output do not belong together, quantise again"
        )
    return fixed_points(ratios)

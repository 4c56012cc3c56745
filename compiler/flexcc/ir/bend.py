# SPDX-License-Identifier: Apache-2.0
"""Where a two-slope requantisation bends, as the hardware asks it: before it multiplies.

The contract decides by the sign of acc * M + B. M is never negative, so that sign changes once:
accumulators up to some last one are below zero, all others are not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.requantize import Requantization

__all__ = ["Bend", "bend_of"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bend:
    """Per channel: the clamped accumulators up to `last` take multiplier, shift and bias of here.

    All are int64 and `last` fits the clamp.
    """

    last: IntArray
    multiplier: IntArray
    shift: IntArray
    bias: IntArray


def bend_of(rq: Requantization) -> Bend:
    """The bend of the hardware's own requantisation.

    Where no clamped accumulator lies below it, or `rq` has one slope only, both sides are the same.
    """
    limit = 1 << (rq.widths.clamp - 1)
    below = rq if rq.negative is None else rq.negative
    # With M > 0, acc * M + B < 0 when acc <= (-B - 1) / M; with M = 0 the bias decides for all.
    divisor = np.maximum(rq.multiplier, 1)
    last = np.where(rq.multiplier > 0, (-rq.bias - 1) // divisor, _for_all(rq.bias < 0, limit))
    never = last < -limit
    return Bend(
        last=np.clip(last, -limit, limit - 1),
        multiplier=np.where(never, rq.multiplier, below.multiplier),
        shift=np.where(never, rq.shift, below.shift),
        bias=np.where(never, rq.bias, below.bias),
    )


def _for_all(below: NDArray[np.bool_], limit: int) -> IntArray:
    """The last accumulator below zero where all of them are, or none."""
    return np.where(below, limit - 1, -limit - 1).astype(np.int64)

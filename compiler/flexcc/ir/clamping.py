# SPDX-License-Identifier: Apache-2.0
"""Proofs that the clamp of the hardware's accumulators changes no output."""

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.accumulator import accumulator_bits, accumulator_bounds, reach
from flexcc.ir.kernel import Elements
from flexcc.ir.layers import Convolution
from flexcc.ir.requantize import Requantization, numerator, requantize

__all__ = ["clamp_is_lossless", "require_lossless_clamp"]

IntArray = NDArray[np.int64]


def clamp_is_lossless(
    conv: Convolution,
    rq: Requantization,
    offset: int | IntArray = 0,
    *,
    elements: Elements | None = None,
) -> NDArray[np.bool_]:
    """Per channel, whether clamping the hardware's accumulator changes no output.

    That accumulator is the plain sum over the kernel `elements` (all when None) plus `offset`, and
    `rq` is its own requantisation. It never falls as the accumulator rises, or never rises where
    a slope is negative, so it is constant beyond the clamp when its two ends there agree and lie on
    one side of the bend.
    """
    limit = 1 << (rq.widths.clamp - 1)
    ends = np.stack(_ends(conv, rq, elements))
    ends += np.asarray(offset, dtype=np.int64)
    clamped = np.clip(ends, -limit, limit - 1)
    equal = requantize(ends, rq, 1) == requantize(clamped, rq, 1)
    if rq.negative is not None:
        equal &= (numerator(ends, rq, 1) < 0) == (numerator(clamped, rq, 1) < 0)
    result: NDArray[np.bool_] = equal.all(axis=0)
    return result


def require_lossless_clamp(
    conv: Convolution,
    rq: Requantization,
    offset: int | IntArray = 0,
    *,
    elements: Elements | None = None,
) -> None:
    """Proves that the hardware's clamp changes no output that sums over the kernel `elements`.

    The arguments are those of `clamp_is_lossless`.

    Raises:
        InputError: the clamp shows in some channel, or the sum with the offset is too wide.
    """
    low, high = _ends(conv, rq, elements)
    bits = accumulator_bits(rq.source_bits)
    limit = 1 << (bits - 1)
    beyond = (low + offset < -limit) | (high + offset >= limit)
    if beyond.any():
        raise InputError(
            f"{conv.name}: {reach(low, high, beyond)}, with its packing offset beyond "
            f"{bits} bits; split the layer over its input channels"
        )
    lossy = ~clamp_is_lossless(conv, rq, offset, elements=elements)
    if lossy.any():
        raise InputError(
            f"{conv.name}: {reach(low, high, lossy)}, and clamping it to {rq.widths.clamp} bits "
            "would change outputs; quantise the layer with a larger weight scale"
        )


def _ends(
    conv: Convolution, rq: Requantization, elements: Elements | None
) -> tuple[IntArray, IntArray]:
    """The smallest and the largest accumulator, without offset."""
    half = 1 << (rq.source_bits - 1)
    bits = accumulator_bits(rq.source_bits)
    return accumulator_bounds(conv, -half, half - 1, elements=elements, bits=bits)

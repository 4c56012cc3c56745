# SPDX-License-Identifier: Apache-2.0
"""What accumulators of convolutions can reach, from the weights alone."""

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.kernel import Elements, kernel_phases, phase_weights
from flexcc.ir.layers import Convolution
from flexcc.ir.types import Quantization
from flexcc.ir.widths import WIDE

__all__ = [
    "accumulator_bits",
    "accumulator_bounds",
    "reach",
    "require_accumulators_fit",
    "sum_bounds",
]

IntArray = NDArray[np.int64]


def accumulator_bits(source_bits: int) -> int:
    """The width, signed, of an accumulator over inputs of so many bits: 32 or 38."""
    return 32 if source_bits == 8 else WIDE.clamp


def accumulator_bounds(
    conv: Convolution,
    low: int = -128,
    high: int = 127,
    *,
    elements: Elements | None = None,
    bits: int = 32,
) -> tuple[IntArray, IntArray]:
    """Smallest and largest accumulator of each channel when inputs lie in low..high.

    The accumulator sums over the kernel `elements`, over all when None. Both bounds are attained
    by some input, so they are exact. Padded pixels lie within the range too.

    Raises:
        InputError: a bound beyond `bits` bits signed.
    """
    bounds = sum_bounds(conv, low, high, elements)
    limit = 1 << (bits - 1)
    beyond = (bounds[0] < -limit) | (bounds[1] >= limit)
    if beyond.any():
        raise InputError(
            f"{conv.name}: {reach(*bounds, beyond)}, beyond {bits} bits; "
            "split the layer over its input channels"
        )
    return bounds


def require_accumulators_fit(conv: Convolution, source: Quantization) -> None:
    """Proves that no output of the layer overflows its accumulator.

    That of int8 inputs sums plain integers; one of int16 fits centred ones, too.

    Raises:
        InputError: an accumulator beyond `accumulator_bits`.
    """
    bits = accumulator_bits(source.bits)
    for elements in kernel_phases(conv):
        accumulator_bounds(conv, source.low, source.high, elements=elements, bits=bits)
        if source.bits != 8:
            centred = source.low - source.zero_point, source.high - source.zero_point
            accumulator_bounds(conv, *centred, elements=elements, bits=bits)


def sum_bounds(
    conv: Convolution, low: int, high: int, elements: Elements | None = None
) -> tuple[IntArray, IntArray]:
    """Smallest and largest sum of each channel, whatever carries it."""
    weight = phase_weights(conv, elements)
    positive: IntArray = np.maximum(weight, 0).sum(axis=(1, 2), dtype=np.int64)
    negative: IntArray = np.minimum(weight, 0).sum(axis=(1, 2), dtype=np.int64)
    return positive * low + negative * high, positive * high + negative * low


def reach(low: IntArray, high: IntArray, channels: NDArray[np.bool_]) -> str:
    """What the first of these channels can reach, for messages."""
    channel = int(np.flatnonzero(channels)[0])
    return f"the accumulator of channel {channel} can reach {low[channel]}..{high[channel]}"

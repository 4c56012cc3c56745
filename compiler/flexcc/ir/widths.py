# SPDX-License-Identifier: Apache-2.0
"""How many bits carry a layer's sums, by the bits of its input and output.

Narrow, int8 to int8: clamping the accumulator to 27 bits loses nothing while the ratio is 2^-18 or
more, for 2^26 steps of it are then the whole range of outputs.

Wide, with int16 on either side: the same clamp would demand 2^-10 for int16 outputs, and steps of
an int16 input are 2^8 times finer: 16 products can pass 2^26. So nothing is clamped; accumulators
of 38 bits (the hardware has 40) hold 16,384 products of the largest values, and times M, with bias
and rounding, they stay within 63. The hardware multiplies them with one multiplier more than the
narrow ones need.
"""

from dataclasses import dataclass

__all__ = ["NARROW", "WIDE", "Widths", "widths_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """Bits, signed: of what is multiplied, and of the bias that is added.

    `clamp` is that of the hardware's accumulator, `centred` that of the centred one.
    `centred_bias` belongs to the latter, which zero points and packing move to `bias`.
    """

    clamp: int
    centred: int
    bias: int
    centred_bias: int


NARROW = Widths(clamp=27, centred=33, bias=48, centred_bias=60)
WIDE = Widths(clamp=38, centred=38, bias=60, centred_bias=61)


def widths_of(source_bits: int, target_bits: int) -> Widths:
    """The widths of a layer that reads and writes integers of so many bits."""
    return NARROW if source_bits == target_bits == 8 else WIDE

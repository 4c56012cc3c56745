# SPDX-License-Identifier: Apache-2.0
"""The numbers contract of layers without weights: sums, products, means, tables.

Each rounds once, half to even, then adds the output's zero point and clamps:

    y = clamp(round_half_even(numerator / 2^shift) + zero_point, low, high)
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.affine import dequantize_array, quantize_array
from flexcc.ir.fixed_point import fixed_point, round_shift
from flexcc.ir.functions import evaluate
from flexcc.ir.layers import Add, Clamp, Layer, Mul, Table
from flexcc.ir.requantize import quantized_clamp
from flexcc.ir.types import Integers, Quantization

__all__ = [
    "Output",
    "ProductScaling",
    "Scaling",
    "SumScaling",
    "mean_scaling",
    "move_scaling",
    "output_of",
    "product_scaling",
    "rounded",
    "sum_scaling",
    "table_entries",
]

IntArray = NDArray[np.int64]
# Sums of pixels of 8 and 16 bits stay within the accumulators that convolutions have.
_SUM_BITS = {8: 32, 16: 38}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What follows the rounding: zero point and clamp, all within the output's bits."""

    zero_point: int
    low: int
    high: int
    bits: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """numerator = accumulator * multiplier, for accumulators of centred inputs."""

    multiplier: int
    shift: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SumScaling:
    """numerator = a * multipliers[0] + b * multipliers[1] + bias.

    `a` and `b` are the operands' integers. The larger multiplier has 24 bits, the smaller one is
    rounded to the same place; that of a subtrahend is negative. `bias` holds the zero points.
    """

    multipliers: tuple[int, int]
    bias: int
    shift: int

    def numerator(self, a: IntArray, b: IntArray) -> IntArray:
        """The exact sum before division by 2^shift."""
        return a * self.multipliers[0] + b * self.multipliers[1] + self.bias


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductScaling:
    """numerator = (a - zero_points[0]) * (b - zero_points[1]) * multiplier."""

    zero_points: tuple[int, int]
    multiplier: int
    shift: int


def output_of(clamp: Clamp, target: Quantization) -> Output:
    """The output end of a layer with this clamp."""
    low, high = quantized_clamp(clamp, target)
    return Output(zero_point=target.zero_point, low=low, high=high, bits=target.bits)


def rounded(numerator: IntArray, shift: int | IntArray, output: Output) -> Integers:
    """The outputs of exact numerators."""
    result = round_shift(numerator, shift) + output.zero_point
    dtype = np.int8 if output.bits == 8 else np.int16
    clamped: Integers = np.clip(result, output.low, output.high).astype(dtype)
    return clamped


def sum_scaling(layer: Add, a: Quantization, b: Quantization, target: Quantization) -> SumScaling:
    """How a sum or difference of two tensors is brought to the output's scale.

    Raises:
        InputError: a ratio of scales is 2^24 or more.
    """
    with np.errstate(over="ignore", under="ignore"):
        ratios = [float(np.float32(x.scale) / np.float32(target.scale)) for x in (a, b)]
    (first, one), (second, two) = (_fixed_point(layer, ratio) for ratio in ratios)
    shift = min(one, two)
    first, second = (
        round(Fraction(multiplier, 1 << (bits - shift)))
        for multiplier, bits in ((first, one), (second, two))
    )
    if layer.subtract:
        second = -second
    return SumScaling(
        multipliers=(first, second),
        bias=-(a.zero_point * first + b.zero_point * second),
        shift=shift,
    )


def product_scaling(
    layer: Mul, a: Quantization, b: Quantization, target: Quantization
) -> ProductScaling:
    """How a product of two tensors is brought to the output's scale.

    Raises:
        InputError: the ratio of scales is 2^24 or more.
    """
    with np.errstate(over="ignore", under="ignore"):
        ratio = np.float32(a.scale) * np.float32(b.scale) / np.float32(target.scale)
    multiplier, shift = _fixed_point(layer, float(ratio))
    return ProductScaling(
        zero_points=(a.zero_point, b.zero_point), multiplier=multiplier, shift=shift
    )


def mean_scaling(layer: Layer, source: Quantization, target: Quantization, count: int) -> Scaling:
    """How a sum of `count` centred inputs (integer less zero point) becomes their mean.

    Raises:
        InputError: the ratio of scales is 2^24 or more, or the sum does not fit.
    """
    largest = count * (source.high - source.low)
    bits = _SUM_BITS[source.bits]
    if largest >= 1 << (bits - 1):
        raise InputError(
            f"{layer.name}: a sum of {count} inputs can reach {largest}, beyond {bits} bits; split "
            "the layer"
        )
    multiplier, shift = _fixed_point(layer, source.scale / (target.scale * count))
    return Scaling(multiplier=multiplier, shift=shift)


def move_scaling(layer: Layer, source: Quantization, target: Quantization) -> Scaling:
    """How a centred input is brought to the output's scale.

    Raises:
        InputError: the ratio of scales is 2^24 or more.
    """
    return mean_scaling(layer, source, target, 1)


def table_entries(layer: Table, source: Quantization, target: Quantization) -> Integers:
    """The outputs [256] for the inputs -128..127.

    The function is evaluated once, in double precision, at the real number of each integer. Where
    it is not defined, as Sqrt below zero, it takes its value at the nearest input where it is: the
    range of a quantised tensor holds numbers that the float model never sees.

    Raises:
        InputError: the function is not defined anywhere in the input's range.
    """
    inputs = np.arange(-128, 128).astype(np.int8)
    reals = dequantize_array(inputs, source).astype(np.float64)
    values = evaluate(layer.function, reals)
    defined = np.flatnonzero(~np.isnan(values))
    if not defined.size:
        raise InputError(
            f"{layer.name}: {layer.function} is not defined between {reals[0]:.6g} and "
            f"{reals[-1]:.6g}, the range of its input; check the model and its samples"
        )
    distance = np.abs(np.arange(256)[:, None] - defined)
    values = values[defined[distance.argmin(axis=1)]]
    with np.errstate(over="ignore"):
        return quantize_array(values.astype(np.float32), target)


def _fixed_point(layer: Layer, ratio: float) -> tuple[int, int]:
    try:
        return fixed_point(ratio)
    except ValueError:
        raise InputError(
            f"{layer.name}: one step of its input is {ratio:.3g} steps of its output, 2^24 or "
            "more; the scales of its inputs and output do not belong together, quantise again"
        ) from None

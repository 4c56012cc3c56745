# SPDX-License-Identifier: Apache-2.0
"""One layer on integers, exact to the bit."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.affine import quantize_array
from flexcc.ir.arithmetic import (
    mean_scaling,
    move_scaling,
    output_of,
    product_scaling,
    rounded,
    sum_scaling,
    table_entries,
)
from flexcc.ir.layers import (
    Add,
    AveragePool2d,
    ChannelMax,
    Clamp,
    Concat,
    Convolution,
    DepthToSpace,
    Interpolate2d,
    Layer,
    LocalNorm,
    MaxPool2d,
    Mul,
    Select,
    SpaceToDepth,
    Table,
)
from flexcc.ir.normalization import norm_scaling
from flexcc.ir.requantize import requantization, requantize
from flexcc.ir.shapes import output_shape
from flexcc.ir.types import Integers, Quantization, TensorType
from flexcc.reference.convolution import accumulators
from flexcc.reference.movement import interpolated, moved
from flexcc.reference.window import channel_max, channel_sums, counts, max_pool, window_sums

__all__ = ["integer_layer", "numerators", "quantized"]


def integer_layer(
    layer: Layer,
    sources: Sequence[TensorType],
    target: TensorType,
    shape: tuple[int, int, int],
    inputs: Sequence[Integers],
) -> Integers:
    """The output [B,*shape] of a layer of an integer graph."""
    x = inputs[0]
    match layer:
        case Convolution():
            rq = requantization(layer, sources[0], target)
            result: Integers = np.empty((x.shape[0], *shape), quantized(target).dtype)
            for images, rows, acc in accumulators(layer, sources[0], shape, x):
                result[images, :, rows] = requantize(acc, rq).swapaxes(0, 1)
            return result
        case MaxPool2d():
            lowest = quantized(target)
            return max_pool(layer, shape, x, lowest.dtype(lowest.low))
        case Add() | Mul() | AveragePool2d() | Interpolate2d() | LocalNorm():
            numerator, shift = numerators(layer, sources, target, inputs)
            return rounded(numerator, shift, output_of(layer.clamp, quantized(target)))
        case ChannelMax():
            return channel_max(x)
        case Select(fill=fill):
            value = quantize_array(np.array([fill], np.float32), quantized(target))
            return moved(layer, shape, x, value[0])
        case DepthToSpace() | SpaceToDepth():
            return moved(layer, shape, x, x.dtype.type(0))
        case Concat(axis=axis):
            parts = [
                _rescaled(layer, quantized(source), quantized(target), part)
                for source, part in zip(sources, inputs, strict=True)
            ]
            return np.concatenate(parts, axis=1 + axis)
        case Table():
            entries = table_entries(layer, quantized(sources[0]), quantized(target))
            return entries[x.astype(np.intp) + 128]
    raise TypeError(f"{layer.name}: the integer reference does not run {type(layer).__name__}")


def numerators(
    layer: Add | Mul | AveragePool2d | Interpolate2d | LocalNorm,
    sources: Sequence[TensorType],
    target: TensorType,
    inputs: Sequence[Integers],
) -> tuple[NDArray[np.int64], int | NDArray[np.int64]]:
    """What is rounded, before division by 2^shift, and the shift."""
    goal, scales = quantized(target), [quantized(source) for source in sources]
    wide = [x.astype(np.int64) for x in inputs]
    match layer:
        case Add():
            sums = sum_scaling(layer, scales[0], scales[1], goal)
            return sums.numerator(wide[0], wide[1]), sums.shift
        case Mul():
            products = product_scaling(layer, scales[0], scales[1], goal)
            a, b = (x - zero for x, zero in zip(wide, products.zero_points, strict=True))
            return a * b * products.multiplier, products.shift
        case AveragePool2d():
            shape = output_shape(layer, sources, target)
            acc = window_sums(layer, shape, wide[0] - scales[0].zero_point)
            divisors = counts(layer, (sources[0].height, sources[0].width), shape)
            number, where = np.unique(divisors, return_inverse=True)
            means = [mean_scaling(layer, scales[0], goal, int(count)) for count in number]
            at = where.reshape(divisors.shape)
            multiplier = np.array([mean.multiplier for mean in means], np.int64)[at]
            return acc * multiplier, np.array([mean.shift for mean in means], np.int64)[at]
        case Interpolate2d():
            acc, divisor = interpolated(layer, wide[0] - scales[0].zero_point)
            mean = mean_scaling(layer, scales[0], goal, divisor)
            return acc * mean.multiplier, mean.shift
        case LocalNorm(size=size):
            centred = wide[0] - scales[0].zero_point
            squares = channel_sums(centred * centred, size)
            multiplier, shifts = norm_scaling(layer, scales[0], goal, squares)
            return centred * multiplier, shifts


def _rescaled(layer: Concat, source: Quantization, target: Quantization, x: Integers) -> Integers:
    """The integers of another scale."""
    if source == target:
        return x
    scaling = move_scaling(layer, source, target)
    numerator = (x.astype(np.int64) - source.zero_point) * scaling.multiplier
    return rounded(numerator, scaling.shift, output_of(Clamp(), target))


def quantized(tensor: TensorType) -> Quantization:
    """The quantisation of a tensor that must have one."""
    if tensor.quantization is None:
        raise ValueError("the tensor is not quantised")
    return tensor.quantization

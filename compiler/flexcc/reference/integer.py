# SPDX-License-Identifier: Apache-2.0
"""One layer on integers, exact to the bit."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.arithmetic import (
    output_of,
    product_scaling,
    rounded,
    sum_scaling,
    table_entries,
)
from flexcc.ir.layers import Add, Convolution, Layer, MaxPool2d, Mul, Table
from flexcc.ir.requantize import requantization, requantize
from flexcc.ir.types import Integers, Quantization, TensorType
from flexcc.reference.convolution import accumulators
from flexcc.reference.window import max_pool

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
        case Add() | Mul():
            numerator, shift = numerators(layer, sources, target, inputs)
            return rounded(numerator, shift, output_of(layer.clamp, quantized(target)))
        case Table():
            entries = table_entries(layer, quantized(sources[0]), quantized(target))
            return entries[x.astype(np.intp) + 128]
    raise TypeError(f"{layer.name}: the integer reference does not run {type(layer).__name__}")


def numerators(
    layer: Add | Mul,
    sources: Sequence[TensorType],
    target: TensorType,
    inputs: Sequence[Integers],
) -> tuple[NDArray[np.int64], int]:
    """What is rounded, before division by 2^shift, and the shift."""
    first, second = (quantized(source) for source in sources)
    a, b = (x.astype(np.int64) for x in inputs)
    match layer:
        case Add():
            sums = sum_scaling(layer, first, second, quantized(target))
            return a * sums.multipliers[0] + b * sums.multipliers[1] + sums.bias, sums.shift
        case Mul():
            products = product_scaling(layer, first, second, quantized(target))
            centred = (a - products.zero_points[0]) * (b - products.zero_points[1])
            return centred * products.multiplier, products.shift
    raise TypeError(f"{layer.name}: {type(layer).__name__} has no numerator of this kind")


def quantized(tensor: TensorType) -> Quantization:
    """The quantisation of a tensor that must have one."""
    if tensor.quantization is None:
        raise ValueError("the tensor is not quantised")
    return tensor.quantization

# SPDX-License-Identifier: Apache-2.0
"""Which outputs are rounding ties: their exact real value lies midway between two integers.

ONNX Runtime rounds some of them after adding the zero point, so they are compared apart. Where it
computes in float32, values that float32 does not tell from a tie count as ties, too.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from flexcc import reference
from flexcc.frontend.kernels import is_float
from flexcc.ir.affine import dequantize_array
from flexcc.ir.functions import evaluate
from flexcc.ir.layers import (
    Add,
    AveragePool2d,
    Concat,
    Convolution,
    Interpolate2d,
    Layer,
    LocalNorm,
    Mul,
    Table,
)
from flexcc.ir.normalization import norm_factors
from flexcc.ir.requantize import requantization
from flexcc.ir.requantize import rounding_ties as ties_of_accumulators
from flexcc.ir.types import Integers, Quantization, TensorType
from flexcc.reference.movement import interpolated
from flexcc.reference.window import channel_sums, counts, window_sums

__all__ = ["rounding_ties"]

Mask = NDArray[np.bool_]

# ONNX Runtime has no integer transposed convolution, and none at all of 16 bits. Its sums of
# float32 products are about this exact, in steps of int8 and int16: closer to a tie, either
# neighbour is right.
_FLOAT_SUM = {8: 2.0**-12, 16: 2.0**-6}

# Its fused sums and products of int8 tensors add the zero point in float32: a few operations on
# values below 256.
_FUSED = 2.0**-15

# Its powers in float32 are about this exact.
_FLOAT_POWER = {8: 2.0**-12, 16: 2.0**-4}


def rounding_ties(
    layer: Layer, sources: Sequence[TensorType], target: TensorType, inputs: Sequence[Integers]
) -> Mask:
    """The ties among the outputs [B,C,H,W] of an integer layer for these inputs."""
    match layer:
        case Convolution():
            acc = reference.accumulate(layer, sources[0], inputs[0])
            rq = requantization(layer, sources[0], target)
            bits = [_quantization(each).bits for each in (sources[0], target)]
            within = _FLOAT_SUM[bits[1]] if is_float(layer, *bits) else 0.0
            return ties_of_accumulators(acc, rq, 1, within)
        case Add() | Mul():
            a, b = (
                x.astype(np.int64) - _quantization(source).zero_point
                for x, source in zip(inputs, sources, strict=True)
            )
            return _operand_ties(layer, sources, target, np.broadcast_arrays(a, b))
        case AveragePool2d() | Interpolate2d():
            return _mean_ties(layer, sources[0], target, inputs[0])
        case LocalNorm():
            return _norm_ties(layer, _quantization(sources[0]), _quantization(target), inputs[0])
        case Concat(axis=axis):
            parts = [
                _value_ties(_quantization(source), target, x)
                for source, x in zip(sources, inputs, strict=True)
            ]
            return np.concatenate(parts, axis=1 + axis)
        case Table():
            return _table_ties(layer, _quantization(sources[0]), target, inputs[0])
    shape = (inputs[0].shape[0], target.channels, target.height, target.width)
    return np.zeros(shape, np.bool_)


def _operand_ties(
    layer: Add | Mul,
    sources: Sequence[TensorType],
    target: TensorType,
    operands: Sequence[NDArray[np.int64]],
) -> Mask:
    """Ties of sums and products of two centred operands, as far as float32 tells."""
    a, b = operands
    first, second = (_quantization(source).scale for source in sources)
    step = _quantization(target).scale
    if isinstance(layer, Add):
        value = a * (first / step) + b * ((-second if layer.subtract else second) / step)
    else:
        value = a * b * (first * second / step)
    bits = [_quantization(each).bits for each in (*sources, target)]
    within = _FLOAT_SUM[bits[2]] if max(bits) > 8 else _FUSED
    return _near_ties(np.asarray(value, np.float64), within)


def _mean_ties(
    layer: AveragePool2d | Interpolate2d, source: TensorType, target: TensorType, x: Integers
) -> Mask:
    """Ties of whole sums divided by whole numbers."""
    centred = x.astype(np.int64) - _quantization(source).zero_point
    divisor: int | NDArray[np.int64]
    if isinstance(layer, AveragePool2d):
        shape = (target.channels, target.height, target.width)
        sums = window_sums(layer, shape, centred)
        divisor = counts(layer, (source.height, source.width), shape)
    else:
        sums, divisor = interpolated(layer, centred)
    ratio = Fraction(_quantization(source).scale) / Fraction(_quantization(target).scale)
    bits = _quantization(source).bits, _quantization(target).bits
    if max(bits) > 8:
        steps = np.asarray(sums * float(ratio) / divisor, np.float64)
        return _near_ties(steps, _FLOAT_SUM[bits[1]])
    pairs = np.stack(np.broadcast_arrays(sums, divisor))
    flat, where = np.unique(pairs.reshape(2, -1), axis=1, return_inverse=True)
    exact = [_is_half(int(total) * ratio / int(count)) for total, count in flat.T]
    result: Mask = np.array(exact, np.bool_)[where.reshape(-1)].reshape(sums.shape)
    return result


def _norm_ties(layer: LocalNorm, source: Quantization, target: Quantization, x: Integers) -> Mask:
    """Ties of what ONNX Runtime normalises in float32."""
    real = dequantize_array(x, source).astype(np.float64)
    steps = real * norm_factors(layer, channel_sums(real * real, layer.size)) / target.scale
    return _near_ties(steps, _FLOAT_POWER[target.bits])


def _value_ties(source: Quantization, target: TensorType, x: Integers) -> Mask:
    """Ties of numbers that are only brought to another scale."""
    ratio = Fraction(source.scale) / Fraction(_quantization(target).scale)
    bits = source.bits, _quantization(target).bits
    if max(bits) > 8:
        steps = (x.astype(np.float64) - source.zero_point) * float(ratio)
        return _near_ties(steps, _FLOAT_SUM[bits[1]])
    values, where = np.unique(x, return_inverse=True)
    ties = [_is_half((int(q) - source.zero_point) * ratio) for q in values]
    result: Mask = np.array(ties, np.bool_)[where.reshape(x.shape)]
    return result


def _near_ties(steps: NDArray[np.float64], within: float) -> Mask:
    """Values so close to a tie that float32 does not tell the neighbours apart."""
    result: Mask = np.abs(steps - np.floor(steps) - 0.5) < within
    return result


def _is_half(value: Fraction) -> bool:
    return (2 * value).denominator == 1 and value.denominator == 2


def _table_ties(layer: Table, source: Quantization, target: TensorType, x: Integers) -> Mask:
    entries = dequantize_array(np.arange(-128, 128).astype(np.int8), source).astype(np.float64)
    steps = evaluate(layer.function, entries) / _quantization(target).scale
    # Functions are evaluated in double precision: what is this close to a tie may be one.
    ties = np.abs(steps - np.floor(steps) - 0.5) < 1e-9
    result: Mask = ties[x.astype(np.intp) + 128]
    return result


def _quantization(tensor: TensorType) -> Quantization:
    if tensor.quantization is None:
        raise ValueError("the tensor is not quantised")
    return tensor.quantization

# SPDX-License-Identifier: Apache-2.0
"""Which outputs are rounding ties: their exact real value lies midway between two integers.

ONNX Runtime rounds some of them after adding the zero point, so they are compared apart.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from flexcc import reference
from flexcc.ir.affine import dequantize_array
from flexcc.ir.functions import evaluate
from flexcc.ir.layers import Add, Convolution, ConvTranspose2d, Layer, Mul, Table
from flexcc.ir.requantize import requantization
from flexcc.ir.requantize import rounding_ties as ties_of_accumulators
from flexcc.ir.types import Integers, Quantization, TensorType

__all__ = ["rounding_ties"]

Mask = NDArray[np.bool_]

# The integer rules are at most this far from the real value, in output steps.
_NEAR = 2.0**-10

# ONNX Runtime has no integer transposed convolution, and none at all of 16 bits. Its sums of
# float32 products are about this exact, in steps of int8 and int16: closer to a tie, either
# neighbour is right.
_FLOAT_SUM = {8: 2.0**-12, 16: 2.0**-6}


def rounding_ties(
    layer: Layer, sources: Sequence[TensorType], target: TensorType, inputs: Sequence[Integers]
) -> Mask:
    """The ties among the outputs [B,C,H,W] of an integer layer for these inputs."""
    match layer:
        case Convolution():
            acc = reference.accumulate(layer, sources[0], inputs[0])
            rq = requantization(layer, sources[0], target)
            in_float = isinstance(layer, ConvTranspose2d) or layer.slope is not None
            bits = [_quantization(each).bits for each in (sources[0], target)]
            in_float |= bits != [8, 8]
            within = _FLOAT_SUM[bits[1]] if in_float else 0.0
            return ties_of_accumulators(acc, rq, 1, within)
        case Add() | Mul():
            a, b = (
                x.astype(np.int64) - _quantization(source).zero_point
                for x, source in zip(inputs, sources, strict=True)
            )
            return _operand_ties(layer, sources, target, np.broadcast_arrays(a, b))
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
    """Ties of sums and products of two centred operands."""
    a, b = operands
    first, second = (Fraction(_quantization(source).scale) for source in sources)
    step = Fraction(_quantization(target).scale)
    if isinstance(layer, Add):
        factors = first / step, (-second if layer.subtract else second) / step
        value = a * float(factors[0]) + b * float(factors[1])
    else:
        factors = first * second / step, Fraction(0)
        value = a * b * float(factors[0])
    bits = [_quantization(each).bits for each in (*sources, target)]
    distance = np.abs(value - np.floor(value) - 0.5)
    if max(bits) > 8:
        return distance < _FLOAT_SUM[bits[2]]
    near = distance < _NEAR
    result = np.zeros(near.shape, np.bool_)
    pairs, where = np.unique(np.stack([a[near], b[near]]), axis=1, return_inverse=True)
    exact = [
        _is_half(int(x) * factors[0] + int(y) * factors[1])
        if isinstance(layer, Add)
        else _is_half(int(x) * int(y) * factors[0])
        for x, y in pairs.T
    ]
    result[near] = np.array(exact, np.bool_)[where.reshape(-1)]
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

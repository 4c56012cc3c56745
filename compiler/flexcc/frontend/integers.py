# SPDX-License-Identifier: Apache-2.0
"""Operators that work on integers as they are, between QuantizeLinear and DequantizeLinear."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.conv import import_conv
from flexcc.frontend.gemm import import_matmul
from flexcc.frontend.node import Node, NodeError
from flexcc.frontend.qdq import shifted
from flexcc.frontend.values import Activation, Constant, Integers, QuantizedConstant, Value
from flexcc.ir.layers import Clamp, Clip

__all__ = [
    "MOVING_OPERATORS",
    "as_integers",
    "as_reals",
    "import_clip_of_integers",
    "import_conv_integer",
    "import_matmul_integer",
]

# Operators that choose or move values and compute none: what is true of the real numbers is true of
# their integers.
MOVING_OPERATORS = frozenset(
    {
        "DepthToSpace",
        "Expand",
        "Flatten",
        "Gather",
        "GlobalMaxPool",
        "Identity",
        "MaxPool",
        "ReduceMax",
        "Reshape",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    }
)


def as_reals(value: Integers) -> Activation:
    """The real numbers that the integers stand for."""
    return Activation(
        tensor=value.tensor, shape=value.shape, quantization=value.quantization, axes=value.axes
    )


def as_integers(
    results: Value | list[Activation], source: Integers, build: GraphBuilder
) -> list[Integers]:
    """The integers of what an operator made of `source`, whose scale they keep."""
    made = results if isinstance(results, list) else [results]
    return [_as_integers(result, source, build) for result in made]


def _as_integers(result: Value, source: Integers, build: GraphBuilder) -> Integers:
    if not isinstance(result, Activation):
        raise NodeError(
            "it works on integers; DequantizeLinear and QuantizeLinear must surround it"
        )
    build.quantize(result, source.quantization)
    return replace(source, tensor=result.tensor, shape=result.shape, axes=result.axes)


def import_clip_of_integers(node: Node, build: GraphBuilder, source: Integers) -> Integers:
    """Clip between QuantizeLinear and DequantizeLinear: fewer than 8 bits, or a narrow range."""
    node.expect_inputs(1, 3)
    shift = 128 if source.unsigned else 0
    low, high = (
        _integer(node, index) - shift if node.has_input(index) else None for index in (1, 2)
    )
    node.finish()
    if low is not None and high is not None and low > high:
        raise NodeError(f"its bounds {low + shift} and {high + shift} are no interval")
    quantization = source.quantization
    bounds = [
        None
        if step is None or step in (-128, 127)
        else quantization.scale * (step - quantization.zero_point)
        for step in (low, high)
    ]
    layer = Clip(
        name=node.label,
        inputs=(source.tensor,),
        output=node.output,
        clamp=Clamp(low=bounds[0], high=bounds[1]),
    )
    return _as_integers(build.add_elementwise(layer, as_reals(source), quantization), source, build)


def import_conv_integer(node: Node, build: GraphBuilder) -> Activation:
    """ConvInteger of a quantised tensor: its sums of products, as real numbers.

    What scales them afterwards folds into the weight scales.
    """
    return import_conv(_with_unit_products(node), build)


def import_matmul_integer(node: Node, build: GraphBuilder) -> Activation:
    """MatMulInteger of a quantised tensor: its sums of products, as real numbers."""
    return import_matmul(_with_unit_products(node, axis=1), build)


def _with_unit_products(node: Node, axis: int = 0) -> Node:
    """The node on real numbers, its weights scaled so that a product of two steps is 1."""
    node.expect_inputs(2, 4)
    source, weights = node.input(0), node.parameter(1)
    if not isinstance(source, Integers):
        raise NodeError("its input must come from QuantizeLinear, for its scale is not known")
    if isinstance(weights, QuantizedConstant):
        raise NodeError(f"its weights '{weights.name}' are no integers")
    zero_point = source.quantization.zero_point + (128 if source.unsigned else 0)
    if _zero_point(node, 2) != zero_point:
        raise NodeError(
            f"its zero point {_zero_point(node, 2)} is not that of its input, {zero_point}"
        )
    integers, zero = _weights(node, weights, axis)
    scale = np.float32(1) / np.float32(source.quantization.scale)
    if not np.isfinite(scale):
        raise NodeError(f"the scale {source.quantization.scale:.6g} of its input is too small")
    unit = QuantizedConstant(
        name=weights.name,
        integers=integers,
        scale=np.full(zero.size, scale, np.float32),
        zero_point=zero,
        axis=axis,
    )
    return node.reading(as_reals(source), unit)


def _weights(
    node: Node, weights: Constant, axis: int
) -> tuple[NDArray[np.int8] | NDArray[np.int32], NDArray[np.int64]]:
    """The weights as int8 and their zero points: one, or one per output channel."""
    if not node.has_input(3):
        return shifted(weights, np.zeros(1, weights.array.dtype))
    zero = node.parameter(3)
    array = weights.array
    if isinstance(zero, QuantizedConstant) or zero.array.dtype != array.dtype:
        raise NodeError(f"its zero point '{zero.name}' is not of the type of its weights")
    channels = array.shape[axis] if array.ndim > axis else 0
    if zero.array.size not in (1, channels):
        raise NodeError(
            f"its zero point '{zero.name}' has {zero.array.size} values for {channels} channels"
        )
    return shifted(weights, zero.array.reshape(-1))


def _zero_point(node: Node, index: int) -> int:
    return _integer(node, index) if node.has_input(index) else 0


def _integer(node: Node, index: int) -> int:
    value = node.parameter(index)
    if (
        not isinstance(value, Constant)
        or value.array.size != 1
        or value.array.dtype not in (np.int8, np.uint8)
    ):
        raise NodeError(f"its input '{value.name}' is not one int8 or uint8 number")
    return int(value.array.reshape(()))

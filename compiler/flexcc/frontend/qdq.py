# SPDX-License-Identifier: Apache-2.0
"""Handlers of QuantizeLinear and DequantizeLinear: where integers begin and end.

uint8 becomes int8 by subtracting 128 from integers and zero point alike.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexcc.frontend.builder import GraphBuilder
from flexcc.frontend.node import Node, NodeError, finite
from flexcc.frontend.values import Activation, Constant, Integers, QuantizedConstant
from flexcc.ir.layers import Clamp, Clip
from flexcc.ir.types import Quantization

__all__ = ["import_dequantize", "import_quantize", "shifted"]


def import_quantize(node: Node, build: GraphBuilder) -> Integers:
    """QuantizeLinear of a tensor to 8 or 16 bits, signed or not, with one scale."""
    node.expect_inputs(2, 3)
    source = node.view()
    quantization = _quantization(node, default=np.zeros((), np.uint8))
    node.take_int("axis", 1)  # of several scales, which are refused
    node.take_int("saturate", 1)  # of float8 only
    _refuse_exotic(node)
    if node.take_int("precision", 0) not in (0, 1):
        raise NodeError("only precision FLOAT is supported")
    node.finish()
    source = _rounded(node, build, source, quantization)
    unsigned = not node.has_input(2) or _array(node, 2).dtype.kind == "u"
    return Integers(
        tensor=source.tensor,
        shape=source.shape,
        quantization=quantization,
        unsigned=unsigned,
        axes=source.axes,
    )


def import_dequantize(node: Node, build: GraphBuilder) -> Activation | QuantizedConstant:  # noqa: ARG001
    """DequantizeLinear of a quantised tensor, with its own scale, or of constants."""
    node.expect_inputs(2, 3)
    source = node.input(0)
    if isinstance(source, Constant):
        result: Activation | QuantizedConstant = _constant(node, source)
    elif isinstance(source, Integers):
        quantization = _quantization(node, default=np.zeros((), np.uint8))
        if quantization != source.quantization:
            raise NodeError(
                f"its scale {quantization.scale:.6g} and zero point {quantization.zero_point} are "
                f"not those of the QuantizeLinear before it ({source.quantization.scale:.6g}, "
                f"{source.quantization.zero_point})"
            )
        node.take_int("axis", 1)
        result = Activation(
            tensor=source.tensor, shape=source.shape, quantization=quantization, axes=source.axes
        )
    else:
        raise NodeError("its input is no integer tensor")
    _refuse_exotic(node)
    node.finish()
    return result


def _rounded(
    node: Node, build: GraphBuilder, source: Activation, quantization: Quantization
) -> Activation:
    """The tensor with this quantisation; one that has another already is rounded again."""
    if source.quantization not in (None, quantization):
        layer = Clip(name=node.label, inputs=(source.tensor,), output=node.output, clamp=Clamp())
        source = build.add_elementwise(layer, source, None)
    build.quantize(source, quantization)
    return source


def _refuse_exotic(node: Node) -> None:
    if node.take_int("block_size", 0):
        raise NodeError("blocked quantisation is not supported")
    if node.take_int("output_dtype", 0) not in (0, 1, 2, 3, 4, 5):
        raise NodeError("only float32 and integers of 8 and 16 bits are supported")


def _quantization(node: Node, default: NDArray[np.uint8]) -> Quantization:
    """Scale and zero point of an activation, shifted to int8 or int16."""
    scale = _scales(node)
    zero_point = _array(node, 2) if node.has_input(2) else default
    if scale.size != 1 or zero_point.size != 1:
        raise NodeError("a computed tensor must have one scale, not one per channel")
    if zero_point.dtype not in (np.int8, np.uint8, np.int16, np.uint16):
        raise NodeError(
            f"it makes {zero_point.dtype}; computed tensors must have 8 or 16 bits, signed or not"
        )
    bits = 8 * zero_point.dtype.itemsize
    shift = 1 << (bits - 1) if zero_point.dtype.kind == "u" else 0
    return Quantization(
        scale=float(scale.reshape(())), zero_point=int(zero_point.reshape(())) - shift, bits=bits
    )


def _constant(node: Node, source: Constant) -> QuantizedConstant:
    integers = source.array
    if integers.dtype not in (np.int8, np.uint8, np.int32) and not _is_narrow(integers):
        raise NodeError(
            f"it dequantises {integers.dtype}; int32 and integers of 2, 4 and 8 bits are supported"
        )
    scale = _scales(node).reshape(-1)
    zero_point = _array(node, 2) if node.has_input(2) else np.zeros(1, integers.dtype)
    if zero_point.dtype != integers.dtype or zero_point.size not in (1, scale.size):
        raise NodeError("its zero point does not belong to its input and scale")
    if _is_narrow(integers):
        source = replace(source, array=integers.astype(np.int8))
        zero_point = zero_point.astype(np.int8)
    axis = node.take_int("axis", 1)
    if scale.size > 1:
        if not -integers.ndim <= axis < integers.ndim:
            raise NodeError(f"its axis {axis} is out of range")
        axis %= integers.ndim
        if integers.shape[axis] != scale.size:
            raise NodeError(f"{scale.size} scales do not fit shape {list(integers.shape)}")
    values, zeros = shifted(source, zero_point)
    return QuantizedConstant(
        name=source.name,
        integers=values,
        scale=scale,
        zero_point=np.broadcast_to(zeros.reshape(-1), scale.shape),
        axis=axis,
    )


def shifted(
    source: Constant, zero_point: NDArray[np.generic]
) -> tuple[NDArray[np.int8] | NDArray[np.int32], NDArray[np.int64]]:
    """int8, uint8 or int32 constants and their zero point, uint8 as int8 128 lower."""
    integers, zeros = source.array, zero_point.astype(np.int64)
    if integers.dtype != np.uint8:
        return integers, zeros
    return (integers.astype(np.int16) - 128).astype(np.int8), zeros - 128


def _is_narrow(integers: NDArray[Any]) -> bool:
    """Whether integers have 2 or 4 bits, so that int8 holds them, signed or not."""
    return integers.dtype.name in ("int2", "int4", "uint2", "uint4")


def _scales(node: Node) -> NDArray[np.float32]:
    value = node.parameter(1)
    if isinstance(value, QuantizedConstant) or value.array.ndim > 1:
        raise NodeError("its scale must be a number or a vector")
    scale = finite(value.name, value.array)
    if not (scale > 0).all():
        raise NodeError(f"its scale '{value.name}' is not positive")
    return scale


def _array(node: Node, index: int) -> NDArray[np.generic]:
    value = node.parameter(index)
    if isinstance(value, QuantizedConstant):
        raise NodeError("its zero point must be an integer constant")
    return np.asarray(value.array)

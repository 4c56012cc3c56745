# SPDX-License-Identifier: Apache-2.0
"""What makes a single layer valid between its tensors."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.functions import OPERATORS, Apply, Expression, Number
from flexcc.ir.layers import (
    MOVES,
    Add,
    AveragePool2d,
    ChannelAffine,
    Clamp,
    Clip,
    Concat,
    Convolution,
    ConvTranspose2d,
    DepthToSpace,
    Interpolate2d,
    Layer,
    LocalNorm,
    MaxPool2d,
    Mul,
    PRelu,
    Rearrange,
    Select,
    SpaceToDepth,
    Table,
)
from flexcc.ir.shapes import output_shape, window_misses_input
from flexcc.ir.types import TensorType

__all__ = ["layer_problems"]


def layer_problems(
    layer: Layer, sources: Sequence[TensorType], target: TensorType
) -> Iterator[str]:
    """What is wrong with a layer between tensors of these types; nothing when it is valid."""
    problems = list(_fields(layer, sources[0], target))
    if not problems:
        try:
            shape = output_shape(layer, sources, target)
        except ValueError as error:
            problems = [str(error)]
        else:
            if shape != (target.channels, target.height, target.width):
                problems = [f"it computes the shape {shape}, but %{layer.output} has another"]
    if not problems and isinstance(layer, MaxPool2d | AveragePool2d):
        problems = list(_pool_windows(layer, sources[0]))
    yield from problems


def _fields(layer: Layer, source: TensorType, target: TensorType) -> Iterator[str]:
    if isinstance(layer, MOVES) and source.quantization != target.quantization:
        yield "its input and output do not share one quantisation"
    match layer:
        case Convolution():
            yield from _window(layer)
            yield from _conv(layer)
            if isinstance(layer, ConvTranspose2d) and min(layer.output_padding) < 0:
                yield f"its output padding {layer.output_padding} holds a negative value"
            yield from _clamp(layer.clamp)
            if (source.quantization is None) != (layer.weight_scale is None):
                yield "its input and its weights are not both quantised or both float"
        case MaxPool2d() | AveragePool2d():
            yield from _window(layer)
            if min(layer.kernel) < 1:
                yield f"its kernel {layer.kernel} is not positive"
            if isinstance(layer, AveragePool2d):
                yield from _counted(layer)
        case Interpolate2d(height=height, width=width, clamp=clamp):
            if min(height, width) < 1:
                yield f"its size {height}x{width} is not positive"
            yield from _clamp(clamp)
        case LocalNorm(clamp=clamp):
            yield from _norm(layer)
            yield from _clamp(clamp)
        case Concat(axis=axis):
            if axis not in (0, 1, 2):
                yield f"its axis {axis} is none of 0, 1 and 2"
        case Select(fill=fill):
            if not np.isfinite(fill):
                yield f"it fills with {fill}"
        case DepthToSpace(block=block) | SpaceToDepth(block=block):
            if block < 1:
                yield f"its block {block} is not positive"
        case Rearrange(index=index):
            if index.dtype != np.int64 or index.ndim != 1:
                yield f"its index is {index.dtype} of shape {index.shape}, not a list of int64"
        case Add() | Mul() | Clip():
            yield from _clamp(layer.clamp)
        case Table():
            yield from _function(layer.function)
            if any(each.quantization and each.quantization.bits != 8 for each in (source, target)):
                yield "a table has entries for int8 alone"
        case PRelu():
            yield from _vector("slope", layer.slope, np.float32)
        case ChannelAffine():
            yield from _vector("scale", layer.scale, np.float64)
            yield from _vector("offset", layer.offset, np.float64, layer.scale.size)


def _window(layer: Convolution | MaxPool2d | AveragePool2d) -> Iterator[str]:
    dilations = (1, 1) if isinstance(layer, AveragePool2d) else layer.dilations
    if min(*layer.strides, *dilations) < 1:
        yield f"strides {layer.strides} and dilations {dilations} must be positive"
    pads = layer.pads
    if min(pads.top, pads.left, pads.bottom, pads.right) < 0:
        yield f"{pads} holds a negative value"


def _counted(layer: AveragePool2d) -> Iterator[str]:
    yield from _clamp(layer.clamp)
    pads, counted = layer.pads, layer.counted
    sides = (
        (counted.top, pads.top),
        (counted.left, pads.left),
        (counted.bottom, pads.bottom),
        (counted.right, pads.right),
    )
    if not all(0 <= part <= whole for part, whole in sides):
        yield f"it counts {counted}, which is not within {pads}"


def _norm(layer: LocalNorm) -> Iterator[str]:
    if layer.size < 1 or layer.size % 2 == 0:
        yield f"its size {layer.size} is not odd and positive"
    for name, number in (("alpha", layer.alpha), ("beta", layer.beta), ("bias", layer.bias)):
        if not 0 < number < np.inf:
            yield f"its {name} {number} is not positive and finite"


def _pool_windows(layer: MaxPool2d | AveragePool2d, source: TensorType) -> Iterator[str]:
    pads = ((layer.pads.top, layer.pads.bottom), (layer.pads.left, layer.pads.right))
    counted = ((0, 0), (0, 0))
    if isinstance(layer, AveragePool2d):
        inner = layer.counted
        counted = ((inner.top, inner.bottom), (inner.left, inner.right))
    for axis, size in enumerate((source.height, source.width)):
        kernel, stride = layer.kernel[axis], layer.strides[axis]
        dilation = 1 if isinstance(layer, AveragePool2d) else layer.dilations[axis]
        before, after = counted[axis]
        outer = pads[axis][0] - before, pads[axis][1] - after
        if window_misses_input(size + before + after, kernel, stride, dilation, outer):
            yield "one of its windows covers nothing but padding"


def _conv(layer: Convolution) -> Iterator[str]:
    weight, scale = layer.weight, layer.weight_scale
    if weight.ndim != 4 or 0 in weight.shape:
        yield f"its weights have shape {weight.shape}, not [Co, Ci/groups, kh, kw]"
        return
    channels = weight.shape[0]
    if layer.slope is not None:
        yield from _vector("slope", layer.slope, np.float32, channels)
    if layer.groups < 1 or channels % layer.groups:
        yield f"{channels} output channels do not divide into {layer.groups} groups"
    dtype = np.float32 if scale is None else np.int8
    if weight.dtype != dtype:
        yield f"its weights are {weight.dtype}, not {np.dtype(dtype)}"
    elif not np.isfinite(weight).all():
        yield "a weight is not finite"
    if scale is None:
        yield from _vector("bias", layer.bias, np.float32, channels)
        return
    yield from _vector("weight scale", scale, np.float32, channels)
    if not (scale > 0).all():
        yield "a weight scale is not positive"
    exact = layer.bias.dtype == np.float64
    yield from _vector("bias", layer.bias, np.float64 if exact else np.int32, channels)


def _vector(
    what: str, values: NDArray[np.generic], dtype: type[np.generic], size: int | None = None
) -> Iterator[str]:
    if values.dtype != dtype:
        yield f"its {what} is {values.dtype}, not {np.dtype(dtype)}"
    elif values.ndim != 1 or values.size != (values.size if size is None else size):
        yield f"its {what} has shape {values.shape}, not one value per channel"
    elif not np.isfinite(values).all():
        yield f"its {what} is not finite"


def _clamp(clamp: Clamp) -> Iterator[str]:
    bounds = [bound for bound in (clamp.low, clamp.high) if bound is not None]
    if not all(np.isfinite(bound) for bound in bounds) or bounds != sorted(bounds):
        yield f"{clamp} is no interval"


def _function(function: Expression) -> Iterator[str]:
    match function:
        case Number(value=value):
            if not np.isfinite(value):
                yield f"its function holds the number {value}"
        case Apply(operator=operator, operands=operands, attributes=attributes):
            known = OPERATORS.get(operator)
            if known is None or len(operands) != known.operands:
                yield f"its function holds {operator} of {len(operands)} operands"
            elif [name for name, _ in attributes] != sorted(known.attributes):
                yield f"its function holds {operator} with the attributes {dict(attributes)}"
            elif not all(np.isfinite(value) for _, value in attributes):
                yield f"its function holds {function}"
            for operand in operands:
                yield from _function(operand)

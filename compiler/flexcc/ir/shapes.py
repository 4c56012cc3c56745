# SPDX-License-Identifier: Apache-2.0
"""Output shapes of layers."""

from collections.abc import Sequence
from math import prod

from flexcc.ir.layers import (
    Add,
    AveragePool2d,
    ChannelAffine,
    ChannelMax,
    Clip,
    Concat,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    DepthToSpace,
    Interpolate2d,
    Layer,
    LocalNorm,
    MaxPool2d,
    Mul,
    Pads,
    PRelu,
    Rearrange,
    Reshape,
    Select,
    SpaceToDepth,
    Table,
)
from flexcc.ir.types import TensorType

__all__ = ["extent", "output_shape", "transposed_extent", "window_misses_input"]

Shape = tuple[int, int, int]


def extent(size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]) -> int:
    """Number of window positions along an axis of `size` pixels; not positive if none fits."""
    return (size + pads[0] + pads[1] - (kernel - 1) * dilation - 1) // stride + 1


def transposed_extent(
    size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]
) -> int:
    """Number of outputs along an axis of a transposed convolution; not positive if none is left.

    Output padding, which adds to it, is left out.
    """
    return (size - 1) * stride + (kernel - 1) * dilation + 1 - pads[0] - pads[1]


def output_shape(layer: Layer, sources: Sequence[TensorType], target: TensorType) -> Shape:
    """Channels, height and width that `layer` makes of `sources`; a reshape obeys its `target`.

    Raises:
        ValueError: the layer cannot work on such an input; the text says why.
    """
    source = sources[0]
    match layer:
        case Conv2d(weight=weight):
            kernel = weight.shape[2], weight.shape[3]
            return _channels(layer, source), *_window(source, kernel, layer)
        case ConvTranspose2d():
            return _channels(layer, source), *_transposed(source, layer)
        case MaxPool2d(kernel=size):
            return source.channels, *_window(source, size, layer)
        case AveragePool2d(kernel=size):
            return source.channels, *_window(source, size, layer)
        case ChannelMax():
            return 1, source.height, source.width
        case Interpolate2d(height=height, width=width):
            return source.channels, height, width
        case Concat(axis=axis):
            return _concatenated([_shape(operand) for operand in sources], axis)
        case Select(channels=channels, rows=rows, columns=columns):
            _require_indices(source, layer)
            return len(channels), len(rows), len(columns)
        case DepthToSpace(block=block):
            if source.channels % block**2:
                raise ValueError(f"{source.channels} channels are no multiple of {block}x{block}")
            return source.channels // block**2, source.height * block, source.width * block
        case SpaceToDepth(block=block):
            if source.height % block or source.width % block:
                raise ValueError(
                    f"{source.height}x{source.width} pixels are no multiple of {block}x{block}"
                )
            return source.channels * block**2, source.height // block, source.width // block
        case ChannelAffine(scale=scale):
            if scale.shape != (source.channels,):
                raise ValueError(f"{scale.size} factors for {source.channels} channels")
            return _shape(source)
        case PRelu(slope=slope):
            if slope.shape != (source.channels,):
                raise ValueError(f"{slope.size} slopes for {source.channels} channels")
            return _shape(source)
        case Clip() | Table() | LocalNorm():
            return _shape(source)
        case Add() | Mul():
            return _joint(*(_shape(operand) for operand in sources))
        case Rearrange(index=index):
            if index.size != prod(_shape(target)):
                raise ValueError(f"it moves {index.size} values into {_shape(target)}")
            if index.size and not 0 <= index.min() <= index.max() < prod(_shape(source)):
                raise ValueError(f"one of its indices lies outside of {_shape(source)}")
            return _shape(target)
        case Reshape():
            if prod(_shape(source)) != prod(_shape(target)):
                raise ValueError(f"it cannot turn {_shape(source)} into {_shape(target)}")
            return _shape(target)
    raise TypeError(f"no shape rule for {type(layer).__name__}")


def window_misses_input(
    size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]
) -> bool:
    """Whether some window along an axis covers nothing but padding."""
    windows = extent(size, kernel, stride, dilation, pads)
    if windows > 0 and (windows - 1) * stride - pads[0] >= size:
        return True
    # A window that starts in the image meets it; of the others, the first tap behind its edge may.
    for start in range(-pads[0], min(-pads[0] + stride * windows, 0), stride):
        tap = -(start // dilation)
        if tap >= kernel or start + tap * dilation >= size:
            return True
    return False


def _joint(first: Shape, second: Shape) -> Shape:
    """The shape of two operands, where a size of 1 is repeated to fit the other."""
    if any(a != b and 1 not in (a, b) for a, b in zip(first, second, strict=True)):
        raise ValueError(f"its operands {first} and {second} do not fit each other")
    channels, height, width = (max(axis) for axis in zip(first, second, strict=True))
    return channels, height, width


def _concatenated(shapes: Sequence[Shape], axis: int) -> Shape:
    """The shape of operands one behind the other."""
    others = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
    if len(others) > 1:
        raise ValueError(f"its operands {list(shapes)} differ beside axis {axis}")
    first = list(shapes[0])
    first[axis] = sum(shape[axis] for shape in shapes)
    return first[0], first[1], first[2]


def _require_indices(source: TensorType, layer: Select) -> None:
    axes = zip(_shape(source), (layer.channels, layer.rows, layer.columns), strict=True)
    for size, indices in axes:
        if not indices or not -1 <= min(indices) <= max(indices) < size:
            raise ValueError(f"its indices {indices[:8]} are not all in -1..{size - 1}")


def _channels(conv: Convolution, source: TensorType) -> int:
    channels, expected = conv.weight.shape[0], conv.weight.shape[1] * conv.groups
    if source.channels != expected:
        raise ValueError(f"its weights expect {expected} channels, its input has {source.channels}")
    return int(channels)


def _transposed(source: TensorType, conv: ConvTranspose2d) -> tuple[int, int]:
    pads = ((conv.pads.top, conv.pads.bottom), (conv.pads.left, conv.pads.right))
    height, width = (
        transposed_extent(
            size,
            conv.weight.shape[2 + axis],
            conv.strides[axis],
            conv.dilations[axis],
            pads[axis],
        )
        + conv.output_padding[axis]
        for axis, size in enumerate((source.height, source.width))
    )
    if height < 1 or width < 1:
        raise ValueError(
            f"its pads leave {height}x{width} outputs of {source.height}x{source.width}"
        )
    return height, width


def _window(
    source: TensorType, kernel: tuple[int, int], layer: Conv2d | MaxPool2d | AveragePool2d
) -> tuple[int, int]:
    pads: Pads = layer.pads
    dilations = (1, 1) if isinstance(layer, AveragePool2d) else layer.dilations
    height = extent(
        source.height, kernel[0], layer.strides[0], dilations[0], (pads.top, pads.bottom)
    )
    width = extent(source.width, kernel[1], layer.strides[1], dilations[1], (pads.left, pads.right))
    if height < 1 or width < 1:
        raise ValueError(
            f"its window {kernel[0]}x{kernel[1]} with dilation "
            f"{dilations[0]}x{dilations[1]} is larger than its padded input "
            f"{source.height + pads.top + pads.bottom}x{source.width + pads.left + pads.right}"
        )
    return height, width


def _shape(tensor: TensorType) -> Shape:
    return tensor.channels, tensor.height, tensor.width

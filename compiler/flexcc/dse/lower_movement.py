# SPDX-License-Identifier: Apache-2.0
"""Layers that move numbers, as convolutions with weights of 1: the array copies what it reads.

Of each output's products one is the value times 1, with scale 1 and so multiplier 2^23 and shift
23; every other is absent, for taps of zeros cost nothing. All of it is exact in integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from flexcc.dse.lower_second import lower_second, may_be_loaded
from flexcc.ir.affine import quantize_array
from flexcc.ir.graph import Graph
from flexcc.ir.layers import (
    Conv2d,
    Convolution,
    ConvTranspose2d,
    DepthToSpace,
    Layer,
    Pads,
    Select,
    SpaceToDepth,
)
from flexcc.ir.types import TensorType

__all__ = ["lower_movement", "movement_as_convolution"]

_NONE = Pads()


def lower_movement(graph: Graph) -> Graph:
    """An equal integer graph whose movements are convolutions, as far as they can be.

    Those stay which the load of a sum's second tensor may make.
    """
    graph = lower_second(graph)
    return replace(graph, layers=tuple(_lowered(graph, layer) for layer in graph.layers))


def _lowered(graph: Graph, layer: Layer) -> Layer:
    if may_be_loaded(graph, layer):
        return layer
    moved = movement_as_convolution(layer, graph.tensors[layer.inputs[0]])
    return layer if moved is None else moved


def movement_as_convolution(layer: Layer, source: TensorType) -> Convolution | None:
    """The convolution of an integer tensor that moves as `layer` does; None if there is none.

    DepthToSpace becomes a transposed convolution, SpaceToDepth a convolution, with the block as
    stride. A selection may take any channels, or constants for them, and either take rows and
    columns in equal steps, with 0 around them, or repeat each equally often, up to the borders.
    """
    match layer:
        case DepthToSpace(block=block):
            channels = source.channels // block**2
            weight = np.zeros((channels, source.channels, block, block), np.int8)
            for i, j, c in np.ndindex(block, block, channels):
                weight[c, (i * block + j) * channels + c, i, j] = 1
            return _copying(ConvTranspose2d, layer, weight, (block, block))
        case SpaceToDepth(block=block):
            channels = source.channels
            weight = np.zeros((channels * block**2, channels, block, block), np.int8)
            for i, j, c in np.ndindex(block, block, channels):
                weight[(i * block + j) * channels + c, c, i, j] = 1
            return _copying(Conv2d, layer, weight, (block, block))
        case Select():
            return _selection(layer, source)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steps:
    """out[o] = in[o*stride + element - before], of a kernel of `size` elements."""

    stride: int
    size: int
    element: int
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repeats:
    """out[o] = in[(o + before) div factor]; `after` is what is cut off behind the last output."""

    factor: int
    before: int
    after: int


def _selection(layer: Select, source: TensorType) -> Convolution | None:
    constants = _constants(layer, source)
    steps = _steps(source.height, layer.rows), _steps(source.width, layer.columns)
    if steps[0] is not None and steps[1] is not None:
        y, x = steps[0], steps[1]
        around = max(y.before, y.after, x.before, x.after) > 0
        if around and (layer.fill != 0 or constants.any()):
            return None
        pixels = np.zeros((y.size, x.size), np.int8)
        pixels[y.element, x.element] = 1
        weight, groups = _picking(layer, source, pixels)
        pads = Pads(top=y.before, left=x.before, bottom=y.after, right=x.after)
        strides = (y.stride, x.stride)
        return _copying(Conv2d, layer, weight, strides, pads=pads, bias=constants, groups=groups)
    down, along = _repeats(source.height, layer.rows), _repeats(source.width, layer.columns)
    if down is None or along is None:
        return None
    factors = (down.factor, along.factor)
    weight, groups = _picking(layer, source, np.ones(factors, np.int8))
    cut = Pads(top=down.before, left=along.before, bottom=down.after, right=along.after)
    return _copying(
        ConvTranspose2d, layer, weight, factors, pads=cut, bias=constants, groups=groups
    )


def _picking(
    layer: Select, source: TensorType, pixels: NDArray[np.int8]
) -> tuple[NDArray[np.int8], int]:
    """Weights that take `pixels` of each wanted channel, and groups: one a channel if they stay."""
    wanted = np.array(layer.channels)
    if np.array_equal(wanted, np.arange(source.channels)):
        return np.tile(pixels, (wanted.size, 1, 1, 1)), wanted.size
    chosen = (wanted[:, None] == np.arange(source.channels)).astype(np.int8)
    return chosen[:, :, None, None] * pixels, 1


def _constants(layer: Select, source: TensorType) -> NDArray[np.int32]:
    """What is added to 0 for channels that are no input's: the fill above the zero point."""
    assert source.quantization is not None
    fill = int(quantize_array(np.array(layer.fill, np.float32), source.quantization))
    holes = np.array(layer.channels) == -1
    return np.where(holes, fill - source.quantization.zero_point, 0).astype(np.int32)


def _repeats(size: int, indices: Sequence[int]) -> _Repeats | None:
    """How often each pixel stands in a row, between borders that may cut the first and last."""
    if min(indices) < 0:
        return None
    runs = [len(tuple(run)) for _, run in groupby(indices)]
    factor = max(runs)
    before = indices[0] * factor + (factor - runs[0] if len(runs) > 1 else 0)
    if [(place + before) // factor for place in range(len(indices))] != list(indices):
        return None
    after = size * factor - before - len(indices)
    return _Repeats(factor=factor, before=before, after=after)


def _steps(size: int, indices: Sequence[int]) -> _Steps | None:
    """The kernel that picks pixels in equal steps, with -1 where they lie beyond the border."""
    inside = [place for place, index in enumerate(indices) if index >= 0]
    if not inside:
        return None
    first = inside[0]
    stride = indices[inside[1]] - indices[first] if len(inside) > 1 else 1
    if stride < 1:
        return None
    start = indices[first] - first * stride
    places = [start + number * stride for number in range(len(indices))]
    if [place if 0 <= place < size else -1 for place in places] != list(indices):
        return None
    before, after = max(0, -start), max(0, places[-1] - (size - 1))
    return _Steps(
        stride=stride,
        size=size + before + after - stride * (len(indices) - 1),
        element=start + before,
        before=before,
        after=after,
    )


def _copying(
    kind: type[Conv2d] | type[ConvTranspose2d],
    layer: Layer,
    weight: NDArray[np.int8],
    strides: tuple[int, int],
    *,
    pads: Pads = _NONE,
    bias: NDArray[np.int32] | None = None,
    groups: int = 1,
) -> Convolution:
    outputs = weight.shape[0]
    return kind(
        name=layer.name,
        inputs=layer.inputs,
        output=layer.output,
        weight=weight,
        weight_scale=np.ones(outputs, np.float32),
        bias=np.zeros(outputs, np.int32) if bias is None else bias,
        strides=strides,
        pads=pads,
        groups=groups,
    )

# SPDX-License-Identifier: Apache-2.0
"""Means and interpolations as depthwise convolutions: integer weights, one multiplier behind them.

A mean of n pixels sums them with weights of 1 and multiplies by the ratio of the scales over n. An
interpolation has its own integer weights over their common denominator. Both round once, as the
reference does, so that all of it is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.arithmetic import mean_scaling
from flexcc.ir.graph import Graph
from flexcc.ir.interpolation import LinearAxis, linear_axis
from flexcc.ir.layers import (
    AveragePool2d,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    Interpolate2d,
    Layer,
    Pads,
)
from flexcc.ir.types import TensorType
from flexcc.program.formats import PASS

__all__ = ["LONGEST_LIST", "lower_means", "mean_as_convolution"]

(_LIST_ENTRIES,) = (f for word in PASS.words for f in word if f.name == "list_entries")
LONGEST_LIST = (1 << _LIST_ENTRIES.width) - 1
"""Pixels of the largest window that a reduction list can name."""
_LARGEST_WEIGHT = 127
_NONE = Pads()


def lower_means(graph: Graph) -> Graph:
    """An equal integer graph whose means and interpolations are convolutions, where they can be.

    Raises:
        InputError: the scales of a layer's input and output do not belong together.
    """
    return replace(graph, layers=tuple(_lowered(graph, layer) for layer in graph.layers))


def _lowered(graph: Graph, layer: Layer) -> Layer:
    source, target = graph.tensors[layer.inputs[0]], graph.tensors[layer.output]
    mean = mean_as_convolution(layer, source, target)
    return layer if mean is None else mean


def mean_as_convolution(layer: Layer, source: TensorType, target: TensorType) -> Convolution | None:
    """The convolution of an 8-bit tensor that averages as `layer` does; None if there is none.

    A mean must divide by one number everywhere; of interpolations only those that take pixels in
    equal steps with the same weights everywhere, and never beyond the border, are convolutions, and
    those that spread a single pixel.
    """
    if source.quantization is None or source.quantization.bits > 8:
        return None
    match layer:
        case AveragePool2d():
            return _mean(layer, source, target)
        case Interpolate2d() if (source.height, source.width) == (1, 1):
            size = (layer.height, layer.width)
            return _averaging(
                ConvTranspose2d, layer, (source, target), np.ones(size, np.int8), strides=size
            )
        case Interpolate2d():
            return _interpolation(layer, source, target)
    return None


def _mean(pool: AveragePool2d, source: TensorType, target: TensorType) -> Convolution | None:
    counts = _counts(pool, source, target)
    if len(counts) > 1 or pool.kernel[0] * pool.kernel[1] > LONGEST_LIST:
        return None
    return _averaging(
        Conv2d,
        pool,
        (source, target),
        np.ones(pool.kernel, np.int8),
        strides=pool.strides,
        pads=pool.pads,
        divisor=counts.pop(),
    )


def _interpolation(
    layer: Interpolate2d, source: TensorType, target: TensorType
) -> Convolution | None:
    rows = _window(linear_axis(source.height, layer.height, layer.coordinates), source.height)
    cols = _window(linear_axis(source.width, layer.width, layer.coordinates), source.width)
    if rows is None or cols is None:
        return None
    weights = np.outer(rows.weights, cols.weights)
    if weights.max() > _LARGEST_WEIGHT or np.count_nonzero(weights) > LONGEST_LIST:
        return None
    return _averaging(
        Conv2d,
        layer,
        (source, target),
        weights.astype(np.int8),
        strides=(rows.stride, cols.stride),
        divisor=rows.divisor * cols.divisor,
    )


def _averaging(
    kind: type[Conv2d] | type[ConvTranspose2d],
    layer: AveragePool2d | Interpolate2d,
    ends: tuple[TensorType, TensorType],
    pixels: NDArray[np.int8],
    *,
    strides: tuple[int, int],
    pads: Pads = _NONE,
    divisor: int = 1,
) -> Convolution:
    """The convolution of weights `pixels` in each channel; `ends` are its input and output."""
    before, after = (type_.quantization for type_ in ends)
    assert before is not None
    assert after is not None
    # Only for what it refuses.
    mean_scaling(layer, before, after, divisor)
    channels = ends[0].channels
    return kind(
        name=layer.name,
        inputs=layer.inputs,
        output=layer.output,
        weight=np.tile(pixels, (channels, 1, 1, 1)),
        weight_scale=np.full(channels, 1 / divisor, np.float32),
        bias=np.zeros(channels, np.int32),
        strides=strides,
        pads=pads,
        groups=channels,
        clamp=layer.clamp,
        ratio=before.scale / (after.scale * divisor),
    )


def _counts(layer: AveragePool2d, source: TensorType, target: TensorType) -> set[int]:
    """The numbers of pixels that the windows divide by."""
    pads, inner = layer.pads, layer.counted
    sizes, outputs = (source.height, source.width), (target.height, target.width)
    counted = (inner.top, inner.bottom), (inner.left, inner.right)
    rows, cols = (
        {
            sum(
                -counted[axis][0] <= start + element < sizes[axis] + counted[axis][1]
                for element in range(layer.kernel[axis])
            )
            for start in range(-pad, outputs[axis] * layer.strides[axis] - pad, layer.strides[axis])
        }
        for axis, pad in enumerate((pads.top, pads.left))
    )
    return {row * col for row in rows for col in cols}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """out[o] = sum over k of in[o*stride + k] * weights[k] / divisor."""

    stride: int
    weights: Sequence[int]
    divisor: int


def _window(axis: LinearAxis, size: int) -> _Window | None:
    """The window that an axis is, if all its outputs read alike and so many windows fit."""
    reads = []
    for first, second, weight in zip(axis.first, axis.second, axis.weight, strict=True):
        # Of the second pixel nothing is taken where the weight is 0.
        whole = first == second or not weight
        reads.append((first, (axis.denominator,) if whole else (axis.denominator - weight, weight)))
    (start, weights), *_ = reads
    stride = reads[1][0] - start if len(reads) > 1 else 1
    alike = all(read == (start + o * stride, weights) for o, read in enumerate(reads))
    if not alike or stride < 1:
        return None
    # Pixels before the first window, and so many behind it that no further one fits.
    kernel = size - stride * (len(reads) - 1)
    behind = kernel - start - len(weights)
    return _Window(
        stride=stride,
        weights=(*[0] * start, *weights, *[0] * behind),
        divisor=axis.denominator,
    )

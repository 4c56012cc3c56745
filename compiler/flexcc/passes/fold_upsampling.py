# SPDX-License-Identifier: Apache-2.0
"""Folds resizing to the nearest pixel into the convolutions behind it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Conv2d, ConvTranspose2d, Layer, Pads, Select
from flexcc.ir.repetition import times_repeated
from flexcc.passes.base import Pass
from flexcc.passes.rewrite import with_layers, without_dead_layers

__all__ = ["FoldUpsampling"]


@dataclass(frozen=True, slots=True)
class FoldUpsampling(Pass):
    """conv2d(repeat(x)) becomes conv_transpose2d(x), which never sees the larger image.

    With every pixel repeated s times, the elements of a kernel that meet copies of one pixel are
    summed: of a 3x3 kernel behind s = 2 each of the four phases keeps 2x2 sums, 4 products for 9.
    It takes a float convolution of stride 1 whose padding is at most (kernel - 1) * dilation; no
    phase has more taps than the kernel has, so it never costs more. The resize itself goes when
    nobody else reads it. Integer convolutions stay: sums of their weights need not be int8.
    """

    name: ClassVar[str] = "fold-upsampling"

    def run(self, graph: Graph) -> Graph:
        """One look at every convolution: what comes of it is none."""
        changes: dict[str, Layer | None] = {}
        for layer in graph.layers:
            if not isinstance(layer, Conv2d):
                continue
            producer = graph.producer(layer.inputs[0])
            factors = None if producer is None else _factors(graph, producer)
            if producer is None or factors is None:
                continue
            folded = _folded(layer, producer.inputs[0], factors)
            if folded is not None:
                changes[layer.name] = folded
        return without_dead_layers(with_layers(graph, changes)) if changes else graph


def _factors(graph: Graph, layer: Layer) -> tuple[int, int] | None:
    """How often a layer repeats each row and each column, if it does that and nothing else."""
    if not isinstance(layer, Select):
        return None
    source = graph.tensors[layer.inputs[0]]
    rows = times_repeated(layer.rows, source.height)
    columns = times_repeated(layer.columns, source.width)
    if layer.channels != tuple(range(source.channels)) or not rows or not columns:
        return None
    return None if (rows, columns) == (1, 1) else (rows, columns)


def _folded(conv: Conv2d, source: str, factors: tuple[int, int]) -> ConvTranspose2d | None:
    """The transposed convolution of the image before it was repeated; None where there is none."""
    if conv.weight_scale is not None or conv.strides != (1, 1):
        return None
    kernel = conv.weight.shape[2:]
    # The padding that remains on each side; a transposed convolution cannot add any.
    y, x = ((size - 1) * step for size, step in zip(kernel, conv.dilations, strict=True))
    pads = Pads(
        top=y - conv.pads.top,
        left=x - conv.pads.left,
        bottom=y - conv.pads.bottom,
        right=x - conv.pads.right,
    )
    if min(pads.top, pads.left, pads.bottom, pads.right) < 0:
        return None
    weight = conv.weight.astype(np.float64)
    dilations = list(conv.dilations)
    for axis, factor in enumerate(factors):
        weight = np.flip(weight, 2 + axis)
        if factor > 1:
            weight = _summed(weight, 2 + axis, factor, dilations[axis])
            dilations[axis] = 1
    return ConvTranspose2d(
        name=conv.name,
        inputs=(source,),
        output=conv.output,
        weight=weight.astype(np.float32),
        bias=conv.bias,
        strides=factors,
        pads=pads,
        dilations=(dilations[0], dilations[1]),
        groups=conv.groups,
        slope=conv.slope,
        clamp=conv.clamp,
    )


def _summed(
    weight: NDArray[np.float64], axis: int, factor: int, dilation: int
) -> NDArray[np.float64]:
    """The kernel, spread by its dilation, in which each element counts for `factor` places."""
    size = weight.shape[axis]
    shape = list(weight.shape)
    shape[axis] = (size - 1) * dilation + factor
    result = np.zeros(shape)
    view, elements = np.moveaxis(result, axis, 0), np.moveaxis(weight, axis, 0)
    for index in range(size):
        view[index * dilation : index * dilation + factor] += elements[index]
    return result

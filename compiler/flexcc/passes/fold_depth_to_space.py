# SPDX-License-Identifier: Apache-2.0
"""Folds DepthToSpace into the convolution that feeds it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Conv2d, ConvTranspose2d, DepthToSpace, Layer, Pads
from flexcc.passes.base import Pass
from flexcc.passes.rewrite import only_user, with_layers

__all__ = ["FoldDepthToSpace"]


@dataclass(frozen=True, slots=True)
class FoldDepthToSpace(Pass):
    """depth_to_space(conv2d(x)) becomes conv_transpose2d(x): its phases are what were channels.

    The kernel holds the weights of b*b channels side by side, so products and sums stay the same,
    in integers too, and no layer is left that only moves numbers. The convolution has one group and
    stride 1, pads at most (kernel - 1) * dilation, and nobody else reads it. A transposed
    convolution has one bias, slope and scale for all phases of a channel: those of the b*b channels
    must be equal, else both layers stay.
    """

    name: ClassVar[str] = "fold-depth-to-space"

    def run(self, graph: Graph) -> Graph:
        """One look at every DepthToSpace: what comes of it is none."""
        changes: dict[str, Layer | None] = {}
        for layer in graph.layers:
            if not isinstance(layer, DepthToSpace):
                continue
            conv = graph.producer(layer.inputs[0])
            if not isinstance(conv, Conv2d) or only_user(graph, conv.output) is not layer:
                continue
            if graph.tensors[conv.output].quantization != graph.tensors[layer.output].quantization:
                continue
            folded = _folded(conv, layer)
            if folded is not None:
                changes |= {conv.name: None, layer.name: folded}
        return with_layers(graph, changes) if changes else graph


def _folded(conv: Conv2d, layer: DepthToSpace) -> ConvTranspose2d | None:
    """The transposed convolution that does both; None where there is none."""
    block = layer.block
    if conv.strides != (1, 1) or conv.groups != 1 or not _same_for_phases(conv, block):
        return None
    channels = conv.weight.shape[0] // block**2
    kernel = conv.weight.shape[2:]
    y, x = ((size - 1) * step for size, step in zip(kernel, conv.dilations, strict=True))
    pads = Pads(
        top=(y - conv.pads.top) * block,
        left=(x - conv.pads.left) * block,
        bottom=(y - conv.pads.bottom) * block,
        right=(x - conv.pads.right) * block,
    )
    if min(pads.top, pads.left, pads.bottom, pads.right) < 0:
        return None
    return ConvTranspose2d(
        name=conv.name,
        inputs=conv.inputs,
        output=layer.output,
        weight=_banded(conv.weight, block, conv.dilations),
        weight_scale=None if conv.weight_scale is None else conv.weight_scale[:channels],
        bias=conv.bias[:channels],
        strides=(block, block),
        pads=pads,
        slope=None if conv.slope is None else conv.slope[:channels],
        clamp=conv.clamp,
    )


def _same_for_phases(conv: Conv2d, block: int) -> bool:
    """Whether the b*b channels that become one have one bias, slope and scale."""
    vectors = [conv.bias, conv.slope, conv.weight_scale]
    split = [vector.reshape(block**2, -1) for vector in vectors if vector is not None]
    return all((vector == vector[0]).all() for vector in split)


def _banded(weight: NDArray[Any], block: int, dilations: tuple[int, int]) -> NDArray[Any]:
    """[b*b*C, Ci, kh, kw] as [C, Ci, ...]: element (i, j) of phase (i, j), the kernel turned.

    Behind every b*b elements of one kernel element lie the zeros of its dilation.
    """
    outputs, inputs, height, width = weight.shape
    turned = weight[:, :, ::-1, ::-1].reshape(block, block, -1, inputs, height, width)
    rows, columns = (
        (size - 1) * step * block + block
        for size, step in zip((height, width), dilations, strict=True)
    )
    result = np.zeros((outputs // block**2, inputs, rows, columns), weight.dtype)
    for i in range(block):
        for j in range(block):
            step = dilations[0] * block, dilations[1] * block
            result[:, :, i :: step[0], j :: step[1]] = turned[i, j]
    return result

# SPDX-License-Identifier: Apache-2.0
"""Scales and zero points: of tensors from their ranges, of weights from their values."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import MOVES, Concat, Convolution, ConvTranspose2d
from flexcc.ir.types import Quantization
from flexcc.quantization.ranges import Range

__all__ = ["affine", "shared_tensors", "tensor_scales", "weight_scale"]

_WEIGHT_LARGEST = 127


def tensor_scales(
    graph: Graph, ranges: Mapping[str, Range], bits: Mapping[str, int]
) -> dict[str, Quantization]:
    """The quantisation of every tensor; tensors that must share theirs cover all their ranges.

    `bits` are 8 or 16 by tensor, the same for tensors that share.
    """
    result = {}
    for tensors in shared_tensors(graph):
        first, *others = (ranges[tensor] for tensor in tensors)
        for other in others:
            first |= other
        result.update(dict.fromkeys(tensors, affine(first, bits[tensors[0]])))
    return result


def shared_tensors(graph: Graph) -> list[tuple[str, ...]]:
    """All tensors, those together that must have one quantisation."""
    groups = {tensor: [tensor] for tensor in graph.tensors}
    for layer in graph.layers:
        if not isinstance(layer, (*MOVES, Concat)):
            continue
        for source in layer.inputs:
            first, second = groups[source], groups[layer.output]
            if first is not second:
                first.extend(second)
                groups.update(dict.fromkeys(second, first))
    return [tuple(group) for tensor, group in groups.items() if group[0] == tensor]


def affine(range_: Range, bits: int) -> Quantization:
    """Integers over the whole range, with a zero point; a range of nothing gets the scale 1."""
    scale = np.float32((range_.high - range_.low) / ((1 << bits) - 1))
    none = Quantization(scale=1.0, zero_point=0, bits=bits)
    if not scale >= np.finfo(np.float32).tiny:
        return none
    zero_point = round(none.low - range_.low / float(scale))
    clamped = min(max(zero_point, none.low), none.high)
    return Quantization(scale=float(scale), zero_point=clamped, bits=bits)


def weight_scale(conv: Convolution) -> NDArray[np.float32]:
    """Symmetric scales, one per output channel; weights next to nothing round to zero.

    The largest weight becomes 127, or 1 where all are equal but for their signs and there is no
    bias: so means over channels stay exact when they divide by a power of two. Groups of a
    transposed layer share their scales, and one's 1 would be another's 127.
    """
    sizes = np.abs(conv.weight.astype(np.float64))
    largest = sizes.max(axis=(1, 2, 3))
    even = (sizes == largest[:, None, None, None]).all(axis=(1, 2, 3)) & (conv.bias == 0)
    even &= not isinstance(conv, ConvTranspose2d)
    scale = (largest / np.where(even, 1, _WEIGHT_LARGEST)).astype(np.float32)
    result: NDArray[np.float32] = np.maximum(scale, np.finfo(np.float32).tiny)
    return result

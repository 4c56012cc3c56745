# SPDX-License-Identifier: Apache-2.0
"""Scales and zero points: of tensors from their ranges, of weights from their values.

Tensors get those with which ONNX Runtime finds the integers that the accelerator finds: see
`exact_tensors` for the scales. Even zero points do the rest, for rounding half to even then gives
the same before and after one is added.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import MOVES, Concat, Convolution, ConvTranspose2d
from flexcc.ir.types import Quantization
from flexcc.quantization.exact_scales import few_bits
from flexcc.quantization.exact_tensors import exact_operands, scale_bits
from flexcc.quantization.ranges import Range

__all__ = ["affine", "shared_tensors", "tensor_scales", "weight_scale"]

_WEIGHT_LARGEST = 127
# Of the 2^16 integers of a wide tensor a range takes these many steps at the most: float32 has 24
# bits for sums of products with 8-bit weights.
_WIDE_STEPS = 1 << 12


def tensor_scales(
    graph: Graph, ranges: Mapping[str, Range], bits: Mapping[str, int]
) -> dict[str, Quantization]:
    """The quantisation of every tensor; tensors that must share theirs cover all their ranges.

    `bits` are 8 or 16 by tensor, the same for tensors that share.
    """
    groups = shared_tensors(graph)
    few = scale_bits(graph, groups, bits)
    result = {}
    for tensors in groups:
        first, *others = (ranges[tensor] for tensor in tensors)
        for other in others:
            first |= other
        own = affine(first, bits[tensors[0]], significant=few.get(tensors[0]))
        result.update(dict.fromkeys(tensors, own))
    return exact_operands(graph, groups, few, result)


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


def affine(range_: Range, bits: int, *, significant: int | None = None) -> Quantization:
    """Integers over the whole range, with an even zero point; a range of nothing gets the scale 1.

    A range with numbers below zero has a step less than there are, so that an even zero point
    leaves no end further out than half a step. The scale grows until it has as many `significant`
    bits; the steps that are left over then stand at both ends. 16 bits are centred on zero.
    """
    none = Quantization(scale=1.0, zero_point=0, bits=bits)
    most = none.high - none.low
    steps = _WIDE_STEPS if bits > 8 else most - int(range_.low < 0)
    scale = np.float32((range_.high - range_.low) / steps)
    if not scale >= np.finfo(np.float32).tiny:
        return none
    # The zero point may lie half a step below this one, and half a step above the next.
    lowest = none.low - range_.low / float(scale)
    zero_point = 0 if bits > 8 else 2 * round((lowest + 0.5) / 2)
    if significant is not None:
        (scale,) = few_bits(np.array([scale]), significant)
    clamped = min(max(zero_point, none.low), none.high - 1)
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

# SPDX-License-Identifier: Apache-2.0
"""Scales of tensors with which ONNX Runtime computes as exactly as the accelerator does.

Layers that it computes in float32 multiply integers by scales, sum, and divide by the scale of the
output. With powers of two only the integers count, and of them float32 holds 24 bits; a few bits
more do no harm where 8 bits meet 16. Sums and products of tensors it computes from ratios of
scales, which float32 rounds: the scales of operands grow a little, up to ratios of few enough bits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from flexcc.frontend.kernels import is_float
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add, Convolution, Mul
from flexcc.ir.types import Quantization
from flexcc.quantization.exact_scales import on_grid

__all__ = ["exact_operands", "scale_bits"]

Group = tuple[str, ...]

# Of the scale of 8 bits that a convolution brings to 16 or makes of 16.
_BESIDE_WIDE = 4
# Ratios are multiples of 2^-13: with a sum of two products of 8 bits, and a zero point, 24 bits.
_RATIO_BITS = 13


def scale_bits(graph: Graph, groups: Sequence[Group], bits: Mapping[str, int]) -> dict[str, int]:
    """How many significant bits scales may have, by tensor; those left out may have all.

    With one bit they are powers of two. Where a sum or product has an operand of few bits its
    output gets a power of two, and so does the operand, for their ratio cannot be chosen.
    """
    group_of = _by_tensor(groups)
    binary = {tensor for tensor in graph.tensors if bits[tensor] > 8}
    beside = set[str]()
    for layer in graph.layers:
        names = (*layer.inputs, layer.output)
        if not isinstance(layer, Convolution):
            binary.update(names if any(bits[name] > 8 for name in names) else ())
        elif is_float(layer, 8, 8):
            binary.update(names)
        elif is_float(layer, bits[names[0]], bits[names[1]]):
            beside.update(names)
    binary, beside = _whole(group_of, binary), _whole(group_of, beside)
    joints = [layer for layer in graph.layers if isinstance(layer, (Add, Mul))]
    while True:
        few = binary | beside
        more = {layer.output for layer in joints if not few.isdisjoint(layer.inputs)}
        more |= {name for layer in joints for name in layer.inputs if name in beside}
        if binary.issuperset(more):
            break
        binary |= _whole(group_of, more)
    return {**dict.fromkeys(sorted(beside), _BESIDE_WIDE), **dict.fromkeys(sorted(binary), 1)}


def exact_operands(
    graph: Graph,
    groups: Sequence[Group],
    few: Mapping[str, int],
    scales: Mapping[str, Quantization],
) -> dict[str, Quantization]:
    """The quantisations, with larger scales of what is summed or multiplied where that helps.

    Those of `few` bits stay. Outputs come first, for their scales divide. An operand of several
    layers suits the last.
    """
    group_of = _by_tensor(groups)
    result = dict(scales)
    # What has been chosen for some ratio stays.
    fixed = set(few)
    for layer in reversed(graph.layers):
        if not isinstance(layer, (Add, Mul)):
            continue
        fixed.update(group_of[layer.output])
        for name, other in zip(layer.inputs, reversed(layer.inputs), strict=True):
            if name in fixed or (isinstance(layer, Mul) and group_of[name] is group_of[other]):
                continue
            fixed.update(group_of[name])
            wanted = np.array([result[name].scale], np.float32)
            factor = result[other].scale if isinstance(layer, Mul) else 1.0
            (scale,) = on_grid(wanted, factor, result[layer.output].scale, bits=_RATIO_BITS)
            own = replace(result[name], scale=float(scale))
            result.update(dict.fromkeys(group_of[name], own))
    return result


def _by_tensor(groups: Sequence[Group]) -> dict[str, Group]:
    return {tensor: group for group in groups for tensor in group}


def _whole(group_of: Mapping[str, Group], tensors: Iterable[str]) -> set[str]:
    return {each for tensor in tensors for each in group_of[tensor]}

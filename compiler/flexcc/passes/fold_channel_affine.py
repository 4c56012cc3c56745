# SPDX-License-Identifier: Apache-2.0
"""Folds batch normalisation and arithmetic with constants into neighbouring convolutions."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from flexcc.errors import InputError
from flexcc.ir.graph import Graph
from flexcc.ir.layers import (
    ChannelAffine,
    Clamp,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    Layer,
    Pads,
)
from flexcc.ir.types import Quantization
from flexcc.passes.base import Pass
from flexcc.passes.rewrite import only_user, with_layers

__all__ = ["FoldChannelAffine"]


@dataclass(frozen=True, slots=True)
class FoldChannelAffine(Pass):
    """affine(conv2d(x)), affine(affine(x)) and conv2d(affine(x)) each become one layer.

    Backward into a float convolution, transposed or not, with no slope or clamp, whose only user
    it is; forward into all users if they are float convolutions, when there is no offset or each of
    their outputs sums over the whole kernel: padding is zero behind the affine, but would be minus
    the offset before it, and outputs of a transposed convolution have phases and borders.
    A positive factor also goes back into the weight scales of an integer convolution whose output
    is not rounded before. Other quantised layers stay: folding would move a rounding.

    Raises:
        InputError: folding makes a weight infinite.
    """

    name: ClassVar[str] = "fold-channel-affine"

    def run(self, graph: Graph) -> Graph:
        """Folds until no affine layer can go; each fold removes one."""
        while (rewritten := _first_fold(graph)) is not None:
            graph = rewritten
        return graph


def _first_fold(graph: Graph) -> Graph | None:
    for affine in graph.layers:
        if not isinstance(affine, ChannelAffine):
            continue
        folded = _into_producer(graph, affine) or _into_users(graph, affine)
        if folded is not None:
            return folded
    return None


def _into_producer(graph: Graph, affine: ChannelAffine) -> Graph | None:
    producer = graph.producer(affine.inputs[0])
    if producer is None or only_user(graph, producer.output) is not affine:
        return None
    folded: Layer
    match producer:
        case Convolution(weight_scale=None, slope=None, clamp=clamp) if clamp == Clamp():
            folded = _after(producer, affine)
        case Convolution(slope=None, clamp=clamp) if clamp == Clamp() and (affine.scale > 0).all():
            source = graph.tensors[producer.inputs[0]].quantization
            if source is None or graph.tensors[producer.output].quantization is not None:
                return None
            folded = _rescaled(producer, affine, source)
        case ChannelAffine() if graph.tensors[producer.output].quantization is None:
            folded = replace(
                affine,
                inputs=producer.inputs,
                scale=producer.scale * affine.scale,
                offset=producer.offset * affine.scale + affine.offset,
            )
            return with_layers(graph, {producer.name: None, affine.name: folded})
        case _:
            return None
    return with_layers(graph, {producer.name: folded, affine.name: None})


def _into_users(graph: Graph, affine: ChannelAffine) -> Graph | None:
    users = graph.users(affine.output)
    if not users or graph.is_output(affine.output):
        return None
    changes: dict[str, Layer | None] = {affine.name: None}
    for user in users:
        match user:
            case Convolution(weight_scale=None) if (
                not affine.offset.any() or _sums_over_whole_kernel(user)
            ):
                changes[user.name] = _before(user, affine)
            case _:
                return None
    return with_layers(graph, changes)


def _sums_over_whole_kernel(conv: Convolution) -> bool:
    """Whether every output of the layer sums over every kernel element, none of it padding."""
    pads = conv.pads
    match conv:
        case Conv2d():
            return pads == Pads()
        case ConvTranspose2d(strides=(1, 1), dilations=dilations, output_padding=extra):
            # Pads cut off the outputs near the border, which meet fewer elements.
            partial = [
                (size - 1) * dilation
                for size, dilation in zip(conv.weight.shape[2:], dilations, strict=True)
            ]
            before, after = (pads.top, pads.left), (pads.bottom, pads.right)
            return all(
                before[axis] >= partial[axis] and after[axis] >= partial[axis] + extra[axis]
                for axis in (0, 1)
            )
    return False


def _after(conv: Convolution, affine: ChannelAffine) -> Convolution:
    weight = conv.weight.astype(np.float64) * affine.scale[:, None, None, None]
    bias = conv.bias * affine.scale + affine.offset
    return replace(
        conv,
        weight=_float32(affine, weight),
        bias=_float32(affine, bias),
        output=affine.output,
    )


def _rescaled(conv: Convolution, affine: ChannelAffine, source: Quantization) -> Convolution:
    """An integer convolution, not rounded yet, whose factors go into its weight scales."""
    assert conv.weight_scale is not None
    scale = _float32(affine, conv.weight_scale.astype(np.float64) * affine.scale)
    if not (scale > 0).all():
        raise InputError(
            f"{affine.name}: it makes a weight scale zero; its constants are too small"
        )
    steps: NDArray[np.float64] = affine.offset / (np.float64(source.scale) * scale)
    bias = conv.bias if not steps.any() else conv.bias + steps
    return replace(conv, weight_scale=scale, bias=bias, output=affine.output)


def _before(conv: Convolution, affine: ChannelAffine) -> Convolution:
    channels, per_group = conv.weight.shape[:2]
    # Input channels of each output channel: those of its group.
    index = np.arange(channels)[:, None] // (channels // conv.groups) * per_group
    index = index + np.arange(per_group)
    weight = conv.weight.astype(np.float64)
    bias = conv.bias + np.einsum("oikl,oi->o", weight, affine.offset[index])
    return replace(
        conv,
        inputs=affine.inputs,
        weight=_float32(affine, weight * affine.scale[index][:, :, None, None]),
        bias=_float32(affine, bias),
    )


def _float32(affine: ChannelAffine, values: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        result = values.astype(np.float32)
    if not np.isfinite(result).all():
        raise InputError(
            f"{affine.name}: folded into its convolution it makes a weight infinite; its constants "
            "are too large"
        )
    return result

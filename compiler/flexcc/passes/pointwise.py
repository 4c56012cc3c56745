# SPDX-License-Identifier: Apache-2.0
"""Turns arithmetic and activations that stand alone into convolutions of single pixels."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.functions import compose
from flexcc.ir.graph import Graph
from flexcc.ir.layers import ChannelAffine, Clip, Conv2d, Layer, PRelu, Table
from flexcc.ir.types import Quantization
from flexcc.passes.base import Pass
from flexcc.passes.fuse_activation import fused
from flexcc.passes.fuse_functions import function_of
from flexcc.passes.rewrite import only_user, with_layers

__all__ = ["Pointwise"]


@dataclass(frozen=True, slots=True)
class Pointwise(Pass):
    """A source layer that scales, bends or clips channel by channel becomes a layer of its own.

    In front of a table that alone reads it, and if it treats all channels alike, it joins the
    table. Otherwise it becomes a depthwise 1x1 convolution together with what follows, as far as
    one convolution can do it: scale, offset, slope, clamp. In an integer graph that needs a
    quantised input and output; others stay.
    """

    name: ClassVar[str] = "pointwise"

    def run(self, graph: Graph) -> Graph:
        """Replaces the first that can be until none is left; each removes a source layer."""
        while (rewritten := _first_rewrite(graph)) is not None:
            graph = rewritten
        return graph


def _first_rewrite(graph: Graph) -> Graph | None:
    for layer in graph.layers:
        if isinstance(layer, ChannelAffine | Clip | PRelu):
            rewritten = _into_table(graph, layer) or _convolution(graph, layer)
            if rewritten is not None:
                return rewritten
    return None


def _into_table(graph: Graph, layer: Layer) -> Graph | None:
    user, function = only_user(graph, layer.output), function_of(layer)
    if not isinstance(user, Table) or function is None:
        return None
    if graph.tensors[layer.output].quantization is not None:
        return None
    table = replace(user, inputs=layer.inputs, function=compose(user.function, function))
    return with_layers(graph, {layer.name: None, user.name: table})


def _convolution(graph: Graph, first: Layer) -> Graph | None:
    source = graph.tensors[first.inputs[0]]
    conv = _identity(first, source.channels, source.quantization)
    chain: list[Layer] = []
    following: Layer | None = first
    while following is not None and (longer := _with(conv, following, source.quantization)):
        chain.append(following)
        conv = longer
        following = None
        if graph.tensors[conv.output].quantization is None:
            following = only_user(graph, conv.output)
    target = graph.tensors[conv.output]
    if (source.quantization is None) != (target.quantization is None):
        return None
    changes: dict[str, Layer | None] = dict.fromkeys(layer.name for layer in chain)
    # The last one's place: the convolution may stand in front of nothing that reads it.
    changes[chain[-1].name] = replace(conv, name=chain[0].name)
    return with_layers(graph, changes)


def _identity(layer: Layer, channels: int, quantization: Quantization | None) -> Conv2d:
    """A convolution that does nothing, reading what `layer` reads."""
    ones = np.ones((channels, 1, 1, 1))
    integer = quantization is not None
    zeros = np.zeros((channels,))
    return Conv2d(
        name=layer.name,
        inputs=layer.inputs,
        output=layer.inputs[0],
        weight=ones.astype(np.int8) if integer else ones.astype(np.float32),
        weight_scale=np.ones(channels, np.float32) if integer else None,
        bias=zeros.astype(np.int32) if integer else zeros.astype(np.float32),
        groups=channels,
    )


def _with(conv: Conv2d, layer: Layer, quantization: Quantization | None) -> Conv2d | None:
    """The convolution with another layer behind it, if it can do that, too."""
    both: Layer | None = None
    if isinstance(layer, Clip | PRelu):
        both = fused(conv, layer)
    elif isinstance(layer, ChannelAffine) and conv.output == conv.inputs[0]:
        both = _scaled(conv, layer, quantization)
    return both if isinstance(both, Conv2d) else None


def _scaled(conv: Conv2d, affine: ChannelAffine, quantization: Quantization | None) -> Conv2d:
    if quantization is None:
        weight = affine.scale.astype(np.float32).reshape(conv.weight.shape)
        return replace(
            conv, weight=weight, bias=affine.offset.astype(np.float32), output=affine.output
        )
    scale: NDArray[np.float32] = np.abs(affine.scale).astype(np.float32)
    step = np.where(scale > 0, scale, np.float32(1))
    return replace(
        conv,
        weight=np.sign(affine.scale).astype(np.int8).reshape(conv.weight.shape),
        weight_scale=step,
        # In steps of input scale times weight scale, of which an offset is no whole number.
        bias=affine.offset / (np.float64(quantization.scale) * step.astype(np.float64)),
        output=affine.output,
    )

# SPDX-License-Identifier: Apache-2.0
"""Removes channels that no output of the network depends on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import (
    AveragePool2d,
    Concat,
    Convolution,
    Elementwise,
    Interpolate2d,
    Layer,
    MaxPool2d,
    Select,
)
from flexcc.passes.base import Pass
from flexcc.passes.eliminate_identity import EliminateIdentity
from flexcc.passes.rewrite import with_layers

__all__ = ["RemoveDeadChannels"]

Mask = NDArray[np.bool_]
"""Of a tensor's channels, those that are needed [C]."""


@dataclass(frozen=True, slots=True)
class RemoveDeadChannels(Pass):
    """Channels that every reader multiplies by zero, or does not read, are not computed.

    Pruned models have them, and slices of what a convolution makes. Inputs and outputs of the graph
    keep theirs, as do quantised tensors, whose model names them, and a tensor keeps one at least.
    """

    name: ClassVar[str] = "remove-dead-channels"

    def run(self, graph: Graph) -> Graph:
        """Narrows tensors, and the layers that write and read them."""
        live = _live(graph)
        if all(mask.all() for mask in live.values()):
            return graph
        narrowed = with_layers(
            graph,
            {layer.name: _narrowed(layer, live) for layer in graph.layers},
            {
                name: replace(kind, channels=int(live[name].sum()))
                for name, kind in graph.tensors.items()
            },
        )
        # A selection of what is left may be one of everything.
        return EliminateIdentity().run(narrowed)


def _live(graph: Graph) -> dict[str, Mask]:
    """The needed channels of every tensor: the least that its readers and layers agree about."""
    live = {name: np.zeros(kind.channels, np.bool_) for name, kind in graph.tensors.items()}
    for port in (*graph.inputs, *graph.outputs):
        live[port.tensor][:] = True
    for name, kind in graph.tensors.items():
        live[name][:] |= kind.quantization is not None
    _settle(graph, live)
    for mask in live.values():
        mask[0] |= not mask.any()
    _settle(graph, live)
    return live


def _settle(graph: Graph, live: dict[str, Mask]) -> None:
    """Adds to `live` what layers need.

    Needs only grow. Those of a layer that wants the same channels of several tensors reach tensors
    of layers before and behind it, so one way through the layers need not be enough.
    """
    before = -1
    while (count := sum(int(mask.sum()) for mask in live.values())) != before:
        before = count
        for layer in reversed(graph.layers):
            for name, mask in _needs(layer, live):
                live[name] |= mask


def _needs(layer: Layer, live: dict[str, Mask]) -> Iterator[tuple[str, Mask]]:
    """What a layer needs of its input tensors and of its output, when `live` is needed so far."""
    out = live[layer.output]
    match layer:
        case Convolution(inputs=(source,), weight=weight, groups=1):
            yield source, (weight[out] != 0).any(axis=(0, 2, 3))
        case Convolution(inputs=(source,)) if _depthwise(layer):
            yield from _same((source, layer.output), live)
        case MaxPool2d() | AveragePool2d() | Interpolate2d() | Elementwise():
            alike = [name for name in layer.inputs if len(live[name]) == len(out)]
            yield from _same((*alike, layer.output), live)
            # One channel that all share.
            for name in set(layer.inputs) - set(alike):
                yield name, np.ones_like(live[name])
        case Concat(axis=0):
            yield layer.output, np.concatenate([live[name] for name in layer.inputs])
            first = 0
            for name in layer.inputs:
                yield name, out[first : first + len(live[name])]
                first += len(live[name])
        case Select(inputs=(source,), channels=channels):
            mask = np.zeros_like(live[source])
            mask[[channel for channel in np.asarray(channels)[out] if channel >= 0]] = True
            yield source, mask
        case _:
            for name in (*layer.inputs, layer.output):
                yield name, np.ones_like(live[name])


def _same(names: Sequence[str], live: dict[str, Mask]) -> Iterator[tuple[str, Mask]]:
    """The same channels of each of these tensors."""
    for name in names:
        yield name, np.logical_or.reduce([live[other] for other in names])


def _depthwise(conv: Convolution) -> bool:
    outputs, inputs = conv.weight.shape[:2]
    return bool(inputs == 1 and outputs == conv.groups)


def _narrowed(layer: Layer, live: dict[str, Mask]) -> Layer:
    """The layer for the needed channels alone."""
    out, source = live[layer.output], live[layer.inputs[0]]
    if isinstance(layer, Convolution) and not (out.all() and source.all()):
        depthwise = _depthwise(layer)
        weight = layer.weight[out]
        return replace(
            layer,
            weight=weight if depthwise else weight[:, source],
            weight_scale=None if layer.weight_scale is None else layer.weight_scale[out],
            bias=layer.bias[out],
            slope=None if layer.slope is None else layer.slope[out],
            groups=int(out.sum()) if depthwise else layer.groups,
        )
    if isinstance(layer, Select):
        place = np.append(np.cumsum(source) - 1, -1)
        kept = np.asarray(layer.channels)[out]
        return replace(layer, channels=tuple(int(channel) for channel in place[kept]))
    return layer

# SPDX-License-Identifier: Apache-2.0
"""Removes layers that hand on what they get."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from flexcc.ir.graph import Graph
from flexcc.ir.layers import ChannelMax, Concat, Layer, MaxPool2d, Rearrange, Reshape, Select
from flexcc.ir.types import TensorType
from flexcc.passes.base import Pass
from flexcc.passes.rewrite import only_user, with_layers

__all__ = ["EliminateIdentity", "without_identity"]


@dataclass(frozen=True, slots=True)
class EliminateIdentity(Pass):
    """A layer that changes neither shape nor order nor numbers disappears.

    Such are reshapes to the same shape, selections and rearrangements of everything in order,
    concatenations of one tensor, and maxima of one number. They stay where they round, and between
    an input of the graph and an output.
    """

    name: ClassVar[str] = "eliminate-identity"

    def run(self, graph: Graph) -> Graph:
        """Removes one after the other, from the inputs to the outputs."""
        for name in [layer.name for layer in graph.layers]:
            layer = next(layer for layer in graph.layers if layer.name == name)
            graph = without_identity(graph, layer)
        return graph


def without_identity(graph: Graph, layer: Layer) -> Graph:
    """The graph without the layer, if that does nothing and may go; else the graph itself."""
    if _does_nothing(layer, graph.tensors[layer.inputs[0]], graph.tensors[layer.output]):
        return _without(graph, layer)
    return graph


def _does_nothing(layer: Layer, source: TensorType, target: TensorType) -> bool:
    if replace(source, quantization=None) != replace(target, quantization=None):
        return False
    match layer:
        case Reshape() | ChannelMax():
            return True
        case MaxPool2d(kernel=kernel):
            return kernel == (1, 1)
        case Concat(inputs=inputs):
            return len(inputs) == 1
        case Rearrange(index=index):
            return np.array_equal(index, np.arange(index.size))
        case Select(channels=channels, rows=rows, columns=columns):
            sizes = (source.channels, source.height, source.width)
            return (channels, rows, columns) == tuple(tuple(range(size)) for size in sizes)
    return False


def _without(graph: Graph, layer: Layer) -> Graph:
    source, output = layer.inputs[0], layer.output
    before, after = graph.tensors[source], graph.tensors[output]
    types: dict[str, TensorType] = {}
    if before.quantization is None and after.quantization is not None:
        # What nobody else reads may be rounded earlier.
        if only_user(graph, source) is not layer:
            return graph
        types[source] = after
    elif before.quantization != after.quantization:
        return graph
    if graph.is_output(output) and graph.producer(source) is None:
        return graph
    changes: dict[str, Layer | None] = {
        user.name: replace(
            user, inputs=tuple(source if name == output else name for name in user.inputs)
        )
        for user in graph.users(output)
    }
    changes[layer.name] = None
    outputs = tuple(
        replace(port, tensor=source) if port.tensor == output else port for port in graph.outputs
    )
    return with_layers(replace(graph, outputs=outputs), changes, types)

# SPDX-License-Identifier: Apache-2.0
"""Small graph surgery that the passes share."""

from collections.abc import Mapping
from dataclasses import replace

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Layer
from flexcc.ir.types import TensorType

__all__ = ["only_user", "with_layers", "without_dead_layers"]


def only_user(graph: Graph, tensor: str) -> Layer | None:
    """The layer that alone reads `tensor`; None if there are several or it leaves the graph."""
    users = graph.users(tensor)
    return users[0] if len(users) == 1 and not graph.is_output(tensor) else None


def with_layers(
    graph: Graph,
    changes: Mapping[str, Layer | None],
    types: Mapping[str, TensorType] | None = None,
) -> Graph:
    """The graph with layers replaced, or removed where None, by name; `types` change tensors.

    Tensors that nothing writes any more disappear.
    """
    kept = [changes.get(layer.name, layer) for layer in graph.layers]
    layers = tuple(layer for layer in kept if layer is not None)
    written = {port.tensor for port in graph.inputs} | {layer.output for layer in layers}
    changed = {**graph.tensors, **(types or {})}
    return replace(
        graph,
        layers=layers,
        tensors={name: kind for name, kind in changed.items() if name in written},
    )


def without_dead_layers(graph: Graph) -> Graph:
    """The graph without layers whose output nobody reads."""
    read = {port.tensor for port in graph.outputs}
    dead: dict[str, Layer | None] = {}
    for layer in reversed(graph.layers):
        if layer.output in read:
            read.update(layer.inputs)
        else:
            dead[layer.name] = None
    return with_layers(graph, dead) if dead else graph

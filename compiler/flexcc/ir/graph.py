# SPDX-License-Identifier: Apache-2.0
"""Graph: layers in execution order over named tensors."""

from collections.abc import Mapping
from dataclasses import dataclass

import networkx as nx

from flexcc.ir.layers import Layer
from flexcc.ir.types import TensorType

__all__ = ["Graph", "Port"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A graph input or output and what it is called, and shaped, in the ONNX model."""

    tensor: str
    onnx_name: str
    onnx_shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """An immutable network; `layers` are in topological order, every tensor has one producer."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    tensors: Mapping[str, TensorType]
    layers: tuple[Layer, ...]

    def producer(self, tensor: str) -> Layer | None:
        """The layer that writes `tensor`, or None for a graph input."""
        return next((layer for layer in self.layers if layer.output == tensor), None)

    def users(self, tensor: str) -> tuple[Layer, ...]:
        """The layers that read `tensor`, in order; graph outputs are not among them."""
        return tuple(layer for layer in self.layers if tensor in layer.inputs)

    def is_output(self, tensor: str) -> bool:
        """Whether `tensor` leaves the graph."""
        return any(port.tensor == tensor for port in self.outputs)

    def digraph(self) -> "nx.DiGraph[str]":
        """Layers as nodes (by name), an edge from each producer to each of its users."""
        result: nx.DiGraph[str] = nx.DiGraph()
        result.add_nodes_from(layer.name for layer in self.layers)
        for layer in self.layers:
            for user in self.users(layer.output):
                result.add_edge(layer.name, user.name)
        return result

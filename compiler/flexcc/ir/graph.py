# SPDX-License-Identifier: Apache-2.0
"""Graph: layers in execution order over named tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from flexcc.ir.layers import Layer
from flexcc.ir.types import TensorType

__all__ = ["Axes", "Graph", "Port", "Signature"]

Axes = tuple[int, ...]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """An array of the ONNX model: its name, shape, and NumPy's name of its type.

    Of an array whose size depends on values the shape is not known: None.
    """

    name: str
    shape: tuple[int, ...] | None
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A graph input or output and what it is called, and shaped, in the ONNX model.

    `axes` says which axis of [1, C, H, W] each dimension of `onnx_shape` is: (0, 2, 3, 1) for
    images whose channels come last. None means that the values stand in the tensor's own order,
    whatever the shape.
    The order is that before packing. The tensor's packing says how the host lays the values into
    it, or takes them out; several inputs of one ONNX name are several packings of it.
    """

    tensor: str
    onnx_name: str
    onnx_shape: tuple[int, ...]
    axes: Axes | None = None

    @property
    def signature(self) -> Signature:
        """The array behind the port, of real numbers."""
        return Signature(name=self.onnx_name, shape=self.onnx_shape, dtype="float32")

    def to_onnx(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """Images [B, C, H, W] of the tensor as [B, ...] in the order of the ONNX model."""
        return values if self.axes is None else values.transpose(self.axes)

    def from_onnx(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """Images [B, ...], shaped as in the ONNX model, in the order of the tensor."""
        if self.axes is None:
            return values
        shaped = values.reshape(-1, *self.onnx_shape[1:])
        return shaped.transpose([self.axes.index(axis) for axis in range(len(self.axes))])


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """An immutable network; `layers` are in topological order, every tensor has one producer."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    tensors: Mapping[str, TensorType]
    layers: tuple[Layer, ...]

    def producer(self, tensor: str) -> Layer | None:
        """The layer that writes `tensor`, or None for a graph input."""
        return self._producers.get(tensor)

    def users(self, tensor: str) -> tuple[Layer, ...]:
        """The layers that read `tensor`, in order; graph outputs are not among them."""
        return self._users.get(tensor, ())

    @cached_property
    def _producers(self) -> dict[str, Layer]:
        return {layer.output: layer for layer in reversed(self.layers)}

    @cached_property
    def _users(self) -> dict[str, tuple[Layer, ...]]:
        found: dict[str, list[Layer]] = {}
        for layer in self.layers:
            for tensor in dict.fromkeys(layer.inputs):
                found.setdefault(tensor, []).append(layer)
        return {tensor: tuple(layers) for tensor, layers in found.items()}

    def is_output(self, tensor: str) -> bool:
        """Whether `tensor` leaves the graph."""
        return any(port.tensor == tensor for port in self.outputs)

    def pack_inputs(self, values: Mapping[str, NDArray[np.int8]]) -> dict[str, NDArray[np.int8]]:
        """The inputs by tensor name, as memory holds them, of `values` [..., C, H, W] by ONNX name.

        Raises:
            ValueError: an array has not the pixels of its input.
        """
        return {
            port.tensor: self.tensors[port.tensor].pack(values[port.onnx_name])
            for port in self.inputs
        }

    def digraph(self) -> "nx.DiGraph[str]":
        """Layers as nodes (by name), an edge from each producer to each of its users."""
        result: nx.DiGraph[str] = nx.DiGraph()
        result.add_nodes_from(layer.name for layer in self.layers)
        for layer in self.layers:
            for user in self.users(layer.output):
                result.add_edge(layer.name, user.name)
        return result

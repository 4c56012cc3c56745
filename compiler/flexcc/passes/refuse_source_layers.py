# SPDX-License-Identifier: Apache-2.0
"""Ends lowering: what no pass could fold is refused by name."""

from dataclasses import dataclass
from typing import ClassVar

from flexcc.errors import InputError
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Elementwise, Layer, Reshape, SourceLayer
from flexcc.passes.base import Pass

__all__ = ["RefuseSourceLayers"]


@dataclass(frozen=True, slots=True)
class RefuseSourceLayers(Pass):
    """Leaves a lowered graph alone.

    Raises:
        InputError: tells every source layer that is left, and every layer of an integer graph that
            reads or writes a tensor without a scale.
    """

    name: ClassVar[str] = "refuse-source-layers"

    def run(self, graph: Graph) -> Graph:
        """The graph itself."""
        integer = any(kind.quantization is not None for kind in graph.tensors.values())
        reasons = []
        for layer in graph.layers:
            if isinstance(layer, Reshape):
                reasons.append(f"{layer.name}: {_misplaced(graph, layer)}")
            elif isinstance(layer, SourceLayer | Elementwise) and integer:
                reasons += [f"{layer.name}: {reason}" for reason in _unrounded(graph, layer)]
            elif isinstance(layer, SourceLayer):
                raise TypeError(f"{layer.name}: no pass took a {type(layer).__name__}")
        if reasons:
            raise InputError("\n".join(["the model cannot be compiled:", *reasons]))
        return graph


def _unrounded(graph: Graph, layer: Layer) -> list[str]:
    names = dict.fromkeys((*layer.inputs, layer.output))
    missing = [name for name in names if graph.tensors[name].quantization is None]
    return [
        f"{_origin(graph, layer, name)} is not quantised; insert QuantizeLinear and "
        "DequantizeLinear, or give the float model"
        for name in missing
    ]


def _origin(graph: Graph, layer: Layer, name: str) -> str:
    producer = graph.producer(name)
    if producer is layer:
        return "its output"
    return f"'{name}'" if producer is None else f"the output of {producer.name}"


def _misplaced(graph: Graph, layer: Layer) -> str:
    source = layer.inputs[0]
    shared = len(graph.users(source)) > 1 or graph.is_output(source)
    origin = _origin(graph, layer, source)
    rule = "a reshape must lead to fully connected layers or be the first or last layer"
    if shared and graph.producer(source) is not None:
        return f"{origin} is used elsewhere, too; {rule}, as its only user"
    return f"it works on {origin}; {rule}"

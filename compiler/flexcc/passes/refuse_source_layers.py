# SPDX-License-Identifier: Apache-2.0
"""Ends lowering: what no pass could fold is refused by name."""

from dataclasses import dataclass
from typing import ClassVar

from flexcc.errors import InputError
from flexcc.ir.graph import Graph
from flexcc.ir.layers import ChannelAffine, Clip, Convolution, Reshape, SourceLayer
from flexcc.passes.base import Pass

__all__ = ["RefuseSourceLayers"]


@dataclass(frozen=True, slots=True)
class RefuseSourceLayers(Pass):
    """Leaves a lowered graph alone.

    Raises:
        InputError: tells every source layer that is left, and why it could not be folded.
    """

    name: ClassVar[str] = "refuse-source-layers"

    def run(self, graph: Graph) -> Graph:
        """The graph itself."""
        left = [layer for layer in graph.layers if isinstance(layer, SourceLayer)]
        if left:
            reasons = [f"{layer.name}: {_reason(graph, layer)}" for layer in left]
            raise InputError("\n".join(["the model cannot be compiled:", *reasons]))
        return graph


def _reason(graph: Graph, layer: SourceLayer) -> str:
    source = layer.inputs[0]
    producer = graph.producer(source)
    shared = len(graph.users(source)) > 1 or graph.is_output(source)
    origin = f"'{source}'" if producer is None else f"the output of {producer.name}"
    match layer:
        case Clip():
            rule = "a Relu or Clip must follow a convolution directly or through MaxPool or Reshape"
        case ChannelAffine():
            rule = (
                "arithmetic with constants and batch normalisation must follow a convolution "
                "directly, or stand in front of convolutions (with padding, or in front of "
                "transposed ones, only if nothing is added)"
            )
        case Reshape():
            rule = "a reshape must lead to fully connected layers or be the first or last layer"
        case _:
            raise TypeError(f"no rule for {type(layer).__name__}")
    if shared and producer is not None:
        return f"{origin} is used elsewhere, too; {rule}, as its only user"
    if isinstance(producer, Convolution) and graph.tensors[source].quantization is not None:
        return f"{origin} is rounded to another scale before it; quantise behind it only"
    return f"it works on {origin}; {rule}"

# SPDX-License-Identifier: Apache-2.0
"""Finds PRelu where it is spelled with Relu, Neg, Abs, Mul and Add."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.functions import X, apply
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add, ChannelAffine, Clamp, Clip, Layer, PRelu, Table
from flexcc.passes.base import Pass
from flexcc.passes.rewrite import with_layers, without_dead_layers

__all__ = ["FindPRelu"]

Slopes = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Per channel the factor of what is not below zero and of what is."""


@dataclass(frozen=True, slots=True)
class FindPRelu(Pass):
    """add(f(x), g(x)) becomes prelu(x) if it is x above zero and a multiple of x below.

    f and g are made of Relu, min(x, 0), Abs, PRelu and multiplication by constants, or x itself:
    relu(x) - a relu(-x), relu(x) + a (x - |x|) / 2 and the like. The sum must be exactly x above
    zero; nothing may be rounded in between.
    """

    name: ClassVar[str] = "find-prelu"

    def run(self, graph: Graph) -> Graph:
        """Replaces every such sum; layers that nobody reads any more go."""
        forms: dict[str, dict[str, Slopes]] = {}
        for layer in graph.layers:
            forms[layer.output] = _forms(graph, layer, forms)
            if isinstance(layer, Add):
                graph = _replaced(graph, layer, forms[layer.output])
        return without_dead_layers(graph)


def _replaced(graph: Graph, layer: Add, forms: Mapping[str, Slopes]) -> Graph:
    for root, (above, below) in forms.items():
        if root != layer.output and (above == 1).all():
            prelu = PRelu(
                name=layer.name,
                inputs=(root,),
                output=layer.output,
                slope=below.astype(np.float32),
            )
            return with_layers(graph, {layer.name: prelu})
    return graph


def _forms(
    graph: Graph, layer: Layer, known: Mapping[str, Mapping[str, Slopes]]
) -> dict[str, Slopes]:
    """The tensors that a layer's output is a two-slope function of, the nearest first: itself.

    `known` holds those of the tensors before.
    """
    ones = np.ones(graph.tensors[layer.output].channels)
    result: dict[str, Slopes] = {layer.output: (ones, ones)}
    own = _slopes(graph, layer)
    if own is not None:
        for root, inner in _before(graph, layer.inputs[0], known).items():
            result[root] = _composed(own, inner)
    elif isinstance(layer, Add) and layer.clamp == Clamp():
        first, second = (_before(graph, name, known) for name in layer.inputs)
        sign = -1.0 if layer.subtract else 1.0
        for root in first:
            if root in second:
                (p, n), (q, m) = first[root], second[root]
                result[root] = (p + sign * q, n + sign * m)
    return result


def _before(
    graph: Graph, tensor: str, known: Mapping[str, Mapping[str, Slopes]]
) -> Mapping[str, Slopes]:
    """The forms of an operand, or itself alone if it is rounded or nobody's output."""
    if graph.tensors[tensor].quantization is None and tensor in known:
        return known[tensor]
    ones = np.ones(graph.tensors[tensor].channels)
    return {tensor: (ones, ones)}


def _slopes(graph: Graph, layer: Layer) -> Slopes | None:
    one = np.ones(graph.tensors[layer.output].channels)
    match layer:
        case ChannelAffine(scale=scale, offset=offset) if not offset.any():
            return scale, scale
        case Clip(clamp=Clamp(low=0.0, high=None)):
            return one, 0 * one
        case Clip(clamp=Clamp(low=None, high=0.0)):
            return 0 * one, one
        case PRelu(slope=slope):
            return one, slope.astype(np.float64)
        case Table(function=function) if function == apply("Abs", X):
            return one, -one
    return None


def _composed(outer: Slopes, inner: Slopes) -> Slopes:
    """outer(inner(x)): the sign of inner(x) says which of the outer slopes applies."""
    above = inner[0] * np.where(inner[0] >= 0, *outer)
    below = inner[1] * np.where(inner[1] >= 0, outer[1], outer[0])
    return above, below

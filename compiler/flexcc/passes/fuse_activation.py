# SPDX-License-Identifier: Apache-2.0
"""Folds Relu, Clip, LeakyRelu and PRelu into the layer that feeds them."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import (
    ChannelMax,
    Clamp,
    Clamped,
    Clip,
    Convolution,
    DepthToSpace,
    Layer,
    MaxPool2d,
    PRelu,
    Reshape,
    SpaceToDepth,
)
from flexcc.passes.base import Pass
from flexcc.passes.rewrite import only_user, with_layers

__all__ = ["FuseActivation", "fused"]


@dataclass(frozen=True, slots=True)
class FuseActivation(Pass):
    """activation(layer(x)) becomes one layer, where the activation is a Clip or a PRelu.

    Clips join convolutions, transposed or not, sums, products, means and clips; slopes join
    convolutions and slopes. A slope behind a clip at zero or more does nothing and goes.
    Activations that keep the order of numbers move in front of max pooling, and those that are the
    same for all channels in front of what only moves numbers. Each needs the activation to be the
    only user, and moves no rounding: a tensor that is quantised between the two must be so exactly
    as the activation's output. Activations of graph inputs stay.
    """

    name: ClassVar[str] = "fuse-activation"

    def run(self, graph: Graph) -> Graph:
        """Repeats the first rewrite that applies; each removes an activation or moves it ahead."""
        while (rewritten := _first_rewrite(graph)) is not None:
            graph = rewritten
        return graph


def fused(layer: Layer, activation: Clip | PRelu) -> Layer | None:
    """The layer that does both, or None; its output is the activation's."""
    both: Layer
    match layer, activation:
        case (Clamped() | Clip(), Clip()):
            both = replace(layer, clamp=_compose(layer.clamp, activation.clamp))
        case (Clamped() | Clip(), PRelu()) if _never_negative(layer.clamp):
            both = layer
        case (Convolution(clamp=clamp), PRelu()) if clamp == Clamp():
            both = replace(layer, slope=_joint_slope(layer.slope, activation.slope))
        case (PRelu(), PRelu()):
            both = replace(layer, slope=_joint_slope(layer.slope, activation.slope))
        case _:
            return None
    return replace(both, output=activation.output)


def _never_negative(clamp: Clamp) -> bool:
    return clamp.low is not None and clamp.low >= 0


def _first_rewrite(graph: Graph) -> Graph | None:
    for layer in graph.layers:
        if not isinstance(layer, Clip | PRelu):
            continue
        producer = graph.producer(layer.inputs[0])
        if producer is None or only_user(graph, producer.output) is not layer:
            continue
        if _rounds_between(graph, producer, layer):
            continue
        both = fused(producer, layer)
        if both is not None:
            return with_layers(graph, {producer.name: both, layer.name: None})
        match producer:
            case MaxPool2d() | ChannelMax() if _rises(layer) and _same_for_all(layer):
                return _swap(graph, producer, layer)
            case MaxPool2d() if _rises(layer):
                return _swap(graph, producer, layer)
            case Reshape() | DepthToSpace() | SpaceToDepth() if _same_for_all(layer):
                return _swap(graph, producer, layer)
    return None


def _rises(activation: Clip | PRelu) -> bool:
    """Whether a larger number never becomes the smaller one."""
    return isinstance(activation, Clip) or bool((activation.slope >= 0).all())


def _same_for_all(activation: Clip | PRelu) -> bool:
    """Whether all channels are treated alike."""
    return isinstance(activation, Clip) or len(set(activation.slope.tolist())) == 1


def _joint_slope(
    first: NDArray[np.float32] | None, second: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The slope that equals `first` and then `second`; a negative one brings numbers above zero."""
    if first is None:
        return second
    return np.where(first >= 0, first * second, first)


def _rounds_between(graph: Graph, producer: Layer, activation: Layer) -> bool:
    """Whether the values are rounded to another scale between the two layers."""
    between = graph.tensors[producer.output].quantization
    return between is not None and between != graph.tensors[activation.output].quantization


def _swap(graph: Graph, producer: Layer, activation: Clip | PRelu) -> Graph:
    """activation(producer(x)) becomes producer(activation(x)): neither mixes values."""
    source = producer.inputs[0]
    between, after = producer.output, activation.output
    first: Layer = replace(activation, inputs=(source,), output=between)
    if isinstance(activation, PRelu):
        channels = graph.tensors[source].channels
        slope = np.resize(activation.slope, channels)
        first = replace(activation, inputs=(source,), output=between, slope=slope)
    second = replace(producer, inputs=(between,), output=after)
    quantization = graph.tensors[after].quantization
    return with_layers(
        graph,
        {producer.name: first, activation.name: second},
        {between: replace(graph.tensors[source], quantization=quantization)},
    )


def _compose(first: Clamp, second: Clamp) -> Clamp:
    """The clamp that equals `first` and then `second`."""
    return Clamp(
        low=_bound(first.low, second, second.low), high=_bound(first.high, second, second.high)
    )


def _bound(value: float | None, clamp: Clamp, unbounded: float | None) -> float | None:
    """`value` clamped; of an unbounded value what the clamp leaves."""
    if value is None:
        return unbounded
    if clamp.low is not None and value < clamp.low:
        return clamp.low
    if clamp.high is not None and value > clamp.high:
        return clamp.high
    return value

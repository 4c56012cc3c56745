# SPDX-License-Identifier: Apache-2.0
"""Folds Relu, Relu6 and Clip into the convolution that feeds them."""

from dataclasses import dataclass, replace
from typing import ClassVar

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Clamp, Clip, Convolution, Layer, MaxPool2d, Reshape
from flexcc.passes.base import Pass
from flexcc.passes.rewrite import only_user, with_layers

__all__ = ["FuseActivation"]


@dataclass(frozen=True, slots=True)
class FuseActivation(Pass):
    """clip(conv2d(x)) becomes conv2d(x, clamp), transposed or not, and clip(clip(x)) one clip.

    clip(pool(x)) becomes pool(clip(x)), and a clip also moves in front of a reshape. Each needs the
    clip to be the only user, and moves no rounding: a tensor that is quantised between the two must
    be so exactly as the clip's output.
    Clips of graph inputs stay.
    """

    name: ClassVar[str] = "fuse-activation"

    def run(self, graph: Graph) -> Graph:
        """Repeats the first rewrite that applies; each removes a clip or moves it forward."""
        while (rewritten := _first_rewrite(graph)) is not None:
            graph = rewritten
        return graph


def _first_rewrite(graph: Graph) -> Graph | None:
    for clip in graph.layers:
        if not isinstance(clip, Clip):
            continue
        producer = graph.producer(clip.inputs[0])
        if producer is None or only_user(graph, producer.output) is not clip:
            continue
        if _rounds_between(graph, producer, clip):
            continue
        match producer:
            case Convolution() | Clip():
                fused = replace(
                    producer, clamp=_compose(producer.clamp, clip.clamp), output=clip.output
                )
                return with_layers(graph, {producer.name: fused, clip.name: None})
            case MaxPool2d() | Reshape():
                return _swap(graph, producer, clip)
    return None


def _rounds_between(graph: Graph, producer: Layer, clip: Clip) -> bool:
    """Whether the values are rounded to another scale between the two layers."""
    between = graph.tensors[producer.output].quantization
    return between is not None and between != graph.tensors[clip.output].quantization


def _swap(graph: Graph, producer: MaxPool2d | Reshape, clip: Clip) -> Graph:
    """clip(producer(x)) becomes producer(clip(x)): neither mixes values."""
    source = producer.inputs[0]
    between, after = producer.output, clip.output
    first = replace(clip, inputs=(source,), output=between)
    second = replace(producer, inputs=(between,), output=after)
    quantization = graph.tensors[after].quantization
    return with_layers(
        graph,
        {producer.name: first, clip.name: second},
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

# SPDX-License-Identifier: Apache-2.0
"""Concatenations whose parts together fill no more than one word, as sums of what the parts hold.

Every part of a concatenation begins a word, so that a tensor of 13 channels and one of 3 take two
words a pixel where 16 channels would take one, and all that reads them takes twice as long. Where
a convolution makes one part it can make zeros for the channels of the other and carry a sum: a
sum of equal scales and a zero is exact.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flexcc.dse.layer_rewrite import dense_weight
from flexcc.dse.lower_movement import movement_as_convolution
from flexcc.dse.names import Names
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add, Concat, Conv2d, Layer, MaxPool2d, Select

__all__ = ["join_by_sum"]


def join_by_sum(graph: Graph, *, m: int, n: int) -> Graph:
    """An equal graph for M rows and N lanes, with sums for such concatenations of two parts.

    One part is a convolution's that nothing else reads, the other one another such, or the pooled
    pixels of a tensor that a convolution would have to copy.
    """
    new_name = Names(graph).new
    changed: dict[str, tuple[Layer, ...]] = {}
    tensors = dict(graph.tensors)
    for layer in graph.layers:
        parts = _parts(graph, layer, min(m, n))
        if parts is None:
            continue
        total, first = graph.tensors[layer.output].channels, 0
        for part in parts:
            own = graph.tensors[part.output].channels
            places = range(first, first + own)
            first += own
            if isinstance(part, Conv2d):
                changed[part.name] = (_spread(part, places, total),)
            else:
                source = graph.tensors[part.inputs[0]]
                wider = new_name(f"{part.name}_wider")
                tensors[wider] = replace(source, channels=total)
                copy = Select(
                    name=new_name(f"{part.name}_copy"),
                    inputs=part.inputs,
                    output=wider,
                    channels=tuple(c - places.start if c in places else -1 for c in range(total)),
                    rows=tuple(range(source.height)),
                    columns=tuple(range(source.width)),
                )
                moved = movement_as_convolution(copy, source)
                assert moved is not None
                changed[part.name] = (moved, replace(part, inputs=(wider,)))
            tensors[part.output] = replace(graph.tensors[part.output], channels=total)
        changed[layer.name] = (Add(name=layer.name, inputs=layer.inputs, output=layer.output),)
    if not changed:
        return graph
    layers = (made for layer in graph.layers for made in changed.get(layer.name, (layer,)))
    return replace(graph, layers=tuple(layers), tensors=tensors)


def _parts(graph: Graph, layer: Layer, most: int) -> tuple[Conv2d | MaxPool2d, ...] | None:
    """What makes the two parts of a concatenation that a sum can take the place of."""
    if not isinstance(layer, Concat) or layer.axis or len(set(layer.inputs)) != 2:
        return None
    target = graph.tensors[layer.output]
    parts = []
    for tensor in layer.inputs:
        part = graph.producer(tensor)
        alone = graph.users(tensor) == (layer,) and not graph.is_output(tensor)
        same = graph.tensors[tensor].quantization == target.quantization
        if not alone or not same or not isinstance(part, Conv2d | MaxPool2d):
            return None
        if isinstance(part, Conv2d):
            suits = _holds_zero(part) and part.cost is None
        else:
            # Behind a convolution it would be pooled on the way out, and need no copy.
            suits = not isinstance(graph.producer(part.inputs[0]), Conv2d)
        if not suits:
            return None
        parts.append(part)
    fits = target.channels <= most and not target.wide
    return tuple(parts) if fits and any(isinstance(part, Conv2d) for part in parts) else None


def _holds_zero(conv: Conv2d) -> bool:
    low, high = conv.clamp.low, conv.clamp.high
    return (low is None or low <= 0) and (high is None or high >= 0)


def _spread(conv: Conv2d, places: range, total: int) -> Conv2d:
    """`conv` with `total` channels, zeros but for those of `places`."""
    dense = dense_weight(conv)
    weight = np.zeros((total, *dense.shape[1:]), np.int8)
    weight[places.start : places.stop] = dense
    return replace(
        conv,
        weight=weight,
        weight_scale=_at(conv.weight_scale, places, total, 1),
        bias=_at(conv.bias, places, total, 0),
        slope=None if conv.slope is None else _at(conv.slope, places, total, 1),
        groups=1,
    )


def _at(
    values: NDArray[np.float32] | NDArray[np.int32] | NDArray[np.float64] | None,
    places: range,
    total: int,
    rest: int,
) -> NDArray[np.float32]:
    assert values is not None
    result = np.full(total, rest, values.dtype)
    result[places.start : places.stop] = values
    return result

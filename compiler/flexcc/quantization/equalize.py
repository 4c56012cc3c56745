# SPDX-License-Identifier: Apache-2.0
"""Cross-layer equalisation: channels of one tensor get ranges that suit one scale.

Scaling an output channel of a convolution by 1/s and the weights that read it by s changes nothing,
as long as only convolutions read it and what stands between (Relu, PRelu, max pooling) scales with
it. Rounding it changes: the tensor has one scale for all channels, and so has each output channel
of the weights that read it. A depthwise reader has a weight scale for each channel: there, equal
ranges cost nothing. Otherwise s = range^a / weight^(1-a) stands between equal ranges (a = 1) and
equal weights (a = 0).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Clamp, Convolution, MaxPool2d
from flexcc.quantization.statistics import TensorStatistics

__all__ = ["equalize"]

Vector = NDArray[np.float64]

_TOWARDS_RANGES = 0.75
# Channels with next to nothing are not blown up; factors stay far from the ends of float32.
_SMALLEST = 2.0**-12
_LARGEST_FACTOR = 2.0**10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Link:
    """A convolution and the convolutions that alone read its output, pooled or not."""

    writer: Convolution
    tensors: tuple[str, ...]
    readers: tuple[Convolution, ...]


def equalize(graph: Graph, statistics: Mapping[str, TensorStatistics]) -> Graph:
    """An equal float graph, up to float32, whose links are equalised on the given statistics."""
    convolutions = {layer.name: layer for layer in graph.layers if isinstance(layer, Convolution)}
    for link in _links(graph):
        # Other links may have changed the weights.
        readers = [convolutions[reader.name] for reader in link.readers]
        weights = [_largest_weights(reader) for reader in readers]
        factors = _factors(_largest_values(statistics[link.tensors[0]]), weights)
        writer = convolutions[link.writer.name]
        convolutions[writer.name] = _with_scaled_outputs(writer, 1 / factors)
        for reader in readers:
            convolutions[reader.name] = _with_scaled_inputs(reader, factors)
    layers = tuple(convolutions.get(layer.name, layer) for layer in graph.layers)
    return replace(graph, layers=layers)


def _links(graph: Graph) -> list[_Link]:
    result = []
    for writer in graph.layers:
        if not isinstance(writer, Convolution) or not _scales(writer.clamp):
            continue
        tensors, readers, only = [writer.output], list[Convolution](), True
        for tensor in tensors:
            only &= not graph.is_output(tensor)
            for user in graph.users(tensor):
                match user:
                    case Convolution():
                        readers.append(user)
                    case MaxPool2d():
                        tensors.append(user.output)
                    case _:
                        only = False
        if only and readers:
            link = _Link(writer=writer, tensors=tuple(tensors), readers=tuple(readers))
            result.append(link)
    return result


def _scales(clamp: Clamp) -> bool:
    """Whether the clamp of a scaled value is the scaled value of the clamp."""
    return clamp.low in (None, 0.0) and clamp.high is None


def _factors(values: Vector, weights: list[Vector | None]) -> Vector:
    """What each channel of a tensor is divided by, around 1.

    `values` are the largest of each channel, `weights` those of each reader, None if a reader has a
    weight scale for each channel.
    """
    values = np.maximum(values, values.max(initial=0) * _SMALLEST)
    if not values.any():
        return np.ones_like(values)
    dense = [weight for weight in weights if weight is not None]
    largest = np.max(dense, axis=0) if dense else np.zeros_like(values)
    if largest.any():
        largest = np.maximum(largest, largest.max() * _SMALLEST)
        factors = values**_TOWARDS_RANGES / largest ** (1 - _TOWARDS_RANGES)
    else:
        factors = values
    factors /= np.exp(np.log(factors).mean())
    result: Vector = np.clip(factors, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
    return result


def _largest_values(statistics: TensorStatistics) -> Vector:
    return np.maximum(np.abs(statistics.lows), np.abs(statistics.highs))


def _largest_weights(conv: Convolution) -> Vector | None:
    """The largest weight that each input channel meets, beside the largest of each output's.

    None of a depthwise layer, whose outputs read one channel each.
    """
    if conv.weight.shape[1] == 1:
        return None
    weight = np.abs(conv.weight.astype(np.float64)).max(axis=(2, 3))
    relative = weight / np.maximum(weight.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    per_group = relative.reshape(conv.groups, -1, weight.shape[1])
    largest: Vector = per_group.max(axis=1).reshape(-1)
    return largest


def _with_scaled_outputs(conv: Convolution, factors: Vector) -> Convolution:
    return replace(
        conv,
        weight=(conv.weight * factors[:, None, None, None]).astype(np.float32),
        bias=(conv.bias * factors).astype(np.float32),
    )


def _with_scaled_inputs(conv: Convolution, factors: Vector) -> Convolution:
    outputs, per_group = conv.weight.shape[:2]
    each = factors.reshape(conv.groups, 1, per_group)
    scaled = conv.weight.reshape(conv.groups, outputs // conv.groups, per_group, -1)
    weight = (scaled * each[..., None]).astype(np.float32).reshape(conv.weight.shape)
    return replace(conv, weight=weight)

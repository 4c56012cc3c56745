# SPDX-License-Identifier: Apache-2.0
"""Cross-layer equalisation: channels that share one scale get ranges that suit it.

Scaling an output channel of a convolution by 1/s and the weights that read it by s changes nothing,
as long as only convolutions read it and what stands between (Relu, PRelu, max pooling, concat)
scales with it. Rounding it changes: a tensor has one scale for all channels, and so has each output
channel of the weights that read it. A depthwise reader has a weight scale for each channel: there,
equal ranges cost nothing. Otherwise s = range^a / weight^(1-a) stands between equal ranges (a = 1)
and equal weights (a = 0).
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Clamp, Concat, Convolution, MaxPool2d
from flexcc.quantization.scales import shared_tensors
from flexcc.quantization.statistics import TensorStatistics

__all__ = ["equalize"]

Vector = NDArray[np.float64]
Channels = NDArray[np.intp]

_TOWARDS_RANGES = 0.75
# Channels with next to nothing are not blown up; factors stay far from the ends of float32.
_SMALLEST = 2.0**-12
_LARGEST_FACTOR = 2.0**10


def equalize(graph: Graph, statistics: Mapping[str, TensorStatistics]) -> Graph:
    """An equal float graph, up to float32, whose channels are equalised on the given statistics."""
    channels = _Channels(graph, statistics)
    factors = np.ones(channels.values.size)
    convolutions = {layer.name: layer for layer in graph.layers if isinstance(layer, Convolution)}
    for together in shared_tensors(graph):
        own = np.unique(np.concatenate([channels.of[tensor] for tensor in together]))
        weights = np.zeros(channels.values.size)
        for reader in convolutions.values():
            if reader.inputs[0] in together:
                # Of the weights as earlier tensors have left them.
                at = channels.of[reader.inputs[0]]
                np.maximum.at(weights, at, _largest_weights(reader))
        factors[own] = _factors(channels.values[own], weights[own], channels.free[own])
        for name, conv in convolutions.items():
            if conv.inputs[0] in together:
                convolutions[name] = _with_scaled_inputs(conv, factors[channels.of[conv.inputs[0]]])
    for name, conv in convolutions.items():
        convolutions[name] = _with_scaled_outputs(conv, 1 / factors[channels.of[conv.output]])
    layers = tuple(convolutions.get(layer.name, layer) for layer in graph.layers)
    return replace(graph, layers=layers)


class _Channels:
    """Every channel that some layer makes, numbered: who holds it, and whether it may be scaled.

    `of` names the channels of each tensor; `values` are their largest, `free` those that may be
    scaled.
    """

    def __init__(self, graph: Graph, statistics: Mapping[str, TensorStatistics]) -> None:
        self.of: dict[str, Channels] = {}
        self._values = list[Vector]()
        self._free = list[NDArray[np.bool_]]()
        self._count = 0
        blocked = list[str]()
        for port in graph.inputs:
            self._add(port.tensor, statistics, free=False)
        for layer in graph.layers:
            match layer:
                case Convolution(clamp=clamp):
                    self._add(layer.output, statistics, free=_scales(clamp))
                case MaxPool2d():
                    self.of[layer.output] = self.of[layer.inputs[0]]
                case Concat(axis=0):
                    self.of[layer.output] = np.concatenate([self.of[x] for x in layer.inputs])
                case _:
                    blocked += layer.inputs
                    self._add(layer.output, statistics, free=False)
        self.values: Vector = np.concatenate(self._values)
        self.free: NDArray[np.bool_] = np.concatenate(self._free)
        for tensor in (*blocked, *(port.tensor for port in graph.outputs)):
            self.free[self.of[tensor]] = False

    def _add(self, tensor: str, statistics: Mapping[str, TensorStatistics], *, free: bool) -> None:
        found = statistics[tensor]
        values = np.maximum(np.abs(found.lows), np.abs(found.highs))
        self.of[tensor] = np.arange(self._count, self._count + values.size)
        self._count += values.size
        self._values.append(values)
        self._free.append(np.full(values.size, free))


def _scales(clamp: Clamp) -> bool:
    """Whether the clamp of a scaled value is the scaled value of the clamp."""
    return clamp.low in (None, 0.0) and clamp.high is None


def _factors(values: Vector, weights: Vector, free: NDArray[np.bool_]) -> Vector:
    """What each channel of some tensors with one scale is divided by; 1 where it is not `free`.

    `values` are the largest of each channel, `weights` the largest that reads it, 0 if its readers
    have a weight scale for each channel.
    """
    result = np.ones_like(values)
    reach = values.max(initial=0)
    if not free.any() or reach == 0:
        return result
    values = np.maximum(values, reach * _SMALLEST)
    wanted = values
    if weights.any():
        shown = np.maximum(weights, weights.max() * _SMALLEST)
        wanted = values**_TOWARDS_RANGES / shown ** (1 - _TOWARDS_RANGES)
        # Readers that do not mind let their channels reach as far as any other.
        farthest = (values / wanted)[weights > 0].max()
        wanted = np.where(weights > 0, wanted, values / farthest)
    if free.all():
        wanted = wanted / np.exp(np.log(wanted).mean())
    else:
        # The others reach as far as those that stay.
        wanted = wanted * ((values / wanted)[free].max() / values[~free].max())
    result[free] = np.clip(wanted[free], 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
    return result


def _largest_weights(conv: Convolution) -> Vector:
    """The largest weight that each input channel meets, beside the largest of each output's.

    0 in a depthwise layer, whose outputs read one channel each.
    """
    per_group = conv.weight.shape[1]
    if per_group == 1:
        return np.zeros(conv.groups)
    weight = np.abs(conv.weight.astype(np.float64)).max(axis=(2, 3))
    relative = weight / np.maximum(weight.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    largest: Vector = relative.reshape(conv.groups, -1, per_group).max(axis=1).reshape(-1)
    return largest


def _with_scaled_outputs(conv: Convolution, factors: Vector) -> Convolution:
    if (factors == 1).all():
        return conv
    return replace(
        conv,
        weight=(conv.weight * factors[:, None, None, None]).astype(np.float32),
        bias=(conv.bias * factors).astype(np.float32),
    )


def _with_scaled_inputs(conv: Convolution, factors: Vector) -> Convolution:
    if (factors == 1).all():
        return conv
    outputs, per_group = conv.weight.shape[:2]
    each = factors.reshape(conv.groups, 1, per_group)
    scaled = conv.weight.reshape(conv.groups, outputs // conv.groups, per_group, -1)
    weight = (scaled * each[..., None]).astype(np.float32).reshape(conv.weight.shape)
    return replace(conv, weight=weight)

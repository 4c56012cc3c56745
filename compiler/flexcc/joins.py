# SPDX-License-Identifier: Apache-2.0
"""Joined tensors: which stored tensors hold the channels of a concatenation, one after the other.

A concatenation of channels moves no byte. Its planes are those of its inputs, so that every input
begins a plane, and lanes without a channel stay between them where one fills no whole planes.
"""

from dataclasses import dataclass
from functools import lru_cache

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Concat
from flexcc.ir.planes import plane_names

__all__ = ["Part", "channel_slots", "plane_count", "stored_parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stored tensor that holds the next `channels` channels."""

    tensor: str
    channels: int


def stored_parts(graph: Graph, tensor: str) -> tuple[Part, ...]:
    """The stored tensors that hold `tensor`: itself, unless it is a concatenation of channels.

    A tensor that is joined twice is named twice. One of 16 bits is all its upper planes, then all
    its lower ones.
    """
    parts = _joined(graph, tensor)
    if not graph.tensors[tensor].wide:
        return parts
    planes = [plane_names(part.tensor) for part in parts]
    return tuple(
        Part(tensor=name, channels=part.channels)
        for names in zip(*planes, strict=True)
        for name, part in zip(names, parts, strict=True)
    )


def _joined(graph: Graph, tensor: str) -> tuple[Part, ...]:
    layer = graph.producer(tensor)
    if isinstance(layer, Concat) and layer.axis == 0:
        return tuple(part for name in layer.inputs for part in _joined(graph, name))
    return (Part(tensor=tensor, channels=graph.tensors[tensor].channels),)


@lru_cache(maxsize=1024)
def channel_slots(parts: tuple[int, ...], lanes: int) -> tuple[int, ...]:
    """The lane of each channel, counted through all planes of parts of so many channels."""
    slots: list[int] = []
    first = 0
    for channels in parts:
        slots += range(first, first + channels)
        first += -(-channels // lanes) * lanes
    return tuple(slots)


def plane_count(parts: tuple[int, ...], lanes: int) -> int:
    """Planes of parts of so many channels."""
    return sum(-(-channels // lanes) for channels in parts)

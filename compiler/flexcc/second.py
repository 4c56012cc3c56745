# SPDX-License-Identifier: Apache-2.0
"""The second tensor of a sum: what of it is stored, where a selection stands in front of the sum.

A sum may add channels that no tensor has, and rows that stand in memory once and are added
several times. Neither needs to be written: such planes are loaded as padding, such rows again.
"""

from dataclasses import dataclass

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Select

__all__ = ["Second", "second_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """The stored `tensor` of `channels`, each of whose rows stands `repeats` times in the sum.

    Channels of the sum beyond them are the tensor's zero point.
    """

    tensor: str
    channels: int
    repeats: int = 1


def second_of(graph: Graph, tensor: str) -> Second:
    """What is stored of the operand `tensor` of a sum, in a lowered graph."""
    layer = graph.producer(tensor)
    stored, repeats = tensor, 1
    if isinstance(layer, Select):
        (stored,) = layer.inputs
        repeats = graph.tensors[tensor].height // graph.tensors[stored].height
    return Second(tensor=stored, channels=graph.tensors[stored].channels, repeats=repeats)

# SPDX-License-Identifier: Apache-2.0
"""Which tensors have 8 bits and which 16."""

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Table
from flexcc.quantization.scales import shared_tensors

__all__ = ["can_be_wide", "widest"]


def can_be_wide(graph: Graph) -> frozenset[str]:
    """The tensors that may have 16 bits: tables, and what shares a scale with theirs, may not."""
    narrow = {
        tensor
        for layer in graph.layers
        if isinstance(layer, Table)
        for tensor in (*layer.inputs, layer.output)
    }
    return frozenset(
        tensor
        for tensors in shared_tensors(graph)
        if not narrow.intersection(tensors)
        for tensor in tensors
    )


def widest(graph: Graph) -> dict[str, int]:
    """16 bits for every tensor of a graph that may have them, 8 for the others."""
    wide = can_be_wide(graph)
    return {tensor: 16 if tensor in wide else 8 for tensor in graph.tensors}

# SPDX-License-Identifier: Apache-2.0
"""Which tensors have 8 bits and which 16."""

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Table
from flexcc.quantization.options import Precision
from flexcc.quantization.scales import shared_tensors

__all__ = ["can_be_wide", "tensor_bits"]


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


def tensor_bits(graph: Graph, precision: Precision) -> dict[str, int]:
    """The bits of every tensor of a float graph."""
    wide = can_be_wide(graph) if precision is Precision.A16 else frozenset()
    return {tensor: 16 if tensor in wide else 8 for tensor in graph.tensors}

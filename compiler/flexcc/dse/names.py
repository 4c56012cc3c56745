# SPDX-License-Identifier: Apache-2.0
"""Names for the layers and tensors that rewrites add."""

from flexcc.ir.graph import Graph

__all__ = ["Names"]


class Names:
    """The names that a graph's layers and tensors have taken, and those given since."""

    def __init__(self, graph: Graph) -> None:
        self._taken = {layer.name for layer in graph.layers} | set(graph.tensors)

    def new(self, wanted: str) -> str:
        """`wanted`, with a number when it is taken."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name

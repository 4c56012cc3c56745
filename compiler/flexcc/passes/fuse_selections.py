# SPDX-License-Identifier: Apache-2.0
"""Joins slices, paddings and the like that follow each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from flexcc.ir.graph import Graph
from flexcc.ir.layers import Layer, Select
from flexcc.passes.base import Pass
from flexcc.passes.rewrite import only_user, with_layers

__all__ = ["FuseSelections"]


@dataclass(frozen=True, slots=True)
class FuseSelections(Pass):
    """select(select(x)) becomes one selection, if the second is the only user of the first.

    They must not fill with different numbers.
    """

    name: ClassVar[str] = "fuse-selections"

    def run(self, graph: Graph) -> Graph:
        """Joins until none is left; each time a layer goes."""
        while (rewritten := _first_join(graph)) is not None:
            graph = rewritten
        return graph


def _first_join(graph: Graph) -> Graph | None:
    for layer in graph.layers:
        producer = graph.producer(layer.inputs[0])
        if not isinstance(layer, Select) or not isinstance(producer, Select):
            continue
        if only_user(graph, producer.output) is not layer:
            continue
        if graph.tensors[producer.output].quantization != graph.tensors[layer.output].quantization:
            continue
        both = _joined(producer, layer)
        if both is not None:
            changes: dict[str, Layer | None] = {producer.name: None, layer.name: both}
            return with_layers(graph, changes)
    return None


def _joined(first: Select, second: Select) -> Select | None:
    if _fills(first) and _fills(second) and first.fill != second.fill:
        return None
    return replace(
        second,
        inputs=first.inputs,
        channels=_picked(first.channels, second.channels),
        rows=_picked(first.rows, second.rows),
        columns=_picked(first.columns, second.columns),
        fill=first.fill if _fills(first) else second.fill,
    )


def _fills(layer: Select) -> bool:
    return -1 in (*layer.channels, *layer.rows, *layer.columns)


def _picked(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    return tuple(-1 if index == -1 else first[index] for index in second)

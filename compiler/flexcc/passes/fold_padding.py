# SPDX-License-Identifier: Apache-2.0
"""Folds padding with zeros into the convolutions and average poolings behind it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from flexcc.ir.graph import Graph
from flexcc.ir.layers import AveragePool2d, Conv2d, Layer, Pads, Select
from flexcc.passes.base import Pass
from flexcc.passes.rewrite import with_layers

__all__ = ["FoldPadding"]


@dataclass(frozen=True, slots=True)
class FoldPadding(Pass):
    """conv2d(pad(x)) becomes conv2d(x) with larger pads; an average pooling counts the pixels.

    The selection must keep the whole image, add rows and columns of 0 around it, and be read by
    such layers only.
    """

    name: ClassVar[str] = "fold-padding"

    def run(self, graph: Graph) -> Graph:
        """Folds until none is left; each time a layer goes."""
        while (rewritten := _first_fold(graph)) is not None:
            graph = rewritten
        return graph


def _first_fold(graph: Graph) -> Graph | None:
    for layer in graph.layers:
        if not isinstance(layer, Select) or graph.is_output(layer.output):
            continue
        pads = _padding(graph, layer)
        users = graph.users(layer.output)
        if pads is None or not all(isinstance(user, Conv2d | AveragePool2d) for user in users):
            continue
        changes: dict[str, Layer | None] = {layer.name: None}
        for user in users:
            if isinstance(user, Conv2d):
                changes[user.name] = replace(user, inputs=layer.inputs, pads=_sum(user.pads, pads))
            elif isinstance(user, AveragePool2d):
                changes[user.name] = replace(
                    user,
                    inputs=layer.inputs,
                    pads=_sum(user.pads, pads),
                    counted=_sum(user.counted, pads),
                )
        return with_layers(graph, changes)
    return None


def _padding(graph: Graph, layer: Select) -> Pads | None:
    """The rows and columns of 0 around the whole image, if that is all."""
    source = graph.tensors[layer.inputs[0]]
    rows = _around(layer.rows, source.height)
    columns = _around(layer.columns, source.width)
    if layer.fill != 0 or layer.channels != tuple(range(source.channels)):
        return None
    if rows is None or columns is None:
        return None
    return Pads(top=rows[0], bottom=rows[1], left=columns[0], right=columns[1])


def _around(indices: Sequence[int], size: int) -> tuple[int, int] | None:
    before = next((place for place, index in enumerate(indices) if index != -1), 0)
    after = len(indices) - before - size
    whole = [-1] * before + list(range(size)) + [-1] * max(after, 0)
    return (before, after) if list(indices) == whole else None


def _sum(first: Pads, second: Pads) -> Pads:
    return Pads(
        top=first.top + second.top,
        left=first.left + second.left,
        bottom=first.bottom + second.bottom,
        right=first.right + second.right,
    )

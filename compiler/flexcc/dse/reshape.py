# SPDX-License-Identifier: Apache-2.0
"""Reshapes a network for an array: layers of few channels are rewritten where that costs less.

Both rewrites are exact in integers and keep the names of layers and tensors. A tensor's packing
says where each of its pixels lies.
"""

from collections.abc import Collection
from dataclasses import replace
from enum import Enum
from functools import cache

from flexcc.dse.fold_kernel import best_packing, shared_packings
from flexcc.dse.fold_through import fold_through
from flexcc.dse.input_forms import input_forms
from flexcc.dse.layer_cost import ArrayModel, Cost, Site, rewritten_layer, site_of
from flexcc.dse.layer_rewrite import UNBLOCKED, Block
from flexcc.dse.space_to_depth import choose_blocks
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution, Layer
from flexcc.ir.packing import Packing, block
from flexcc.ir.verify import verify

__all__ = ["Reshape", "reshape"]


class Reshape(Enum):
    """A rewrite that can be left out."""

    FOLD_KERNEL = "fold-kernel"
    SPACE_TO_DEPTH = "space-to-depth"


def reshape(graph: Graph, array: ArrayModel, wanted: Collection[Reshape]) -> Graph:
    """An equal integer graph, with `wanted` rewrites where they make it cheaper on `array`.

    Values [C, H, W] of the graph's tensors are `TensorType.pack` of the same in the new one's.
    """
    fold = Reshape.FOLD_KERNEL in wanted
    if fold:
        graph = fold_through(graph, array)
    sites = {
        layer.name: site_of(graph, layer)
        for layer in graph.layers
        if isinstance(layer, Convolution)
    }

    @cache
    def cost(site: Site, read: Block, written: Block) -> Cost | None:
        packing = block(site.source.height, site.source.width, *read)
        return site.cost(packing, written, array)

    @cache
    def input_cost(site: Site, written: Block) -> Cost | None:
        best = best_packing(site, written, array) if fold else None
        return cost(site, UNBLOCKED, written) if best is None else best[0]

    blocks = dict.fromkeys(graph.tensors, UNBLOCKED)
    if Reshape.SPACE_TO_DEPTH in wanted:
        first: dict[object, Site] = {}
        alike = {name: first.setdefault(site.signature, site) for name, site in sites.items()}
        most = 2 * max(array.m, array.n)
        blocks = choose_blocks(graph, alike, most, cost=cost, input_cost=input_cost)
    inputs = _input_packings(graph, sites, blocks, array) if fold else {}
    return _rewritten(graph, sites, blocks, inputs)


def _input_packings(
    graph: Graph, sites: dict[str, Site], blocks: dict[str, Block], array: ArrayModel
) -> dict[str, Packing]:
    """The packing of its input for every convolution that reads a graph input, by layer."""
    result = {}
    for port in graph.inputs:
        readers = [sites[user.name] for user in graph.users(port.tensor) if user.name in sites]
        own = {site.conv.name: blocks[site.conv.output] for site in readers}
        packed = shared_packings(readers, own, array)
        result.update({s.conv.name: p for s, p in zip(readers, packed, strict=True)})
    return result


def _rewritten(
    graph: Graph,
    sites: dict[str, Site],
    blocks: dict[str, Block],
    inputs: dict[str, Packing],
) -> Graph:
    """The graph with tensors in blocks, inputs in their packings, and layers to match."""
    tensors = {
        name: type_
        if blocks[name] == UNBLOCKED
        else type_.packed(block(type_.height, type_.width, *blocks[name]))
        for name, type_ in graph.tensors.items()
    }
    ports, copies = input_forms(graph, inputs, tensors)
    layers: list[Layer] = []
    for layer in graph.layers:
        site = sites.get(layer.name)
        if site is None:
            layers.append(layer)
            continue
        (source,) = layer.inputs
        packing = inputs.get(layer.name)
        if packing is None:
            packing = block(site.source.height, site.source.width, *blocks[source])
        own = _rewritten_layer(site, packing, blocks[layer.output])
        read = copies.get((source, packing), source)
        # An object that stays the same is known to all that has looked at it.
        layers.append(own if read == source else replace(own, inputs=(read,)))
    result = replace(graph, inputs=ports, tensors=tensors, layers=tuple(layers))
    verify(result)
    return result


def _rewritten_layer(site: Site, packing: Packing, blocks: Block) -> Convolution:
    if packing.lanes == 1 and blocks == UNBLOCKED:
        return site.conv
    layer = rewritten_layer(site.conv, site.source, site.target, packing, blocks)
    assert layer is not None, "only what can be is chosen"
    return layer

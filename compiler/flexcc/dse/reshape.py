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
from flexcc.dse.layer_cost import ArrayModel, Cost, Site
from flexcc.dse.layer_rewrite import UNBLOCKED, Block, rewrite_layer
from flexcc.dse.space_to_depth import choose_blocks
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Add, Conv2d, Convolution, Layer, MaxPool2d
from flexcc.ir.packing import Packing, block
from flexcc.ir.types import TensorType
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
    sites = {
        layer.name: _site(graph, layer) for layer in graph.layers if isinstance(layer, Convolution)
    }
    fold = Reshape.FOLD_KERNEL in wanted

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


def _site(graph: Graph, conv: Convolution) -> Site:
    output = conv.output
    match graph.users(output):
        case (Add() as add,):
            output = add.output
    users = graph.users(output)
    pools = sum(isinstance(user, MaxPool2d) for user in users)
    pooled = isinstance(conv, Conv2d) and pools > 0
    alone = pools == len(users) and not graph.is_output(output)
    return Site(
        conv=conv,
        source=graph.tensors[conv.inputs[0]],
        target=graph.tensors[conv.output],
        stored=not (pooled and alone),
        pooled=pooled,
    )


def _plain(type_: TensorType) -> Packing:
    return block(type_.height, type_.width, *UNBLOCKED)


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
    ports, copies = _ports(graph, inputs, tensors)
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
        renamed = replace(site.conv, inputs=(copies.get((source, packing), source),))
        layers.append(_rewritten_layer(site, renamed, packing, blocks[layer.output]))
    result = replace(graph, inputs=ports, tensors=tensors, layers=tuple(layers))
    verify(result)
    return result


def _rewritten_layer(site: Site, conv: Convolution, packing: Packing, blocks: Block) -> Layer:
    if packing.lanes == 1 and blocks == UNBLOCKED:
        return conv
    rewrite = rewrite_layer(conv, site.source, site.target, packing, blocks)
    assert rewrite is not None, "only what can be is chosen"
    return rewrite.layer(conv)


def _ports(
    graph: Graph, inputs: dict[str, Packing], tensors: dict[str, TensorType]
) -> tuple[tuple[Port, ...], dict[tuple[str, Packing], str]]:
    """A port for each form of an input that is read, and the tensor of each form.

    The tensor keeps its name, further forms get a number. Fills in `tensors`.
    """
    ports: list[Port] = []
    copies: dict[tuple[str, Packing], str] = {}
    for port in graph.inputs:
        type_ = graph.tensors[port.tensor]
        plain = _plain(type_)
        forms = [inputs.get(user.name, plain) for user in graph.users(port.tensor)]
        if graph.is_output(port.tensor) or not forms:
            forms.append(plain)
        # Other layers than convolutions read the tensor by its name as it is.
        forms = [packing for packing in forms if packing == plain] + forms
        for number, packing in enumerate(dict.fromkeys(forms)):
            name = port.tensor if number == 0 else _new_name(port.tensor, tensors)
            tensors[name] = type_ if packing.lanes == 1 else type_.packed(packing)
            copies[port.tensor, packing] = name
            ports.append(replace(port, tensor=name))
    return tuple(ports), copies


def _new_name(tensor: str, taken: dict[str, TensorType]) -> str:
    number = 2
    while f"{tensor}_form{number}" in taken:
        number += 1
    return f"{tensor}_form{number}"

# SPDX-License-Identifier: Apache-2.0
"""Space-to-depth: pixels of an inner tensor become its channels, so that few channels fill lanes.

A tensor [C, H, W] in blocks of by x bx pixels is [by*bx*C, H/by, W/bx]; the layer that writes it
and all that read it are rewritten. The host unpacks graph outputs; graph inputs, and what other
layers than convolutions touch, keep their pixels.
"""

from collections.abc import Callable, Mapping
from itertools import product

from flexcc.dse.layer_cost import Cost, Site
from flexcc.dse.layer_rewrite import UNBLOCKED, Block
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution
from flexcc.ir.types import TensorType

__all__ = ["block_choices", "choose_blocks"]

_SIDES = (1, 2, 4)

LayerCost = Callable[[Site, Block, Block], Cost | None]
"""The cost of a layer whose input and output are in blocks; None where that cannot be."""
InputCost = Callable[[Site, Block], Cost | None]
"""The cost of a layer that reads a graph input and writes in blocks."""


def block_choices(graph: Graph, tensor: str, most_channels: int) -> list[Block]:
    """The blocks that a tensor may have with at most so many channels, small and low ones first.

    Only what a convolution writes and nothing but convolutions read can have blocks, of 8 bits.
    """
    users = graph.users(tensor)
    touched = (graph.producer(tensor), *users)
    if not all(isinstance(layer, Convolution) for layer in touched):
        return [UNBLOCKED]
    type_ = graph.tensors[tensor]
    if type_.packing is not None or type_.wide:
        return [UNBLOCKED]
    found = [blocks for blocks in product(_SIDES, _SIDES) if _divides(type_, blocks, most_channels)]
    return sorted(found, key=lambda blocks: (blocks[0] * blocks[1], blocks[1]))


def _divides(type_: TensorType, blocks: Block, most_channels: int) -> bool:
    rows, columns = blocks
    if blocks == UNBLOCKED:
        return True
    return (
        type_.height % rows == 0
        and type_.width % columns == 0
        and type_.channels * rows * columns <= most_channels
    )


def choose_blocks(
    graph: Graph,
    sites: Mapping[str, Site],
    most_channels: int,
    *,
    cost: LayerCost,
    input_cost: InputCost,
) -> dict[str, Block]:
    """The blocks of every tensor that cost the network least, by dynamic programming.

    Every layer that can have blocks has one input, so the layers form trees and the choice is
    exact: from the last layer to the first, what a tensor's blocks cost is the sum over its users
    of the cheapest blocks of their outputs. `sites` holds the convolutions by name, or others that
    cost the same; tensors in blocks have at most `most_channels`.
    """
    inputs = {port.tensor for port in graph.inputs}
    choices = {name: block_choices(graph, name, most_channels) for name in graph.tensors}
    # Cost of all that depends on a tensor, by its blocks; what cannot be has no entry.
    behind = {
        name: {blocks: Cost(cycles=0, beats=0) for blocks in own} for name, own in choices.items()
    }
    decided: dict[tuple[str, Block], Block] = {}
    for layer in reversed(graph.layers):
        site = sites.get(layer.name)
        if site is None:
            continue
        (source,) = layer.inputs
        for blocks in list(behind[source]):
            best: tuple[Cost, Block] | None = None
            for written, rest in behind[layer.output].items():
                own = input_cost(site, written) if source in inputs else cost(site, blocks, written)
                if own is not None and (best is None or own + rest < best[0]):
                    best = own + rest, written
            if best is None:
                del behind[source][blocks]
            else:
                behind[source][blocks] += best[0]
                decided[layer.name, blocks] = best[1]
    result = dict.fromkeys(graph.tensors, UNBLOCKED)
    for layer in graph.layers:
        if layer.name in sites:
            result[layer.output] = decided[layer.name, result[layer.inputs[0]]]
    return result

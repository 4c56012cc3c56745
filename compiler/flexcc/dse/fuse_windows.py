# SPDX-License-Identifier: Apache-2.0
"""Puts depthwise layers in front of the convolutions that read them, into the window engine."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from flexcc.dse.mapping import Chain
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Conv2d
from flexcc.tiles import Stage
from flexcc.windows import MOST_TAPS, window_taps_needed

__all__ = ["apart", "fuse_windows"]


def fuse_windows(
    graph: Graph, chains: Iterable[Chain], *, taps: int = MOST_TAPS**2
) -> tuple[Chain, ...]:
    """`chains` with each window layer, if one convolution alone reads it, in front of that one.

    `taps` are those of the window engine. Of window layers that follow each other the last one is
    fused first. What is computed behind a layer on its way to memory keeps it where it is.
    """
    alone = {chain.conv for chain in chains if chain.names == (chain.conv,)}
    layers = {layer.name: layer for layer in graph.layers}
    result: list[Chain] = []
    fused: set[str] = set()
    for chain in reversed(tuple(chains)):
        if chain.conv in fused:
            continue
        (source,) = layers[chain.conv].inputs
        front = graph.producer(source)
        fits = (
            isinstance(front, Conv2d)
            and front.name in alone
            and len(graph.users(source)) == 1
            and not graph.is_output(source)
            and not any(graph.tensors[name].wide for name in (source, *front.inputs))
            and (window_taps_needed(front) or taps + 1) <= taps
        )
        if front is not None and fits:
            fused.add(front.name)
            result.append(replace(chain, window=front.name))
        else:
            result.append(chain)
    return tuple(reversed(result))


@lru_cache(maxsize=4096)
def apart(stage: Stage) -> tuple[Stage, Stage]:
    """A stage with a window layer as two: that layer on the array, and the rest."""
    if stage.window is None:
        raise ValueError(f"{stage.name}: it has no window layer")
    first = Stage(
        conv=stage.window,
        input=stage.source,
        raw=stage.input,
        output=stage.input,
        joined=stage.joined,
        keep_zeros=stage.keep_zeros,
        may_bundle=stage.may_bundle,
    )
    return first, replace(stage, window=None, read=None, joined=())

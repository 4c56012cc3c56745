# SPDX-License-Identifier: Apache-2.0
"""Mapping: the decisions, keyed by layer name. What is computed stands in the graph."""

from dataclasses import dataclass, replace
from enum import Enum

from flexcc.accelerator import Accelerator
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Convolution, MaxPool2d
from flexcc.tiles import Stage, Tiling, tiling

__all__ = ["Group", "Mapping", "WeightMode", "group_tiling", "stage_of"]


class WeightMode(Enum):
    """How the weights of a layer pass through the ring."""

    KEEP = "keep"
    """Fetched once, kept for all tiles of the layer."""
    RELOAD = "reload"
    """Fetched for every tile, each pass kept for the tile."""
    STREAM = "stream"
    """Fetched for every group of pixels, because a pass is longer than the ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A fusion group: one convolution and the max-pooling of its output, if fused.

    Tiles have `tile_rows` x `tile_cols` pixels of the stored tensor, less at the far edges.
    `rotation` is the bank of the first pixel of each column phase of the input window. One pass of
    the array makes `bundle` output phases. `keep_zeros` multiplies taps whose weights are all zero.
    """

    conv: str
    pool: str | None
    tile_rows: int
    tile_cols: int
    weights: WeightMode
    rotation: tuple[int, ...]
    bundle: int = 1
    keep_zeros: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """The accelerator, and how each layer runs on it, in execution order."""

    accelerator: Accelerator
    groups: tuple[Group, ...]

    def __str__(self) -> str:
        a = self.accelerator
        kind = "packed" if a.packed else "unpacked"
        depths = (a.act_words, a.weight_words, a.param_passes, a.out_words, a.list_entries)
        lines = [
            f"array {a.m}x{a.p}x{a.n} {kind}, {a.q} drain chains, {a.beat_bytes}-byte beats",
            "buffers act={} weight={} params={} out={} lists={}".format(*depths),
        ]
        for group in self.groups:
            name = group.conv if group.pool is None else f"{group.conv} + {group.pool}"
            rotation = ",".join(map(str, group.rotation))
            bundle = "" if group.bundle == 1 else f" bundle={group.bundle}"
            zeros = " zeros=kept" if group.keep_zeros else ""
            lines.append(
                f"{name}: tile {group.tile_rows}x{group.tile_cols} "
                f"weights={group.weights.value} rotation={rotation}{bundle}{zeros}"
            )
        return "\n".join(lines) + "\n"


def stage_of(graph: Graph, conv_name: str, pool_name: str | None) -> Stage:
    """The stage that a group's layers form; KeyError for a name that the graph does not have."""
    layers = {layer.name: layer for layer in graph.layers}
    conv = layers[conv_name]
    pool = None if pool_name is None else layers[pool_name]
    if not isinstance(conv, Convolution) or not (pool is None or isinstance(pool, MaxPool2d)):
        raise TypeError(f"{conv_name}, {pool_name}: a convolution and a max-pooling are expected")
    return Stage(
        conv=conv,
        pool=pool,
        input=graph.tensors[conv.inputs[0]],
        raw=graph.tensors[conv.output],
        output=graph.tensors[conv.output if pool is None else pool.output],
    )


def group_tiling(stage: Stage, group: Group, accelerator: Accelerator) -> Tiling:
    """The tiles that `group` decides on for its stage."""
    return tiling(
        replace(stage, keep_zeros=group.keep_zeros),
        accelerator,
        tile_rows=group.tile_rows,
        tile_cols=group.tile_cols,
        rotation=group.rotation,
        bundle=group.bundle,
    )

# SPDX-License-Identifier: Apache-2.0
"""Mapping: the decisions, keyed by layer name. What is computed stands in the graph."""

from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import TypeVar

from flexcc.accelerator import Accelerator
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add, Conv2d, Convolution, Layer, MaxPool2d, Select, Table
from flexcc.joins import stored_parts
from flexcc.second import second_of
from flexcc.tiles import Stage, Tiling, tiling

__all__ = [
    "Chain",
    "Group",
    "Mapping",
    "Resident",
    "WeightMode",
    "chain_of",
    "group_tiling",
    "stage_of",
]


class WeightMode(Enum):
    """How the weights of a layer pass through the ring."""

    KEEP = "keep"
    """Fetched once, kept for all tiles of the layer."""
    RELOAD = "reload"
    """Fetched for every tile, each pass kept for the tile."""
    STREAM = "stream"
    """Fetched for every group of pixels, because a pass is longer than the ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The names of the layers that one trip through the accelerator computes, in its order.

    Each reads the one before it: a `window`, which is a depthwise layer in front, the convolution,
    the `sum` with a second tensor, its `bend`, which is a layer of single values with two slopes,
    the `table`, the max-pooling. None is absent.
    """

    window: str | None = None
    conv: str
    sum: str | None = None
    bend: str | None = None
    table: str | None = None
    pool: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The layers that are there, in order."""
        return tuple(name for f in fields(self) if (name := getattr(self, f.name)) is not None)

    def __str__(self) -> str:
        return " + ".join(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A fusion group: a chain of layers, and how it runs.

    Tiles have `tile_rows` x `tile_cols` pixels of the stored tensor, less at the far edges.
    `rotation` is the bank of the first pixel of each column phase of the input window. One pass of
    the array makes `bundle` output phases. `keep_zeros` multiplies taps whose weights are all zero.
    """

    chain: Chain
    tile_rows: int
    tile_cols: int
    weights: WeightMode
    rotation: tuple[int, ...]
    bundle: int = 1
    keep_zeros: bool = False

    @property
    def name(self) -> str:
        """The convolution's name."""
        return self.chain.conv


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A stored tensor that lies in on-chip memory, at an address in its window.

    Addresses that are alike modulo the step of the window's pages are the same RAM.
    """

    tensor: str
    address: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """The accelerator, how each layer runs on it, in execution order, and what stays on chip."""

    accelerator: Accelerator
    groups: tuple[Group, ...]
    residents: tuple[Resident, ...] = ()

    def __str__(self) -> str:
        a = self.accelerator
        kind = "packed" if a.packed else "unpacked"
        depths = (a.act_words, a.weight_words, a.param_passes, a.out_words, a.list_entries)
        lines = [
            f"array {a.m}x{a.p}x{a.n} {kind}, {a.q} drain chains, {a.beat_bytes}-byte beats",
            "buffers act={} weight={} params={} out={} lists={}".format(*depths),
        ]
        if a.slopes:
            lines.append("two-slope requantisers")
        if a.bends:
            lines.append("two slopes behind sums")
        if a.tables:
            lines.append("tables behind the requantisers")
        if a.window_taps:
            size = f"{a.window_beats} beats a row, {a.window_channels} channels"
            lines.append(f"window engine of {a.window_taps} taps: {size}")
        if a.on_chip_bytes:
            lines.append(f"{a.on_chip_bytes} bytes on chip, {a.on_chip_pages} pages")
        for group in self.groups:
            rotation = ",".join(map(str, group.rotation))
            bundle = "" if group.bundle == 1 else f" bundle={group.bundle}"
            zeros = " zeros=kept" if group.keep_zeros else ""
            lines.append(
                f"{group.chain}: tile {group.tile_rows}x{group.tile_cols} "
                f"weights={group.weights.value} rotation={rotation}{bundle}{zeros}"
            )
        lines += [f"{item.tensor}: on chip at {item.address}" for item in self.residents]
        return "\n".join(lines) + "\n"


_Kind = TypeVar("_Kind", bound=Layer)


def _named(layers: dict[str, Layer], name: str | None, kind: type[_Kind]) -> _Kind | None:
    if name is None:
        return None
    layer = layers[name]
    if not isinstance(layer, kind):
        raise TypeError(f"{name}: a {kind.__name__} is expected, not {type(layer).__name__}")
    return layer


def stage_of(graph: Graph, chain: Chain) -> Stage:
    """The stage that a chain's layers form.

    Raises:
        KeyError: the graph has no layer of a name.
        TypeError: a layer is not of the kind of its place.
    """
    layers = {layer.name: layer for layer in graph.layers}
    conv = _named(layers, chain.conv, Convolution)
    add = _named(layers, chain.sum, Add)
    assert conv is not None
    window, bend = (_named(layers, name, Conv2d) for name in (chain.window, chain.bend))
    (source,) = conv.inputs if window is None else window.inputs
    parts = stored_parts(graph, source)
    pool = _named(layers, chain.pool, MaxPool2d)
    pooled = None if pool is None else pool.inputs[0]
    second = skip = None
    if add is not None:
        first, last = add.inputs
        second = second_of(graph, last if first == conv.output else first)
        skip = graph.tensors[second.tensor]
    output = layers[chain.names[-1]].output
    return Stage(
        window=window,
        conv=conv,
        sum=add,
        bend=bend,
        table=_named(layers, chain.table, Table),
        pool=pool,
        input=graph.tensors[conv.inputs[0]],
        read=None if window is None else graph.tensors[source],
        raw=graph.tensors[conv.output],
        skip=skip,
        second=second,
        summed=None if bend is None else graph.tensors[bend.inputs[0]],
        bent=None if bend is None else graph.tensors[bend.output],
        output=graph.tensors[output],
        joined=() if parts[0].tensor == source else parts,
        keeps=pooled is not None and (graph.is_output(pooled) or len(graph.users(pooled)) > 1),
        # Lanes of a second tensor that repeat others would not repeat in its sum.
        may_bundle=not any(isinstance(user, Add | Select) for user in graph.users(output)),
    )


def chain_of(stage: Stage) -> Chain:
    """The chain that forms `stage`."""
    layers = {f.name: getattr(stage, f.name) for f in fields(Chain)}
    return Chain(**{place: layer and layer.name for place, layer in layers.items()})


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

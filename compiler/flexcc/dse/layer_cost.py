# SPDX-License-Identifier: Apache-2.0
"""What a layer costs on an array of a given shape, before its tiles are known."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from flexcc.dse.latency import beat_cost, row_reads
from flexcc.dse.layer_rewrite import UNBLOCKED, Block, rewrite_layer
from flexcc.ir.graph import Graph
from flexcc.ir.layers import Add, Conv2d, Convolution, MaxPool2d
from flexcc.ir.packing import Packing, block
from flexcc.ir.types import TensorType
from flexcc.program.formats import MAX_PHASES
from flexcc.tiles import (
    Stage,
    StageLists,
    best_rotation,
    bundle_choices,
    column_phases,
    stage_lists,
)

__all__ = [
    "ArrayModel",
    "Cost",
    "Site",
    "array_cycles",
    "best_lists",
    "layer_cost",
    "rewritten_layer",
    "site_of",
]

_ZERO_GROUP = 4
"""Channels, in and out, of which only all being zero tells layers of one geometry apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayModel:
    """M rows, P columns, N lanes; an output block takes `drain_cycles` at the least."""

    m: int
    p: int
    n: int
    drain_cycles: int
    beat_bytes: int

    @property
    def beat_pixels(self) -> int:
        """Pixels of a channel group in a memory beat."""
        return self.beat_bytes // self.n


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cost:
    """`cycles` of the engine that works longest; of equal ones fewer memory `beats` are better."""

    cycles: float
    beats: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(cycles=self.cycles + other.cycles, beats=self.beats + other.beats)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Site:
    """A convolution and its tensors, neither packed.

    `stored` unless the output is pooled first, and nothing else reads it. `pooled` if a pooling is
    to run behind it: then it may not become a transposed one, whose phases cannot be pooled.
    """

    conv: Convolution
    source: TensorType
    target: TensorType
    stored: bool
    pooled: bool = False

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal for layers that cost the same: geometry, and which groups of weights are zero."""
        conv, source, target = self.conv, self.source, self.target
        return (
            type(conv),
            conv.weight.shape,
            (conv.strides, conv.pads, conv.dilations, conv.groups),
            (source.channels, source.height, source.width),
            (target.channels, target.height, target.width),
            (self.stored, self.pooled, source.wide, target.wide),
            _zero_groups(conv),
        )

    def cost(self, packing: Packing, blocks: Block, array: ArrayModel) -> Cost | None:
        """The cost with the input packed and the output in blocks; None where that cannot be."""
        if blocks == UNBLOCKED and packing.lanes == 1:
            return layer_cost(self.conv, self.source, self.target, array, stored=self.stored)
        layer = rewritten_layer(self.conv, self.source, self.target, packing, blocks)
        if layer is None or (self.pooled and not isinstance(layer, Conv2d)):
            return None
        source = self.source if packing.lanes == 1 else self.source.packed(packing)
        target = self.target.packed(block(self.target.height, self.target.width, *blocks))
        return layer_cost(layer, source, target, array, stored=self.stored)


@lru_cache(maxsize=1024)
def _zero_groups(conv: Convolution) -> bytes:
    """Which groups of weights are all zero."""
    present = conv.weight != 0
    for axis in range(2):
        starts = range(0, present.shape[axis], _ZERO_GROUP)
        present = np.logical_or.reduceat(present, list(starts), axis=axis)
    return bytes(present.tobytes())


def site_of(graph: Graph, conv: Convolution) -> Site:
    """Where a convolution of a graph stands, before its tensors are packed."""
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


@lru_cache(maxsize=4096)
def rewritten_layer(
    conv: Convolution, source: TensorType, target: TensorType, packing: Packing, blocks: Block
) -> Convolution | None:
    """The layer with all its weights: taps without any cost nothing. None where that cannot be."""
    rewrite = rewrite_layer(conv, source, target, packing, blocks)
    if rewrite is None or (not rewrite.x.transposed and rewrite.x.stride > MAX_PHASES):
        return None
    return rewrite.layer(conv)


def layer_cost(
    conv: Convolution, source: TensorType, target: TensorType, array: ArrayModel, *, stored: bool
) -> Cost:
    """The cost of a layer: array, load, weights and, unless its output is pooled first, store.

    - array: rows x ceil(columns / P) x sum over output blocks of max(K, drain cycles);
    - load: planes x rows x beats of a row x cycles of a beat, more for strides of columns;
    - store: planes x rows x reads of a row, more for phases of columns;
    - weights: once, a word of M*N bytes a cycle at most.
    """
    lists, computed = _best_lists(conv, source, target, array)
    loaded = _beats(source, array)
    written = _beats(target, array) if stored else 0
    cycles = max(
        computed,
        loaded * _load_beat(conv, target, array),
        _store_cycles(conv, target, array) if stored else 0,
        sum(lists.pass_steps) * -(-array.m * array.n // array.beat_bytes),
    )
    return Cost(cycles=cycles, beats=loaded + written)


def _beats(tensor: TensorType, array: ArrayModel) -> int:
    rows = -(-tensor.channels // array.n) * tensor.height
    return rows * -(-tensor.width // array.beat_pixels)


def _column_stride(conv: Convolution, target: TensorType) -> int:
    """The stride that the loader sees: a large one is split, and the rest subsampled."""
    if not isinstance(conv, Conv2d) or target.width == 1:
        return 1
    return max(s for s in range(1, MAX_PHASES + 1) if conv.strides[1] % s == 0)


def _load_beat(conv: Convolution, target: TensorType, array: ArrayModel) -> float:
    stride = _column_stride(conv, target)
    return _beat_cycles(stride, conv.pads.left % stride, array.p, array.beat_pixels)


@lru_cache(maxsize=1024)
def _beat_cycles(stride: int, residue: int, banks: int, beat_pixels: int) -> float:
    rotation = best_rotation(stride=stride, banks=banks, beat_pixels=beat_pixels, residue=residue)
    columns = column_phases(
        stride=stride, banks=banks, columns=beat_pixels * banks, rotation=rotation
    )
    return beat_cost(columns, beat_pixels, residue)


def _store_cycles(conv: Convolution, target: TensorType, array: ArrayModel) -> int:
    step = 1 if isinstance(conv, Conv2d) else conv.strides[1]
    reads = row_reads(target.width, step=step, banks=array.p, beat_pixels=array.beat_pixels)
    return -(-target.channels // array.n) * target.height * reads


def _best_lists(
    conv: Convolution, source: TensorType, target: TensorType, array: ArrayModel
) -> tuple[StageLists, int]:
    """The lists with as many output phases a pass as save array cycles, and these cycles."""
    # Columns that a split stride computes in vain.
    split = conv.strides[1] // _column_stride(conv, target) if isinstance(conv, Conv2d) else 1
    raw = replace(target, width=target.width * split)
    stage = Stage(conv=conv, input=source, raw=raw, output=raw)

    def cycles(lists: StageLists) -> int:
        return array_cycles(stage, lists, array.p, array.drain_cycles)

    choices = _list_choices(conv, source, raw, (array.m, array.n, array.m // array.drain_cycles))
    lists = min(choices, key=cycles)
    return lists, cycles(lists)


@lru_cache(maxsize=16384)
def _list_choices(
    conv: Convolution, source: TensorType, raw: TensorType, size: tuple[int, int, int]
) -> tuple[StageLists, ...]:
    """The lists with each number of phases a pass on (M, N, Q) = `size`, whatever the columns."""
    m, n, q = size
    stage = Stage(conv=conv, input=source, raw=raw, output=raw)
    choices = bundle_choices(stage, m=m, n=n, q=q)
    return tuple(stage_lists(stage, m=m, n=n, bundle=bundle) for bundle in choices)


def array_cycles(stage: Stage, lists: StageLists, p: int, drain_cycles: int) -> int:
    """Array cycles of a stage with whole rows; a block takes `drain_cycles` at the least."""
    rows = -(-stage.raw.height // lists.taps.y.out_step)
    columns = -(-stage.raw.width // lists.taps.x.out_step)
    return rows * -(-columns // p) * sum(max(k, drain_cycles) for k in lists.pass_steps)


def best_lists(stage: Stage, *, m: int, p: int, n: int, q: int, drain_cycles: int) -> StageLists:
    """The lists with as many phases a pass as save array cycles."""
    choices = bundle_choices(stage, m=m, n=n, q=q)
    every = (stage_lists(stage, m=m, n=n, bundle=bundle) for bundle in choices)
    return min(every, key=lambda lists: array_cycles(stage, lists, p, drain_cycles))

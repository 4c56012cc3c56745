# SPDX-License-Identifier: Apache-2.0
"""For how long each tensor needs its memory, counted in stages.

A tensor is there from the stage that stores it to the last one that reads it. Another may take its
place as soon as every read is certainly over, which the waits of the program must prove: a tile is
stored when its own loads and those of all tiles before it on its core are over, and what it has
waited for was stored, so the same is true of that tile's core.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import add

from flexcc.cores import core_tiles
from flexcc.ir.graph import Graph
from flexcc.joins import stored_parts
from flexcc.layout import REGION_BYTES, TensorLayout, align
from flexcc.tiles import Stage, Tiling, rows_beyond
from flexcc.waits import waiting_tiles

__all__ = ["Lifetime", "lifetimes", "settled_stages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """A stored tensor that the host does not need: its bytes, and the stages `first` to `last`.

    `first` stores it; what is stored after `last` may overwrite it.
    """

    tensor: str
    size: int
    first: int
    last: int


def lifetimes(graph: Graph, tilings: Sequence[Tiling]) -> tuple[Lifetime, ...]:
    """The lifetimes of all that stages store for each other, in the order of their stages."""
    outputs = {part.tensor for port in graph.outputs for part in stored_parts(graph, port.tensor)}
    settled = settled_stages(tilings)
    beyond = rows_beyond(tilings)
    found = []
    for first, tiling in enumerate(tilings):
        for name in tiling.stage.stored_tensors:
            readers = [n for n, other in enumerate(tilings) if name in _read(other.stage)]
            if name in outputs or not readers:
                continue
            # Up to the last stage that may be stored before all reads are over.
            last = max(n for n in range(len(tilings)) if settled[n] < readers[-1])
            layout = _layout(tiling, name)
            size = layout.size + beyond.get(name, 0) * layout.row_pitch
            found.append(
                Lifetime(tensor=name, size=align(size, REGION_BYTES), first=first, last=last)
            )
    return tuple(found)


def settled_stages(tilings: Sequence[Tiling]) -> tuple[int, ...]:
    """For each stage the last one all of whose reads are over before it stores anything.

    -1 where there is none. Of one core it is the stage before.
    """
    cores = tilings[0].accelerator.cores
    orders = (core_tiles(len(tiling.rows), len(tiling.cols), cores) for tiling in tilings)
    ends = list(_running_sums([tuple(map(len, order)) for order in orders], cores))
    known: list[list[tuple[int, ...]]] = [[] for _ in range(cores)]
    settled = []
    for stage, tiles in enumerate(waiting_tiles(tilings)):
        least: tuple[int, ...] | None = None
        for item in tiles:
            core, waits = item.core, item.waits
            if item.skip_waits is not None:
                waits = tuple(map(max, waits, item.skip_waits))
            # Tiles of each core whose loads are over when this one is stored.
            mine = known[core][-1] if known[core] else (0,) * cores
            for other, count in enumerate(waits):
                if count and other != core:
                    mine = tuple(map(max, mine, known[other][count - 1]))
            own = len(known[core]) + 1
            mine = tuple(own if c == core else n for c, n in enumerate(mine))
            known[core].append(mine)
            # Whatever this core has read before, it has read.
            past = tuple(ends[stage][c] if c == core else n for c, n in enumerate(mine))
            least = past if least is None else tuple(map(min, least, past))
        assert least is not None
        over = [n for n in range(stage) if all(map(int.__le__, ends[n], least))]
        settled.append(max(over, default=-1))
    return tuple(settled)


def _running_sums(counts: Sequence[tuple[int, ...]], cores: int) -> Iterator[tuple[int, ...]]:
    """The tiles of each core up to each stage, that stage's included."""
    total = (0,) * cores
    for count in counts:
        total = tuple(map(add, total, count))
        yield total


def _read(stage: Stage) -> set[str]:
    second = stage.skip_tensor
    return {*stage.sources, *(() if second is None else (second,))}


def _layout(tiling: Tiling, name: str) -> TensorLayout:
    stage = tiling.stage
    type_ = stage.output
    if name == stage.kept_tensor:
        type_ = stage.raw if stage.bent is None else stage.bent
    return TensorLayout(
        channels=type_.channels,
        height=type_.height,
        width=type_.width,
        lanes=tiling.accelerator.n,
        beat_bytes=tiling.accelerator.beat_bytes,
    )

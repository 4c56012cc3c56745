# SPDX-License-Identifier: Apache-2.0
"""A stage on its own: the closed form of its cycles, which the search for tiles minimises.

Rows and columns are independent: what a row of all tiles takes is found once for each width of
tiles, and the rows are counted once for each height.
"""

from dataclasses import dataclass
from functools import lru_cache

from flexcc.axis_tiles import AxisTiles
from flexcc.cores import core_rows
from flexcc.dse.latency import (
    MEMORY_LATENCY,
    REQUEST_CYCLES,
    RowLoad,
    array_latency,
    row_load,
    rows_load,
    skip_row_cycles,
    stage_passes,
    store_reads,
)
from flexcc.dse.mapping import WeightMode
from flexcc.dse.traffic import pixel_groups
from flexcc.tiles import Tiling

__all__ = ["RowCycles", "StageCycles", "row_cycles", "stage_cycles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCycles:
    """A stage on its own: total cycles of each engine, and an estimate of the whole."""

    load: float
    skip: float
    array: int
    weights: int
    store: int
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCycles:
    """What a row takes in all columns of tiles, whatever the heights of tiles.

    `loads` are those of each column, `memory` and `padding` their sums; `stored` and `kept` count
    reads of the store engine, `first` and `first_kept` those of the first column alone.
    """

    loads: tuple[RowLoad, ...]
    memory: float
    padding: float
    skip: float
    stored: int
    kept: int
    first: int
    first_kept: int
    groups: int
    first_groups: int


def row_cycles(tiling: Tiling) -> RowCycles:
    """What rows take in tiles of this width."""
    cols, p = tiling.cols, tiling.accelerator.p
    loads = tuple(row_load(tiling, col) for col in cols)
    reads = [store_reads(tiling, col) for col in cols]
    return RowCycles(
        loads=loads,
        memory=sum(load.memory for load in loads),
        padding=sum(load.padding for load in loads),
        skip=sum(skip_row_cycles(tiling, col) for col in cols),
        stored=sum(stored for stored, _ in reads),
        kept=sum(kept for _, kept in reads),
        first=reads[0][0],
        first_kept=reads[0][1],
        groups=pixel_groups(cols, p),
        first_groups=-(-len(cols[0].grid) // p),
    )


@lru_cache(maxsize=4096)
def _busiest_rows(rows: AxisTiles, cores: int) -> AxisTiles:
    """The rows of tiles of the core that has the most output rows."""
    if cores == 1:
        return rows
    orders = core_rows(len(rows), cores)
    bands = (tuple(rows[row] for row in order) for order in orders)
    return AxisTiles(tiles=max(bands, key=lambda band: sum(len(row.grid) for row in band)))


def _load_total(tiling: Tiling, band: AxisTiles, row: RowCycles) -> float:
    """Cycles to load all windows of a band: a product of two sums, but in the window engine."""
    if tiling.stage.window is None:
        return tiling.in_planes * (band.count * row.memory + band.padding * row.padding)
    return sum(
        times * rows_load(tiling, rows, load) for rows, times in band.alike for load in row.loads
    )


def stage_cycles(tiling: Tiling, mode: WeightMode, row: RowCycles | None = None) -> StageCycles:
    """The closed form that the solver minimises, of the core with the most to do.

    `row` is what `row_cycles` finds, if that is known.

    Every engine works through its own total; the slowest one decides, or the two halves of a
    buffer: of the output buffer, which a block group holds while it is computed, drained and
    stored, of the activation buffer, whose next tile is asked for when the one before has come, of
    the skip buffer, which is held like both. In front
    stands the load of the first tile, behind it the store of the last one's last half; the array
    waits in the first tile for weights that take longer than load and array do. With fewer than
    three rows of tiles the next stage cannot begin before this one ends, and a memory latency each
    way shows.
    """
    a, top, planes = tiling.accelerator, tiling.rows[0], tiling.stored_planes
    row = row or row_cycles(tiling)
    passes, band = stage_passes(tiling.lists, a), _busiest_rows(tiling.rows, a.cores)
    load, skip = _load_total(tiling, band, row), row.skip * band.raw
    store = planes * row.stored * band.stored + tiling.out_planes * row.kept * band.kept
    groups = row.groups * band.grid
    array = groups * passes.steps
    tiles = len(band) * len(tiling.cols)
    halves_of_tile = len(tiling.lists.groups)
    first_load = rows_load(tiling, top, row.loads[0])
    first_store = planes * (len(top.stored) * row.first + len(top.kept) * row.first_kept)
    late = 0.0
    if mode is WeightMode.STREAM:
        weights = tiles * passes.parameters + groups * passes.words
    else:
        one = passes.parameters + passes.words
        weights = one * (1 if mode is WeightMode.KEEP else tiles)
        first_array = len(top.grid) * row.first_groups * passes.steps
        late = max(0.0, one - first_load - first_array)
    halves = tiles * halves_of_tile
    latency = array_latency(a)
    held = halves * latency
    slowest = max(
        load - first_load,
        array + late,
        weights,
        store,
        skip,
        (array + store + held) / 2,
        (load + tiles * REQUEST_CYCLES) / 2 - first_load,
    )
    if skip:
        slowest = max(slowest, (skip + max(array + held, halves * REQUEST_CYCLES)) / 2)
    total = first_load + slowest + first_store / halves_of_tile + latency
    if len(band) < 3:
        total += 2 * MEMORY_LATENCY
    return StageCycles(load=load, skip=skip, array=array, weights=weights, store=store, total=total)

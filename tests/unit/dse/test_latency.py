# SPDX-License-Identifier: Apache-2.0
"""Formulas against sums over tiles, and the timeline against cases worked out by hand."""

import random
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest

from flexcc.backend.planner import build_plan
from flexcc.dse.closed_form import row_cycles, stage_cycles
from flexcc.dse.latency import (
    BURST_CYCLES,
    MEMORY_LATENCY,
    REQUEST_CYCLES,
    START_CYCLES,
    TileCycles,
    TileWork,
    array_cycles,
    array_latency,
    beat_cost,
    halves_ahead,
    load_cycles,
    store_cycles,
    tile_cycles,
    timeline,
)
from flexcc.dse.mapping import WeightMode, group_tiling, stage_of
from flexcc.ir.layers import Conv2d
from flexcc.ir.types import Quantization, TensorType
from flexcc.tiles import Stage, Tiling, best_rotation, column_phases, tiling
from sim.store_program import Shape, StoreTile
from tests.networks import ACCELERATORS, random_case

ACCELERATOR = ACCELERATORS[0]
LATENCY = array_latency(ACCELERATOR)


def _random_tilings(seed: int) -> list[tuple[Tiling, WeightMode]]:
    rng = random.Random(seed)
    case = random_case(rng, 2, rng.choice(ACCELERATORS))
    return [
        (
            group_tiling(stage_of(case.graph, group.chain), group, case.mapping.accelerator),
            group.weights,
        )
        for group in case.mapping.groups
    ]


@pytest.mark.parametrize("seed", range(40))
def test_totals_are_sums_over_tiles(seed: int) -> None:
    for tiles, mode in _random_tilings(seed):
        total = stage_cycles(tiles, mode)
        assert total.array == sum(array_cycles(tiles, tile) for tile in tiles.tiles())
        assert total.store == sum(store_cycles(tiles, tile) for tile in tiles.tiles())
        own = [
            tile_cycles(tiles, tile, mode, first=number == 0)
            for number, tile in enumerate(tiles.tiles())
        ]
        assert total.weights == sum(cycles.weights for cycles in own)
        if all(col.count for col in tiles.cols):
            load = sum(load_cycles(tiles, tile) for tile in tiles.tiles())
            assert total.load == pytest.approx(load)
        assert total.total >= max(total.array, total.store, total.weights)


@pytest.mark.parametrize("seed", range(20))
def test_what_a_row_takes_is_the_same_in_tiles_of_all_heights(seed: int) -> None:
    for tiles, mode in _random_tilings(seed):
        if tiles.columns.rotation != (0,):
            continue
        whole = tiling(
            tiles.stage,
            tiles.accelerator,
            tile_rows=tiles.stage.output.height,
            tile_cols=len(tiles.cols[0].stored),
            lists=tiles.lists,
        )
        assert stage_cycles(tiles, mode, row_cycles(whole)) == stage_cycles(tiles, mode)


@pytest.mark.parametrize("seed", range(20))
def test_the_store_engine_reads_as_often_as_it_is_charged(seed: int) -> None:
    """The benches of the store engine hold it to these reads, one a cycle."""
    rng = random.Random(seed)
    case = random_case(rng, 2, rng.choice(ACCELERATORS))
    a = case.mapping.accelerator
    shape = Shape(m=a.m, p=a.p, n=a.n, data_bytes=a.beat_bytes, out_words=a.out_words)
    for group, stage in zip(
        case.mapping.groups, build_plan(case.graph, case.mapping).stages, strict=True
    ):
        tiles = group_tiling(stage_of(case.graph, group.chain), group, a)
        for tile, planned in zip(tiles.tiles(), stage.tiles, strict=True):
            reads = [StoreTile(**asdict(store)).reads(shape) for store in planned.stores]
            assert store_cycles(tiles, tile) == sum(reads)


def _work(wait_tiles: int = 0, **changes: int) -> TileWork:
    cycles = {"load": 50, "skip": 0, "array": 1000, "first_weights": 0, "weights": 0, "store": 80}
    return TileWork(
        stage=0, cycles=TileCycles(**{**cycles, "halves": 1, **changes}), waits=(wait_tiles,)
    )


def _steps(times: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


def test_a_single_tile_is_the_sum_of_its_parts() -> None:
    busy = REQUEST_CYCLES + 50 + 1000 + LATENCY + 80 + MEMORY_LATENCY
    assert timeline([_work()], ACCELERATOR) == [START_CYCLES + busy]


def test_tiles_overlap_behind_the_slowest_engine() -> None:
    done = timeline([_work() for _ in range(10)], ACCELERATOR)
    assert _steps(done) == [1000] * 9
    done = timeline([_work(load=3000) for _ in range(10)], ACCELERATOR)
    assert _steps(done) == [3000] * 9
    done = timeline([_work(store=2000) for _ in range(10)], ACCELERATOR)
    assert _steps(done) == [2000] * 9


def test_a_wait_shows_as_a_bubble() -> None:
    free, waiting = (
        timeline([_work(), _work()], ACCELERATOR),
        timeline([_work(), _work(wait_tiles=1)], ACCELERATOR),
    )
    assert waiting[0] == free[0]
    bubble = REQUEST_CYCLES + 50 + 1000 + LATENCY + 80 + MEMORY_LATENCY
    assert waiting[1] == free[0] + bubble


def test_weights_hold_the_array_back() -> None:
    (done,) = timeline([_work(weights=5000, first_weights=10)], ACCELERATOR)
    assert done == START_CYCLES + MEMORY_LATENCY + 5000 + LATENCY + 80 + MEMORY_LATENCY
    late = timeline([_work(), _work(weights=5000, first_weights=10)], ACCELERATOR)
    begin = (
        START_CYCLES + REQUEST_CYCLES + 50
    )  # the first tile's array begins, and with it the fetch
    assert late[1] == begin + MEMORY_LATENCY + 5000 + LATENCY + 80 + MEMORY_LATENCY


def test_records_come_behind_those_of_the_tiles_before() -> None:
    """The last half's go in when `ahead` halves are left; lists are ahead of loads and weights."""
    halves, ahead, lists = 40, 6, 900
    before = {"array": 100 * halves, "store": halves, "halves": halves, "ahead": ahead}
    late = {"weights": 5000, "first_weights": 10}
    first, plain = timeline([_work(**before), _work(**late)], ACCELERATOR)
    _, behind_lists = timeline([_work(**before), _work(**late, lists=lists)], ACCELERATOR)
    array_ends = START_CYCLES + REQUEST_CYCLES + 50 + 100 * halves
    assert first == array_ends + LATENCY + 1 + MEMORY_LATENCY
    fetched = array_ends - 100 * ahead
    assert plain == fetched + MEMORY_LATENCY + 5000 + LATENCY + 80 + MEMORY_LATENCY
    assert behind_lists == plain + lists


def test_lists_wait_until_the_array_is_at_the_tile_before() -> None:
    """So does what follows them: here the load, long before in the tile's turn."""
    work = {"load": 3000, "array": 10, "store": 2}
    plain = timeline([_work(**work) for _ in range(3)], ACCELERATOR)
    lists = timeline([_work(**work), _work(**work), _work(**work, lists=4000)], ACCELERATOR)
    assert lists[:2] == plain[:2]
    array_begins = START_CYCLES + REQUEST_CYCLES + 2 * 3000
    assert lists[2] == (
        array_begins + 4000 + REQUEST_CYCLES + 3000 + 10 + LATENCY + 2 + MEMORY_LATENCY
    )


def test_the_fifos_hold_records_of_ten_halves() -> None:
    assert halves_ahead(_small_tiles()) == 10


@pytest.mark.parametrize(("first", "expected"), [(0, 1.0), (1, 2.0)])
def test_a_beat_costs_what_it_takes_where_it_begins(first: int, expected: float) -> None:
    """Beats of 4 pixels with stride 2 all begin at an even column, or all at an odd one."""
    rotation = best_rotation(stride=2, banks=4, beat_pixels=4, residue=0)
    columns = column_phases(stride=2, banks=4, columns=32, rotation=rotation)
    assert beat_cost(columns, 4, first) == expected


def test_small_blocks_wait_for_halves() -> None:
    """A half is held for its array cycles, the array's latency and its store; there are two."""
    ends = [
        timeline([_work(array=10 * halves, store=20 * halves, halves=halves)], ACCELERATOR)[0]
        for halves in (20, 22)
    ]
    assert ends[1] - ends[0] == 10 + LATENCY + 20


def test_loads_are_requested_one_tile_ahead() -> None:
    """Short tiles come two per memory latency."""
    done = timeline([_work(array=10, store=2, load=5) for _ in range(20)], ACCELERATOR)
    assert done[19] - done[17] == REQUEST_CYCLES + 5


def test_rows_of_one_beat_take_the_distance_of_bursts() -> None:
    """Tiles of a beat's width load a burst a row, more of which than 64 no memory has under way."""
    quantization = Quantization(scale=0.1, zero_point=0)
    image = TensorType(channels=8, height=16, width=32, quantization=quantization)
    conv = Conv2d(
        name="c",
        inputs=("x",),
        output="y",
        weight=np.ones((8, 8, 1, 1), np.int8),
        weight_scale=np.ones(8, np.float32),
        bias=np.zeros(8, np.int32),
    )
    stage = Stage(conv=conv, input=image, raw=image, output=image)
    accelerator = replace(ACCELERATOR, p=8)
    narrow, wide = (
        tiling(stage, accelerator, tile_rows=16, tile_cols=cols)
        for cols in (accelerator.beat_pixels, 2 * accelerator.beat_pixels)
    )
    assert [load_cycles(narrow, tile) for tile in narrow.tiles()] == [16 * BURST_CYCLES] * 4
    assert [load_cycles(wide, tile) for tile in wide.tiles()] == [16 * 2] * 2


def _small_tiles(**changes: bool) -> Tiling:
    """A 1x1 convolution in 256 tiles of two rows and a beat's columns."""
    quantization = Quantization(scale=0.1, zero_point=0)
    image = TensorType(channels=8, height=64, width=64, quantization=quantization)
    conv = Conv2d(
        name="c",
        inputs=("x",),
        output="y",
        weight=np.ones((8, 8, 1, 1), np.int8),
        weight_scale=np.ones(8, np.float32),
        bias=np.zeros(8, np.int32),
    )
    stage = Stage(conv=conv, input=image, raw=image, output=image)
    accelerator = replace(ACCELERATOR, **changes)
    return tiling(stage, accelerator, tile_rows=2, tile_cols=accelerator.beat_pixels)


def test_the_closed_form_knows_what_small_tiles_cost() -> None:
    """Two tiles come in the time from a request to its data; the timeline says the same."""
    tiles = _small_tiles()
    works = [
        TileWork(
            stage=0,
            cycles=tile_cycles(tiles, tile, WeightMode.KEEP, first=number == 0),
            waits=(0,),
        )
        for number, tile in enumerate(tiles.tiles())
    ]
    total = stage_cycles(tiles, WeightMode.KEEP)
    assert total.total > 3 * max(total.load, total.array, total.store)
    done = timeline(works, tiles.accelerator)[-1] - START_CYCLES
    assert total.total == pytest.approx(done, rel=0.03)


def test_what_stands_behind_the_array_holds_halves_longer() -> None:
    plain = array_latency(_small_tiles().accelerator)
    held = {
        name: array_latency(_small_tiles(**{name: True}).accelerator) - plain
        for name in ("slopes", "tables", "sums")
    }
    assert held == {"slopes": 1, "tables": 3, "sums": 14}
    bent = array_latency(_small_tiles(slopes=True, sums=True, bends=True).accelerator)
    assert bent - plain == 1 + 14 + 13

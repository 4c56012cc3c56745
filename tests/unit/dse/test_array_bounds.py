# SPDX-License-Identifier: Apache-2.0
"""Bounds of arrays lie below what tiles cost there, and the search for the least needs no more."""

import random
from contextlib import suppress

import pytest

from flexcc.backend.rtl import rtl_parameters
from flexcc.dse import Reshape
from flexcc.dse.array_bounds import FormBounds, Needs
from flexcc.dse.best_first import best_first
from flexcc.dse.buffers import largest_buffers
from flexcc.dse.forms import Forms
from flexcc.dse.front import explore_front
from flexcc.dse.mapping import WeightMode
from flexcc.dse.memory import bytes_per_cycle
from flexcc.dse.shapes import share_of
from flexcc.dse.solution import choose_tiles
from flexcc.dse.space import row_choices
from flexcc.dse.tile_search import TileSearch
from flexcc.dse.traffic import stage_traffic
from flexcc.errors import DoesNotFitError
from flexcc.ir.graph import Graph
from flexcc.program.formats import MAX_CORES
from flexcc.targets import load_device
from flexcc.tiles import tiling
from tests.networks import random_network

_CASES = [
    (seed, target, cores)
    for seed in range(4)
    for target, cores in (("zcu104", 1), ("u250", 4), ("u250", 3), ("ulx3s-85f", 1))
]


def _network(seed: int) -> Graph:
    return random_network(random.Random(seed), 4)


@pytest.mark.parametrize(("seed", "target", "cores"), _CASES)
def test_no_tiles_undercut_the_bounds_of_their_array(seed: int, target: str, cores: int) -> None:
    device = load_device(target)
    share, carried = share_of(device, cores), bytes_per_cycle(device, device.clock_mhz)
    plain = Forms(_network(seed), tuple(Reshape), device.memory_bytes, keep_zeros=False, without=())
    choose = random.Random(seed)
    mapped = 0
    for forms in plain.alternatives():
        needs, bounds = Needs(forms, carried), FormBounds(forms, device.memory_bytes, carried)
        for shape in choose.sample(list(forms.shapes(share)), 6):
            bound = bounds.bound(shape, cores)
            assert needs.bound(shape, cores) <= bound
            # What is kept of one array or number of cores does not change another's bound.
            alone = FormBounds(forms, device.memory_bytes, carried).bound(shape, cores)
            assert bound == alone
            try:
                cost = choose_tiles(forms, shape, share, cores, carried).cost
            except DoesNotFitError:
                continue
            mapped += 1
            assert bound <= cost
            assert bound > cost / 8, "no straw man"
    assert mapped


@pytest.mark.parametrize(
    ("target", "split"), [("ulx3s-85f", True), ("pynq-z2", False), ("u250", False)]
)
def test_products_are_split_where_multipliers_are_narrow(target: str, split: bool) -> None:
    device = load_device(target)
    forms = Forms(_network(0), (), device.memory_bytes, keep_zeros=False, without=())
    shape = next(iter(forms.shapes(share_of(device, 1))))
    built = largest_buffers(forms.plain_stages(), shape, share_of(device, 1), 1)
    assert built.split_products is split
    assert ("SplitProducts" in rtl_parameters(built)) is split


@pytest.mark.parametrize(("seed", "target", "cores"), _CASES)
def test_fewer_rows_of_tiles_never_move_more(seed: int, target: str, cores: int) -> None:
    device = load_device(target)
    share, carried = share_of(device, cores), bytes_per_cycle(device, device.clock_mhz)
    forms = Forms(_network(seed), (), device.memory_bytes, keep_zeros=False, without=())
    shape = next(iter(forms.shapes(share)))
    stages = forms.plain_stages()
    search = TileSearch(largest_buffers(stages, shape, share, cores), carried)
    for stage in stages:
        pool = stage.pool
        if pool is not None and pool.strides > pool.kernel:
            # Rows between windows are read by high tiles only.
            continue
        least = float("inf")
        step = search.lists_of(stage).taps.y.out_step
        for height in row_choices(stage.output.height, step):
            cut = tiling(stage, search.accelerator, tile_rows=height, tile_cols=stage.output.width)
            moved = stage_traffic(cut, WeightMode.KEEP).total
            assert moved <= least, stage.name
            least = moved


@pytest.mark.parametrize("seed", [1, 3])
def test_the_bound_of_all_arrays_is_near_the_least_of_all(seed: int) -> None:
    graph, device = _network(seed), load_device("ulx3s-85f")
    front = explore_front(graph, device, tuple(Reshape))
    carried = bytes_per_cycle(device, device.clock_mhz)
    plain = Forms(graph, tuple(Reshape), device.memory_bytes, keep_zeros=False, without=())
    costs = []
    for forms in plain.alternatives():
        for cores in range(1, MAX_CORES + 1):
            share = share_of(device, cores)
            for shape in forms.shapes(share):
                with suppress(DoesNotFitError):
                    costs.append(choose_tiles(forms, shape, share, cores, carried).cost)
    assert costs
    assert front.bound is not None
    assert min(costs) / 1.045 <= front.bound <= min(costs)
    assert front.least is not None
    assert min(costs) <= front.least <= 1.045 * front.bound
    assert front.gap == front.least / front.bound - 1


def test_the_least_is_found_without_knowing_all() -> None:
    choose = random.Random(1)
    levels = [sorted(choose.sample(range(1000), 3)) for _ in range(50)]
    asked: list[tuple[int, int]] = []

    def sharper(number: int, level: int) -> float:
        asked.append((number, level))
        return levels[number][level]

    firsts = [level[0] for level in levels]
    least = best_first(firsts, sharper, levels=2, enough=lambda: float("inf"))
    assert least == min(level[2] for level in levels)
    assert len(asked) == len(set(asked)) < len(levels)
    assert all(levels[number][level - 1] <= least for number, level in asked)
    # Enough is enough: no cost can be below, nothing is asked.
    asked.clear()
    assert best_first(firsts, sharper, levels=2, enough=lambda: 0.0) == min(firsts)
    assert not asked

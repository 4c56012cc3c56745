# SPDX-License-Identifier: Apache-2.0
"""The cost of a layer before its tiles are known is that of one tile which is the whole layer."""

import random

import pytest

from flexcc.dse.latency import array_cycles, load_cycles, store_cycles
from flexcc.dse.layer_cost import ArrayModel, Cost, best_lists, layer_cost
from flexcc.dse.lower import fusion_groups, lower
from flexcc.dse.mapping import stage_of
from flexcc.tiles import Tiling, tiling
from tests.networks import ACCELERATORS, random_network


def _whole(rng: random.Random) -> tuple[Tiling, ArrayModel]:
    """A layer without pooling as a single tile, and the model of its array."""
    accelerator = rng.choice(ACCELERATORS)
    graph = lower(random_network(rng, 1, most_channels=rng.choice([6, 70])))
    while fusion_groups(graph)[0].pool is not None:
        graph = lower(random_network(rng, 1))
    stage = stage_of(graph, fusion_groups(graph)[0])
    array = ArrayModel(
        m=accelerator.m,
        p=accelerator.p,
        n=accelerator.n,
        drain_cycles=accelerator.drain_cycles,
        beat_bytes=accelerator.beat_bytes,
    )
    lists = best_lists(
        stage,
        m=array.m,
        p=array.p,
        n=array.n,
        q=accelerator.q,
        drain_cycles=array.drain_cycles,
    )
    whole = tiling(
        stage,
        accelerator,
        tile_rows=stage.output.height,
        tile_cols=stage.output.width,
        bundle=lists.taps.bundle,
    )
    return whole, array


@pytest.mark.parametrize("seed", range(60))
def test_the_longest_engine_decides(seed: int) -> None:
    whole, array = _whole(random.Random(seed))
    stage = whole.stage
    (tile,) = whole.tiles()
    cost = layer_cost(stage.conv, stage.input, stage.output, array, stored=True)
    computed = array_cycles(whole, tile)
    assert cost.cycles >= computed
    # Rows that nothing reads and the last beat of a row make the difference.
    assert cost.cycles >= store_cycles(whole, tile)
    pooled = layer_cost(stage.conv, stage.input, stage.output, array, stored=False)
    planes = -(-stage.output.channels // array.n)
    beats = -(-stage.output.width // array.beat_pixels) * stage.output.height * planes
    assert cost.beats - pooled.beats == beats
    if computed > 2 * max(load_cycles(whole, tile), store_cycles(whole, tile), 600):
        assert cost.cycles == computed


def test_costs_compare_cycles_before_beats() -> None:
    assert Cost(cycles=1, beats=9) < Cost(cycles=2, beats=1) < Cost(cycles=2, beats=2)
    assert Cost(cycles=1, beats=9) + Cost(cycles=2, beats=1) == Cost(cycles=3, beats=10)

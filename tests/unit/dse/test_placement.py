# SPDX-License-Identifier: Apache-2.0
"""Tensors in memory channels: against every placement there is, and for explored designs."""

import itertools
import random

import pytest

from flexcc.dse.front import explore_front
from flexcc.dse.placement import StageBytes, place, place_design, stage_bytes
from flexcc.dse.solution import shared_cycles
from flexcc.targets import load_device
from tests.networks import random_network


def _stages(choose: random.Random) -> list[StageBytes]:
    names = "abcdef"
    return [
        StageBytes(
            name=f"s{number}",
            cycles=choose.randrange(1, 400),
            moved={name: choose.randrange(1, 1000) for name in choose.sample(names, 3)},
        )
        for number in range(6)
    ]


def _least(stages: list[StageBytes], channels: int, carried: float) -> int:
    """The cycles of the best placement, by trying all."""
    names = sorted({name for stage in stages for name in stage.moved})
    least = None
    for choice in itertools.product(range(channels), repeat=len(names)):
        lies = dict(zip(names, choice, strict=True))
        total = 0
        for stage in stages:
            loads = [0] * channels
            for name, moved in stage.moved.items():
                loads[lies[name]] += round(moved / carried)
            total += max(stage.cycles, *loads)
        least = total if least is None else min(least, total)
    assert least is not None
    return least


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_no_placement_is_better(seed: int, channels: int) -> None:
    stages = _stages(random.Random(seed))
    found = place(stages, channels, 2.0)
    assert found.cycles == found.bound == _least(stages, channels, 2.0)
    assert set(found.channels) == {name for stage in stages for name in stage.moved}
    assert set(found.channels.values()) <= set(range(channels))
    assert place(stages, channels, 2.0) == found


def test_memory_that_holds_nothing_up() -> None:
    stages = _stages(random.Random(1))
    found = place(stages, 4, 1e6)
    assert found.cycles == found.bound == sum(stage.cycles for stage in stages)


def test_a_design_whose_tensors_are_placed() -> None:
    device = load_device("u250")
    design = explore_front(random_network(random.Random(5), 4), device, effort=4).best
    pairs = zip(design.solution.candidates, design.estimate.stages, strict=True)
    for candidate, estimate in pairs:
        moved = stage_bytes(candidate, estimate)
        # Shares are cut off to whole bytes.
        assert 0 <= estimate.traffic.total - sum(moved.moved.values()) < 16
    placed = place_design(design, device.memory_channels)
    assert placed.bound <= placed.cycles
    # Whole tensors fill the channels worse than their pages in turn.
    spread = shared_cycles(design.estimate.stages, design.solution.carried)
    assert placed.cycles >= spread - len(design.estimate.stages)

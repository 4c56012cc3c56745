# SPDX-License-Identifier: Apache-2.0
"""Random networks shared by several cores: the RTL leaves the memory that the reference names."""

import random
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc.backend.image import initial_image
from flexcc.backend.plan import Plan
from flexcc.backend.planner import build_plan
from sim.memory.model import SLVERR
from sim.run_program import (
    AcceleratorError,
    Failure,
    MemoryBehaviour,
)
from tests.networks import TILED, Case, case_on, evaluate
from tests.simulated import BEHAVIOURS, run_equal, run_image, steps_of

pytestmark = pytest.mark.rtl


def tiled_case(rng: random.Random, cores: int) -> Case:
    """A network with several tiles in every core."""
    while True:
        case = case_on(rng, 3, replace(TILED, cores=cores))
        plan = build_plan(case.graph, case.mapping)
        if all(sum(len(stage.order[core]) for stage in plan.stages) > 3 for core in range(cores)):
            return case


def _waiting_case(rng: random.Random, cores: int) -> tuple[Case, Plan]:
    """One in which a core waits for another."""
    while True:
        case = tiled_case(rng, cores)
        plan = build_plan(case.graph, case.mapping)
        if any(any(tile.load.core_tiles) for stage in plan.stages for tile in stage.tiles):
            return case, plan


@pytest.mark.parametrize("cores", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_cores_share_an_image(cores: int, seed: int) -> None:
    rng = random.Random(f"{cores} cores {seed}")
    for behaviour in BEHAVIOURS:
        case, plan = _waiting_case(rng, cores)
        run = run_equal(plan, case.inputs, evaluate(case.graph, case.inputs), behaviour)
        assert run.outcome.tiles_done == plan.tiles
        # Counters are those of all cores together.
        counts = run.outcome.engines
        assert counts["array"]["busy"] == sum(map(steps_of, plan.stages))
        assert all(sum(engine.values()) <= cores * run.outcome.cycles for engine in counts.values())


def test_a_lost_core_ends_the_others(seed: int) -> None:
    """The second core's program cannot be read: the first waits for tiles that never come."""
    plan, image = _pair(seed)
    beats = (len(image) - plan.program_address) // plan.accelerator.beat_bytes
    second = plan.program_address + beats // 2 * plan.accelerator.beat_bytes
    failure = Failure(first=second, last=second, response=SLVERR, writes=False)
    with pytest.raises(AcceleratorError, match="error 2 ") as caught:
        run_image(plan, image, MemoryBehaviour(failures=(failure,)), 1_000_000)
    assert caught.value.run.outcome.tiles_done < plan.tiles


def _pair(seed: int) -> tuple[Plan, NDArray[np.uint8]]:
    """A plan for two cores, the first of which waits for the second, and memory before a run."""
    rng = random.Random(f"pair {seed}")
    while True:
        case = tiled_case(rng, 2)
        plan = build_plan(case.graph, case.mapping)
        waiting = (
            tile.load.core_tiles[1]
            for stage in plan.stages
            for tile in (stage.tiles[number] for number in stage.order[0])
        )
        if any(waiting):
            return plan, initial_image(plan, case.inputs)

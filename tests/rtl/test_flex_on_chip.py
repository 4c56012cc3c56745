# SPDX-License-Identifier: Apache-2.0
"""Whole networks with tensors in on-chip memory: every byte of every tensor, whoever shares RAM."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from flexcc.backend.plan import Plan
from flexcc.backend.planner import build_plan
from flexcc.dse.lifetimes import Lifetime, lifetimes
from flexcc.dse.mapping import group_tiling, stage_of
from flexcc.dse.on_chip import pack_tensors, with_packing
from flexcc.dse.placement import StageBytes
from flexcc.tiles import Tiling
from sim.run_program import MemoryBehaviour, SimulationError
from tests.networks import TILED, Case, case_on, evaluate
from tests.simulated import BEHAVIOURS, run_equal

pytestmark = pytest.mark.rtl

_CAPACITY = 1 << 16


def _tilings(case: Case) -> list[Tiling]:
    accelerator = case.mapping.accelerator
    return [
        group_tiling(stage_of(case.graph, group.chain), group, accelerator)
        for group in case.mapping.groups
    ]


def _on_chip(case: Case, lives: Sequence[Lifetime], most: int) -> Case:
    """The case with as many bytes on chip as fit."""
    moved = [
        StageBytes(name=str(n), cycles=1, moved={life.tensor: life.size for life in lives})
        for n in range(len(case.mapping.groups))
    ]
    packing = pack_tensors(lives, moved, most_bytes=most, carried=64.0)
    return replace(case, mapping=with_packing(case.mapping, lives, packing))


def _case(rng: random.Random, cores: int) -> tuple[Case, tuple[Lifetime, ...]]:
    """A network some of whose tensors share RAM, all in RAM of one size: there is one simulator."""
    while True:
        case = case_on(rng, 6, replace(TILED, cores=cores))
        lives = lifetimes(case.graph, _tilings(case))
        chosen = _on_chip(case, lives, _CAPACITY)
        if chosen.mapping.accelerator.on_chip_pages < 2:
            continue
        return _sized(chosen), lives


def _sized(case: Case) -> Case:
    """The case in RAM of the whole capacity, in which tensors keep their places."""
    a = case.mapping.accelerator
    wide = replace(a, on_chip_bytes=_CAPACITY, on_chip_pages=8)
    residents = tuple(
        replace(
            item,
            address=item.address // a.on_chip_step * wide.on_chip_step
            + item.address % a.on_chip_step,
        )
        for item in case.mapping.residents
    )
    return replace(case, mapping=replace(case.mapping, accelerator=wide, residents=residents))


@pytest.mark.parametrize("cores", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_tensors_share_on_chip_memory(cores: int, seed: int) -> None:
    rng = random.Random(f"{cores} cores on chip {seed}")
    for behaviour in BEHAVIOURS:
        case, _ = _case(rng, cores)
        plan = build_plan(case.graph, case.mapping)
        run = run_equal(plan, case.inputs, evaluate(case.graph, case.inputs), behaviour)
        assert run.outcome.tiles_done == plan.tiles
        near = run.outcome.ports["on_chip"]
        assert near["read_beats"] > 0
        assert near["write_beats"] > 0


def test_ram_taken_too_early_is_found_out(seed: int) -> None:
    """A tensor laid over another that is still read."""
    rng = random.Random(f"too early {seed}")
    while True:
        case, lives = _case(rng, 1)
        clash = _clash(build_plan(case.graph, case.mapping), lives)
        if clash is not None:
            break
    residents = tuple(
        replace(item, address=clash[1]) if item.tensor == clash[0] else item
        for item in case.mapping.residents
    )
    wrong = replace(case.mapping, residents=residents)
    plan = build_plan(case.graph, wrong)
    with pytest.raises(SimulationError, match="ReadsItsTensor"):
        run_equal(plan, case.inputs, evaluate(case.graph, case.inputs), MemoryBehaviour())


def _clash(plan: Plan, lives: Sequence[Lifetime]) -> tuple[str, int] | None:
    """A tensor on chip, and its address if it lay where one is that is still there."""
    near = {life.tensor: life for life in lives if plan.on_chip(plan.tensors[life.tensor])}
    for later in near.values():
        for earlier in near.values():
            # Read by a stage behind that which stores the other.
            if earlier.first < later.first < earlier.last:
                step = plan.accelerator.on_chip_step
                address = plan.tensors[earlier.tensor].address % step
                page = plan.accelerator.on_chip_pages - 1
                return later.tensor, page * step + address
    return None

# SPDX-License-Identifier: Apache-2.0
"""Tensors in on-chip memory: lifetimes, packings against all that there are, addresses."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from flexcc.backend.image import expected_image, first_difference, initial_image
from flexcc.backend.interpreter import interpret
from flexcc.backend.planner import build_plan
from flexcc.dse import explore
from flexcc.dse.lifetimes import Lifetime, lifetimes, settled_stages
from flexcc.dse.mapping import Mapping, group_tiling, stage_of
from flexcc.dse.on_chip import pack_tensors, with_packing
from flexcc.dse.placement import StageBytes
from flexcc.dse.resources import resources
from flexcc.errors import InputError
from flexcc.ir.graph import Graph
from flexcc.joins import stored_parts
from flexcc.targets import load_device
from flexcc.tiles import Tiling
from tests.networks import TILED, case_on, evaluate, random_network

_REGION = 4096


def _tilings(graph: Graph, mapping: Mapping) -> list[Tiling]:
    return [
        group_tiling(stage_of(graph, group.chain), group, mapping.accelerator)
        for group in mapping.groups
    ]


def _apart(lives: Sequence[Lifetime], places: dict[str, int]) -> bool:
    """Whether no two of them need a byte at the same time."""
    return not any(
        a.first <= b.last
        and b.first <= a.last
        and places[a.tensor] < places[b.tensor] + b.size
        and places[b.tensor] < places[a.tensor] + a.size
        for a, b in itertools.combinations(lives, 2)
    )


def _fits(lives: Sequence[Lifetime], most: int) -> bool:
    """Whether some packing into `most` regions exists, by trying all."""
    choices = [range(most + 1 - life.size // _REGION) for life in lives]
    names = [life.tensor for life in lives]
    return any(
        _apart(lives, {n: b * _REGION for n, b in zip(names, begins, strict=True)})
        for begins in itertools.product(*choices)
    )


def _random_lives(rng: random.Random) -> tuple[Lifetime, ...]:
    firsts = sorted(rng.randrange(5) for _ in range(4))
    return tuple(
        Lifetime(
            tensor=f"t{n}",
            size=rng.randint(1, 3) * _REGION,
            first=first,
            last=first + rng.randint(1, 3),
        )
        for n, first in enumerate(firsts)
    )


@pytest.mark.parametrize("number", range(6))
def test_no_choice_saves_more(number: int) -> None:
    rng = random.Random(number)
    lives = _random_lives(rng)
    stages = [
        StageBytes(
            name=f"s{n}",
            cycles=rng.randrange(2000, 6000),
            moved={life.tensor: life.size for life in lives if n in (life.first, life.last)}
            | {"weights": 2000},
        )
        for n in range(9)
    ]
    most = 4

    def cost(stay: Sequence[Lifetime]) -> tuple[int, int]:
        names = {life.tensor for life in stay}
        left = [{n: b for n, b in stage.moved.items() if n not in names} for stage in stages]
        pairs = zip(stages, left, strict=True)
        cycles = sum(max(stage.cycles, sum(moved.values())) for stage, moved in pairs)
        return cycles, sum(b for moved in left for n, b in moved.items() if n != "weights")

    found = pack_tensors(lives, stages, most_bytes=most * _REGION, carried=1.0)
    stay = [life for life in lives if life.tensor in found.places]
    assert _apart(stay, dict(found.places))
    assert max((found.places[life.tensor] + life.size for life in stay), default=0) <= found.size
    every = itertools.chain.from_iterable(
        itertools.combinations(lives, count) for count in range(len(lives) + 1)
    )
    assert cost(stay) == min(cost(choice) for choice in every if _fits(choice, most))
    # As little RAM as will do, and the same again.
    assert found.size == 0 or not _fits(stay, found.size // _REGION - 1)
    assert pack_tensors(lives, stages, most_bytes=most * _REGION, carried=1.0) == found


def test_nothing_fits() -> None:
    lives = (Lifetime(tensor="t", size=2 * _REGION, first=0, last=1),)
    stages = [StageBytes(name="s", cycles=1, moved={"t": 10})]
    assert not pack_tensors(lives, stages, most_bytes=_REGION, carried=1.0).places


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_lifetimes_end_when_every_core_has_read(cores: int, seed: int) -> None:
    """Against the records of the programs: who waits for whom, from the plan."""
    rng = random.Random(f"lifetimes {cores} {seed}")
    for _ in range(3):
        case = case_on(rng, 6, replace(TILED, cores=cores))
        tilings = _tilings(case.graph, case.mapping)
        settled = settled_stages(tilings)
        if cores == 1:
            assert settled == tuple(n - 1 for n in range(len(tilings)))
        lives = lifetimes(case.graph, tilings)
        outputs = {
            part.tensor
            for port in case.graph.outputs
            for part in stored_parts(case.graph, port.tensor)
        }
        assert not outputs & {life.tensor for life in lives}
        for life in lives:
            readers = [n for n, t in enumerate(tilings) if _reads(t, life.tensor)]
            assert life.first < readers[-1] <= life.last
            for stage in range(life.last + 1, len(tilings)):
                assert settled[stage] >= readers[-1]
        _check_settled(case.graph, case.mapping, settled)


def _reads(tiling: Tiling, tensor: str) -> bool:
    return tensor in tiling.stage.sources or tensor == tiling.stage.skip_tensor


def _check_settled(graph: Graph, mapping: Mapping, settled: Sequence[int]) -> None:
    """Plays the programs: each tile is stored as early as the waits in its records allow.

    One core runs ahead as far as it can while another stands still before each stage in turn.
    """
    plan = build_plan(graph, mapping)
    cores = plan.accelerator.cores
    queues: list[list[tuple[int, tuple[int, ...]]]] = [[] for _ in range(cores)]
    for stage_number, stage in enumerate(plan.stages):
        for core, own in enumerate(stage.order):
            for number in own:
                tile = stage.tiles[number]
                waits = [list(load.core_tiles[:cores]) for load in (tile.load, *tile.skips)]
                for wait, load in zip(waits, (tile.load, *tile.skips), strict=True):
                    wait[core] = load.wait_tiles
                most = tuple(map(max, *waits)) if len(waits) > 1 else tuple(waits[0])
                queues[core].append((stage_number, most))
    for slow in range(cores):
        for held in range(len(queues[slow])):
            done = [0] * cores
            moving = True
            while moving:
                moving = False
                for core in range(cores):
                    queue = queues[core]
                    while done[core] < len(queue) and not (core == slow and done[core] == held):
                        stage_number, most = queue[done[core]]
                        if any(n > d for n, d in zip(most, done, strict=True)):
                            break
                        # The slow core has not read what its next tile reads.
                        if core != slow:
                            assert settled[stage_number] < queues[slow][held][0]
                        done[core] += 1
                        moving = True


def test_tensors_on_chip_have_addresses_of_their_own(seed: int) -> None:
    """The interpreter knows nothing of lifetimes: every byte is what it would be elsewhere."""
    rng = random.Random(f"addresses {seed}")
    shared = 0
    for _ in range(4):
        case = case_on(rng, 5, TILED)
        lives = lifetimes(case.graph, _tilings(case.graph, case.mapping))
        stages = [StageBytes(name="s", cycles=1, moved={life.tensor: 64 for life in lives})]
        packing = pack_tensors(lives, stages, most_bytes=1 << 20, carried=1.0)
        mapping = with_packing(case.mapping, lives, packing) if packing.places else case.mapping
        plan = build_plan(case.graph, mapping)
        a = plan.accelerator
        shared += a.on_chip_pages > 1
        spans = sorted(
            (tensor.address, tensor.address + tensor.layout.size)
            for tensor in plan.tensors.values()
        )
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))
        for life in lives:
            tensor = plan.tensors[life.tensor]
            assert plan.on_chip(tensor) == (life.tensor in packing.places)
            if plan.on_chip(tensor):
                within = tensor.address % a.on_chip_step
                assert within == packing.places[life.tensor]
                assert within + tensor.layout.size <= a.on_chip_bytes
        image = initial_image(plan, case.inputs)
        beats = (len(image) - plan.program_address) // a.beat_bytes
        after, _ = interpret(a, image, program_address=plan.program_address, program_beats=beats)
        expected = expected_image(plan, image, evaluate(case.graph, case.inputs))
        assert first_difference(plan, expected, after) is None
    assert shared


def test_exploration_keeps_tensors_on_chip() -> None:
    graph, device = random_network(random.Random(5), 4), load_device("u250")
    away = explore(graph, device)
    near = explore(graph, device, on_chip=None)
    assert not away.mapping.residents
    assert not away.resources.uram
    assert near.mapping.residents
    assert near.mapping.groups == away.mapping.groups
    # The netlist is that of the array with its memory: what has no formula is not guessed.
    assert near.resources == resources(near.mapping.accelerator, device)
    assert near.resources.uram
    assert (near.resources.lut, near.resources.ff) == (None, None)
    for before, after in zip(away.estimate.stages, near.estimate.stages, strict=True):
        assert before.traffic.total == after.traffic.total + after.traffic.on_chip
    assert near.estimate.cycles < away.estimate.cycles
    assert explore(graph, device, on_chip=None) == near
    # Nothing is small enough.
    assert explore(graph, device, on_chip=1).mapping == away.mapping


def test_more_than_the_device_has_on_the_chip() -> None:
    graph = random_network(random.Random(5), 4)
    with pytest.raises(InputError, match="zcu104 has 96 blocks of UltraRAM, which hold 3145728"):
        explore(graph, load_device("zcu104"), on_chip=1 << 30)


def test_accelerators_that_cannot_be_built() -> None:
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"on_chip_bytes": 100}, "multiple of 4096"),
        ({"on_chip_bytes": 4096, "on_chip_pages": 3}, "on_chip_pages is a power of two"),
        ({"on_chip_bytes": 1 << 30, "on_chip_pages": 4}, "together at most"),
        ({"on_chip_pages": 2}, "on_chip_pages needs on_chip_bytes"),
    )
    for wrong, why in cases:
        with pytest.raises(ValueError, match=why):
            replace(TILED, **wrong)

# SPDX-License-Identifier: Apache-2.0
"""Which tensors lie in on-chip memory, and where, chosen by CP-SAT.

Each tensor is a rectangle, its bytes by its lifetime, and rectangles of those that stay on the chip
do not overlap. First the tensors are chosen: the run shall take the fewest cycles when each stage
takes as long as its bytes in shared memory, and among such choices the fewest bytes go there. Then
they are packed into as little RAM as will do.
"""

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ortools.sat.python import cp_model

from flexcc.accelerator import ON_CHIP_STEP, Accelerator
from flexcc.dse.cp_sat import solved
from flexcc.dse.lifetimes import Lifetime, lifetimes
from flexcc.dse.mapping import Mapping, Resident
from flexcc.dse.placement import StageBytes, stage_bytes
from flexcc.dse.solution import Estimate, Solution, StageEstimate, estimate
from flexcc.dse.tile_search import Candidate
from flexcc.dse.ultra_rams import held_bytes
from flexcc.errors import InputError
from flexcc.layout import REGION_BYTES
from flexcc.targets.device import Device
from flexcc.tiles import Tiling

__all__ = [
    "Packing",
    "most_on_chip",
    "pack_tensors",
    "with_packing",
    "with_tensors_on_chip",
]

_SHARE = 0.8
"""The rest stays free for place and route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """The byte of on-chip RAM at which each tensor begins, and the bytes of all."""

    places: MappingType[str, int]
    size: int


def most_on_chip(accelerator: Accelerator, device: Device, asked: int | None) -> int:
    """Bytes that tensors on the chip may take: `asked` of all the device's UltraRAM.

    None asks for what is near the cores: 80 % of that of their dies.

    Raises:
        InputError: the device has less than is asked for.
    """
    if asked is None:
        dies = min(device.regions, accelerator.cores)
        return held_bytes(accelerator, int(device.uram // device.regions * dies * _SHARE))
    most = held_bytes(accelerator, device.uram)
    if asked > most:
        raise InputError(
            f"{asked} bytes on chip are asked for, and {device.name} has {device.uram} blocks of "
            f"UltraRAM, which hold {most} bytes of tensors; ask for less, or leave it to `auto`"
        )
    return asked


def with_tensors_on_chip(
    solution: Solution, mapping: Mapping, most_bytes: int
) -> tuple[Mapping, Estimate]:
    """A solution's mapping with the tensors on chip that save most, and what it then takes.

    On-chip memory has `most_bytes` at the most.
    """
    found = estimate(solution)
    tilings = [candidate.tiling for candidate in solution.candidates]
    lives = lifetimes(solution.graph, tilings)
    moved = [_moved(*pair) for pair in zip(solution.candidates, found.stages, strict=True)]
    packing = pack_tensors(lives, moved, most_bytes=most_bytes, carried=solution.carried)
    if not packing.places:
        return mapping, found
    sooner = estimate(solution, packing.places.keys())
    stages = [
        _less_traffic(stage, tiling, bytes_.moved, packing)
        for stage, tiling, bytes_ in zip(sooner.stages, tilings, moved, strict=True)
    ]
    return with_packing(mapping, lives, packing), replace(sooner, stages=tuple(stages))


def with_packing(mapping: Mapping, lives: Sequence[Lifetime], packing: Packing) -> Mapping:
    """The mapping with packed tensors at addresses of their own.

    Tensors that share RAM lie in different pages: each in the first in which no other is in its
    way.
    """
    accelerator = replace(mapping.accelerator, on_chip_bytes=packing.size, on_chip_pages=1)
    pages: list[list[tuple[int, int]]] = []
    residents = []
    for life in lives:
        if life.tensor not in packing.places:
            continue
        begin = packing.places[life.tensor]
        end = begin + life.size
        free = (n for n, taken in enumerate(pages) if all(e <= begin or end <= b for b, e in taken))
        page = next(free, len(pages))
        if page == len(pages):
            pages.append([])
        pages[page].append((begin, end))
        address = page * accelerator.on_chip_step + begin
        residents.append(Resident(tensor=life.tensor, address=address))
    count = 1 << (len(pages) - 1).bit_length()
    return replace(
        mapping,
        accelerator=replace(accelerator, on_chip_pages=count),
        residents=tuple(residents),
    )


def pack_tensors(
    lives: Sequence[Lifetime],
    stages: Sequence[StageBytes],
    *,
    most_bytes: int,
    carried: float,
) -> Packing:
    """The tensors that stay on chip, in RAM of `most_bytes` at the most; none if none fits.

    `stages` tell what each stage moves, by tensor.
    """
    most = most_bytes // REGION_BYTES
    lives = [life for life in lives if life.size <= most * REGION_BYTES]
    if not lives:
        return Packing(places={}, size=0)
    kept = _choose(lives, stages, most, carried)
    if not kept:
        return Packing(places={}, size=0)
    return _squeeze(kept, most)


def _choose(
    lives: Sequence[Lifetime], stages: Sequence[StageBytes], most: int, carried: float
) -> list[tuple[Lifetime, int]]:
    """The tensors that stay and, in regions, where they fit."""
    model = cp_model.CpModel()
    model.name = "choice of tensors on the chip"
    stays = {life.tensor: model.new_bool_var(f"{life.tensor} stays") for life in lives}
    begins = _rectangles(model, lives, most, stays)
    away = {name: sum(stage.moved.get(name, 0) for stage in stages) for name in stays}
    times: list[cp_model.IntVar] = []
    for stage in stages:
        needed = {name: round(moved / carried) for name, moved in stage.moved.items()}
        total = sum(needed.values())
        if total <= stage.cycles:
            continue
        time = model.new_int_var(stage.cycles, total, f"cycles of {stage.name}")
        saved = sum(needed[name] * stays[name] for name in needed if name in stays)
        model.add(total - saved <= time)
        times.append(time)
    # A cycle is worth more than all bytes together.
    kilobytes = {name: -(-moved // 1024) for name, moved in away.items()}
    weight = 1 + sum(kilobytes.values())
    left = sum(size * (1 - stays[name]) for name, size in kilobytes.items())
    cycles = cp_model.LinearExpr.sum(times)
    model.minimize(weight * cycles + left)
    solver = solved(model)
    return [
        (life, solver.value(begins[life.tensor]))
        for life in lives
        if solver.boolean_value(stays[life.tensor])
    ]


def _squeeze(kept: Sequence[tuple[Lifetime, int]], most: int) -> Packing:
    """The least RAM for tensors of which a packing into `most` regions is known."""
    model = cp_model.CpModel()
    model.name = "packing of tensors on the chip"
    lives = [life for life, _ in kept]
    begins = _rectangles(model, lives, most, None)
    last = max(life.last for life in lives)
    held = [
        sum(life.size for life in lives if life.first <= stage <= life.last)
        for stage in range(last + 1)
    ]
    top = max(begin + life.size // REGION_BYTES for life, begin in kept)
    height = model.new_int_var(max(held) // REGION_BYTES, top, "regions of RAM")
    for life in lives:
        model.add(begins[life.tensor] + life.size // REGION_BYTES <= height)
    for life, begin in kept:
        model.add_hint(begins[life.tensor], begin)
    model.minimize(height)
    solver = solved(model)
    places = {life.tensor: solver.value(begins[life.tensor]) * REGION_BYTES for life in lives}
    size = max(places[life.tensor] + life.size for life in lives)
    return Packing(places=places, size=-(-size // ON_CHIP_STEP) * ON_CHIP_STEP)


def _rectangles(
    model: cp_model.CpModel,
    lives: Sequence[Lifetime],
    most: int,
    stays: MappingType[str, cp_model.IntVar] | None,
) -> dict[str, cp_model.IntVar]:
    """Where each tensor begins, in regions; those that stay, all without `stays`, are apart."""
    begins, spans, times = {}, [], []
    for life in lives:
        height, length = life.size // REGION_BYTES, life.last + 1 - life.first
        begin = model.new_int_var(0, most - height, life.tensor)
        begins[life.tensor] = begin
        if stays is None:
            spans.append(model.new_fixed_size_interval_var(begin, height, life.tensor))
            times.append(model.new_fixed_size_interval_var(life.first, length, life.tensor))
        else:
            there = stays[life.tensor]
            spans.append(
                model.new_optional_fixed_size_interval_var(begin, height, there, life.tensor)
            )
            times.append(
                model.new_optional_fixed_size_interval_var(life.first, length, there, life.tensor)
            )
            # Where a tensor that goes away would lie means nothing.
            model.add(begin == 0).only_enforce_if(~there)
    model.add_no_overlap_2d(spans, times)
    # Follows from it, and is seen at once.
    model.add_cumulative(times, [life.size // REGION_BYTES for life in lives], most)
    return begins


def _moved(candidate: Candidate, taken: StageEstimate) -> StageBytes:
    """The bytes of a stage by stored tensor: those of 16 bits are stored as two planes."""
    found = stage_bytes(candidate, taken)
    stage = candidate.tiling.stage
    moved = dict(found.moved)
    if stage.output_tensor not in stage.stored_tensors:
        total = moved.pop(stage.output_tensor)
        for name in stage.stored_tensors:
            moved[name] = moved.get(name, 0) + total // len(stage.stored_tensors)
    return replace(found, moved=moved)


def _less_traffic(
    stage: StageEstimate, tiling: Tiling, moved: MappingType[str, int], packing: Packing
) -> StageEstimate:
    """The estimate with the shares of on-chip tensors taken from the traffic."""
    stored = tiling.stage.stored_tensors
    near = {name: size for name, size in moved.items() if name in packing.places}
    outputs = sum(size for name, size in near.items() if name in stored)
    read = sum(near.values()) - outputs
    traffic = replace(
        stage.traffic,
        activations=stage.traffic.activations - read,
        outputs=stage.traffic.outputs - outputs,
        on_chip=read + outputs,
    )
    return replace(stage, traffic=traffic)

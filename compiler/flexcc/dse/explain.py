# SPDX-License-Identifier: Apache-2.0
"""Why a design is as it is: what binds each layer, and what the next best tiles would cost."""

from dataclasses import dataclass

from flexcc.dse.design import Design
from flexcc.dse.solution import StageEstimate
from flexcc.dse.tile_search import Candidate, TileSearch

__all__ = ["LayerReason", "binding_engine", "layer_reasons"]

ENGINES = ("array", "load", "skip", "store", "weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReason:
    """A layer's tiles: the engine that works longest for it, and the next best tiles.

    `cycles` are those it adds to the run, `busy` those of that engine. `other` names the next best
    tiles, `other_cycles` what they cost more by the closed form, 0 if they are nearly as fast: then
    traffic, room or the timeline of the whole network decided. None if there are no others.
    """

    name: str
    cycles: int
    binding: str
    busy: int
    tiles: str
    other: str | None
    other_cycles: int | None


def binding_engine(stage: StageEstimate, carried: float) -> tuple[str, float]:
    """What works longest for a stage and for how many cycles; `memory` carries bytes a cycle."""
    busy = {name: float(getattr(stage.engines, name)) for name in ENGINES}
    busy["memory"] = stage.traffic.total / carried
    name = max(busy, key=lambda key: busy[key])
    return name, busy[name]


def layer_reasons(design: Design, most: int) -> tuple[LayerReason, ...]:
    """The reasons of the `most` layers that add the most cycles, in order of execution."""
    solution = design.solution
    search = TileSearch(solution.accelerator, solution.carried)
    pairs = list(zip(solution.candidates, design.estimate.stages, strict=True))
    largest = sorted(range(len(pairs)), key=lambda index: (-pairs[index][1].cycles, index))[:most]
    reasons = []
    for index in sorted(largest):
        candidate, stage = pairs[index]
        name, busy = binding_engine(stage, solution.carried)
        other = search.runner_up(candidate)
        reasons.append(
            LayerReason(
                name=stage.name,
                cycles=stage.cycles,
                binding=name,
                busy=round(busy),
                tiles=_size(candidate),
                other=None if other is None else _size(other),
                other_cycles=None if other is None else _more(other, candidate),
            )
        )
    return tuple(reasons)


def _size(candidate: Candidate) -> str:
    return f"{candidate.group.tile_rows}x{candidate.group.tile_cols}"


def _more(other: Candidate, chosen: Candidate) -> int:
    return max(0, round(other.cost) - round(chosen.cost))

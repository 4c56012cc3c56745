# SPDX-License-Identifier: Apache-2.0
"""In which memory channel each tensor and each stage's weights lie, chosen by CP-SAT.

A tensor lies in one channel as a whole, since a store walks its planes with one pitch. While a
stage runs, a channel carries the bytes of all that lies in it; the slowest one holds the stage up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from ortools.sat.python import cp_model

from flexcc.dse.cp_sat import solved
from flexcc.dse.design import Design
from flexcc.dse.solution import StageEstimate
from flexcc.dse.tile_search import Candidate

__all__ = ["Placement", "StageBytes", "place", "place_design", "stage_bytes"]

_ROUNDING = 1e-6
"""CP-SAT tells an integer bound as a float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBytes:
    """What a stage moves: bytes by tensor, in cycles that it takes by its engines."""

    name: str
    cycles: int
    moved: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The channel of each tensor; weights go by the name `weights of` their layer.

    `cycles` are those of a run in which every stage takes as long as its slowest channel at least,
    `bound` what no placement falls below, `used` the channels there are.
    """

    channels: Mapping[str, int]
    used: int
    cycles: int
    bound: int


def stage_bytes(candidate: Candidate, estimate: StageEstimate) -> StageBytes:
    """The bytes of a stage by tensor.

    Parts of a concatenation share those of what is read by their channels, and what is stored in
    front of a pooling shares those of the outputs by its pixels.
    """
    stage, traffic = candidate.tiling.stage, estimate.traffic
    moved = {f"weights of {stage.name}": traffic.weights}
    if stage.skip_tensor is not None and stage.skip is not None:
        share = stage.skip.channels * stage.skip.height * stage.skip.width
        source = stage.source
        whole = source.channels * source.height * source.width
        skipped = traffic.activations * share // (share + whole)
    else:
        skipped = 0
    # One tensor may stand in a concatenation twice.
    for tensor, channels in zip(stage.sources, stage.parts, strict=True):
        part = (traffic.activations - skipped) * channels // sum(stage.parts)
        moved[tensor] = moved.get(tensor, 0) + part
    if stage.skip_tensor is not None:
        moved[stage.skip_tensor] = moved.get(stage.skip_tensor, 0) + skipped
    kept = stage.kept_tensor
    raw, out = stage.raw, stage.output
    before = raw.height * raw.width if kept is not None else 0
    share = traffic.outputs * before // (before + out.height * out.width)
    if kept is not None:
        moved[kept] = share
    moved[stage.output_tensor] = traffic.outputs - share
    return StageBytes(name=stage.name, cycles=estimate.cycles, moved=moved)


def place(stages: Sequence[StageBytes], channels: int, carried: float) -> Placement:
    """The placement with the fewest cycles on `channels`, which carry `carried` bytes a cycle each.

    Tensors that cannot hold a stage up wherever they lie go to channel 0. Channels are alike: the
    first tensor takes the first one, each further one none beyond the next that is free.
    """
    tight = [stage for stage in stages if sum(stage.moved.values()) > stage.cycles * carried]
    names = list(dict.fromkeys(name for stage in tight for name in stage.moved))
    everything = list(dict.fromkeys(name for stage in stages for name in stage.moved))
    rest = sum(stage.cycles for stage in stages) - sum(stage.cycles for stage in tight)
    if not tight:
        nowhere = dict.fromkeys(everything, 0)
        return Placement(channels=nowhere, used=channels, cycles=rest, bound=rest)
    model = cp_model.CpModel()
    model.name = "placement of tensors in memory channels"
    lies = {
        name: [model.new_bool_var(f"{name} in {channel}") for channel in range(channels)]
        for name in names
    }
    for number, choices in enumerate(lies.values()):
        model.add_exactly_one(choices)
        for channel in range(number + 1, channels):
            model.add(choices[channel] == 0)
    times = []
    for stage in tight:
        needed = {name: round(moved / carried) for name, moved in stage.moved.items()}
        most = max(stage.cycles, sum(needed.values()))
        least = max(stage.cycles, *needed.values(), sum(needed.values()) // channels)
        time = model.new_int_var(least, most, stage.name)
        for channel in range(channels):
            model.add(sum(needed[name] * lies[name][channel] for name in needed) <= time)
        times.append(time)
    model.minimize(sum(times))
    solver = solved(model)
    found = dict.fromkeys(everything, 0)
    for name, choices in lies.items():
        found[name] = next(c for c, chosen in enumerate(choices) if solver.boolean_value(chosen))
    return Placement(
        channels=found,
        used=channels,
        cycles=rest + round(solver.objective_value),
        bound=rest + ceil(solver.best_objective_bound - _ROUNDING),
    )


def place_design(design: Design, channels: int) -> Placement:
    """The placement of a design's tensors on that many channels."""
    solution = design.solution
    pairs = zip(solution.candidates, design.estimate.stages, strict=True)
    stages = [stage_bytes(candidate, estimate) for candidate, estimate in pairs]
    return place(stages, channels, solution.carried / channels)

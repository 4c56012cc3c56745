# SPDX-License-Identifier: Apache-2.0
"""A network mapped on one array: the best tiles of every stage, and what the whole takes."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from flexcc.accelerator import Accelerator
from flexcc.dse.buffers import fitted_buffers, largest_buffers
from flexcc.dse.closed_form import StageCycles
from flexcc.dse.contention import Channels, StageBeats, contended_cycles
from flexcc.dse.forms import Forms
from flexcc.dse.latency import (
    MEMORY_LATENCY,
    ON_CHIP_LATENCY,
    TileCycles,
    TileWork,
    tile_cycles,
    timeline,
)
from flexcc.dse.mapping import WeightMode
from flexcc.dse.shapes import Shape
from flexcc.dse.tile_search import Candidate, TileSearch
from flexcc.dse.traffic import (
    Traffic,
    load_beats,
    skip_beats,
    stage_traffic,
    store_beats,
    weight_beats,
)
from flexcc.dse.uniform_tiles import uniform_tiles
from flexcc.ir.graph import Graph
from flexcc.targets.device import Device
from flexcc.waits import waiting_tiles

__all__ = [
    "Chosen",
    "Estimate",
    "Solution",
    "StageEstimate",
    "assemble",
    "board_cycles",
    "choose_tiles",
    "estimate",
    "shared_cycles",
    "solve",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEstimate:
    """What the model of the hardware says of one stage.

    `cycles` is what the stage adds to the run, so that all stages sum up to the total; `engines`
    are the cycles each engine works for it.
    """

    name: str
    cycles: int
    tiles: int
    engines: StageCycles
    traffic: Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Estimated cycles of one run of the network, and by stage."""

    cycles: int
    stages: tuple[StageEstimate, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """A form of a network with an accelerator and tiles; `done` is when each tile is stored.

    The tiles were chosen for memory that carries `carried` bytes a cycle, on the accelerator
    `roomy` with the deepest buffers that fit.
    """

    graph: Graph
    shape: Shape
    carried: float
    roomy: Accelerator
    accelerator: Accelerator
    candidates: tuple[Candidate, ...]
    done: tuple[float, ...]

    @property
    def cycles(self) -> float:
        """Cycles of a run, by the timeline."""
        return max(self.done)

    @property
    def cost(self) -> float:
        """The sum of the closed forms of its stages: what the search for tiles minimises."""
        return sum(item.cost for item in self.candidates)


def solve(
    forms: Forms,
    shape: Shape,
    device: Device,
    cores: int,
    carried: float,
    *,
    uniform: bool = False,
) -> Solution:
    """The best tiles for one array shape, when memory carries so many bytes a cycle.

    With `uniform` all stages have tiles of one size.

    Raises:
        DoesNotFitError: a stage has none.
    """
    return choose_tiles(forms, shape, device, cores, carried, uniform=uniform).solution()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """Tiles chosen for an accelerator, which are not played yet."""

    graph: Graph
    shape: Shape
    accelerator: Accelerator
    candidates: tuple[Candidate, ...]
    carried: float

    @property
    def cost(self) -> float:
        """As that of the solution."""
        return sum(item.cost for item in self.candidates)

    def solution(self) -> Solution:
        """What the tiles make together."""
        return assemble(self.graph, self.shape, self.accelerator, self.candidates, self.carried)


def choose_tiles(
    forms: Forms,
    shape: Shape,
    device: Device,
    cores: int,
    carried: float,
    *,
    uniform: bool = False,
) -> Chosen:
    """The best tiles for one array shape by the closed form of each stage, as `solve`.

    Raises:
        DoesNotFitError: a stage has none.
    """
    graph = forms.graph(m=shape.m, p=shape.p, n=shape.n)
    stages = forms.stages(graph)
    search = TileSearch(largest_buffers(stages, shape, device, cores), carried)
    if uniform:
        candidates = uniform_tiles(search, stages)
    else:
        candidates = [item for stage in stages for item in search.best(stage)]
    return Chosen(
        graph=graph,
        shape=shape,
        accelerator=search.accelerator,
        candidates=tuple(candidates),
        carried=carried,
    )


def assemble(
    graph: Graph,
    shape: Shape,
    accelerator: Accelerator,
    candidates: Sequence[Candidate],
    carried: float,
) -> Solution:
    """What tiles chosen on `accelerator` make together, in buffers no deeper than they need."""
    fitted = fitted_buffers(accelerator, [item.tiling for item in candidates])
    done = timeline(_works_alone(tuple(candidates)), fitted)
    return Solution(
        graph=graph,
        shape=shape,
        carried=carried,
        roomy=accelerator,
        accelerator=fitted,
        candidates=tuple(candidates),
        done=tuple(done),
    )


def estimate(solution: Solution, near: Collection[str] = ()) -> Estimate:
    """The cycles of a run, and those that each stage adds.

    The stored tensors `near` are in on-chip memory, which answers sooner.
    """
    all_done: Sequence[float] = solution.done
    if near:
        a = solution.accelerator
        all_done = timeline(list(_works(solution.candidates, near)), a)
    stages = []
    before, tiles = 0, 0
    for item in solution.candidates:
        count = len(item.tiling.rows) * len(item.tiling.cols)
        tiles += count
        end = max(before, round(max(all_done[tiles - count : tiles])))
        stages.append(
            StageEstimate(
                name=item.tiling.stage.name,
                cycles=end - before,
                tiles=count,
                engines=item.cycles,
                traffic=stage_traffic(item.tiling, item.group.weights),
            )
        )
        before = end
    return Estimate(cycles=before, stages=tuple(stages))


@lru_cache(maxsize=4)
def _works_alone(candidates: tuple[Candidate, ...]) -> tuple[TileWork, ...]:
    """The same with all tensors in memory; a solution needs them when it is made and judged."""
    return tuple(_works(candidates))


def _works(candidates: Sequence[Candidate], near: Collection[str] = ()) -> Iterator[TileWork]:
    """The tiles of the whole network, stage by stage and core by core, each in its order.

    Tensors `near` are in on-chip memory; a stage that reads or stores others, too, waits for those.
    """
    stages = waiting_tiles([candidate.tiling for candidate in candidates])
    for index, (candidate, tiles) in enumerate(zip(candidates, stages, strict=True)):
        tiling_ = candidate.tiling
        second = tiling_.stage.second
        mode: WeightMode = candidate.group.weights
        seconds = () if second is None else (second.tensor,)
        places = (tiling_.stage.sources, seconds, tiling_.stage.stored_tensors)
        load, beside, store = (
            ON_CHIP_LATENCY if all(name in near for name in names) else MEMORY_LATENCY
            for names in places
        )
        known: dict[object, TileCycles] = {}
        for item in tiles:
            alike = item.tile.rows.sizes, item.number % len(tiling_.cols), item.first
            if alike not in known:
                known[alike] = tile_cycles(tiling_, item.tile, mode, first=item.first)
            yield TileWork(
                stage=index,
                core=item.core,
                cycles=known[alike],
                waits=item.waits,
                skip_waits=item.skip_waits,
                load_latency=load,
                skip_latency=beside,
                store_latency=store,
            )


def shared_cycles(stages: Iterable[StageEstimate], carried: float) -> float:
    """The cycles of a run whose every stage takes at least as long as its bytes.

    `carried` are the bytes a cycle. The bytes of a stage do not overlap with the next stage's: it
    reads what this one writes.
    """
    return sum(max(stage.cycles, stage.traffic.total / carried) for stage in stages)


def board_cycles(solution: Solution, stages: Sequence[StageEstimate], channels: int) -> float:
    """The cycles of a run on memory of so many channels, which ports share and wait for.

    No less than `shared_cycles` of its `stages`.
    """
    a = solution.accelerator
    rate = solution.carried / channels / a.beat_bytes
    waited = contended_cycles(
        _works_alone(solution.candidates),
        solution.done,
        a,
        [_stage_beats(item, a.cores) for item in solution.candidates],
        Channels(number=channels, rate=rate),
    )
    return max(waited, shared_cycles(stages, solution.carried))


def _stage_beats(candidate: Candidate, cores: int) -> StageBeats:
    """Every core reads the weights that it keeps."""
    tiling_, mode = candidate.tiling, candidate.group.weights
    return StageBeats(
        load=load_beats(tiling_),
        skip=skip_beats(tiling_),
        weights=weight_beats(tiling_, mode) * (cores if mode is WeightMode.KEEP else 1),
        store=store_beats(tiling_),
    )

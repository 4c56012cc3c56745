# SPDX-License-Identifier: Apache-2.0
"""A lower bound on the cycles of a network on an array, whatever its tiles.

Every engine works through its own total in order, so that the run takes as long as the one that has
the most to do, and as the memory channels need for every byte that moves at least once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from flexcc.dse.closed_form import stage_cycles
from flexcc.dse.latency import START_CYCLES
from flexcc.dse.mapping import WeightMode
from flexcc.dse.tile_search import Candidate
from flexcc.dse.traffic import stage_traffic
from flexcc.tiles import Tiling, tiling

__all__ = ["Bound", "lower_bound"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The least cycles of each engine for the whole network, and of the memory channels.

    `layers` is the sum, over all stages, of what takes the longest for a stage: the least of a run
    in which engines never work on different layers. Runs overlap layers at their borders, so this
    bounds nothing; it tells what of a gap lies between layers that keep different engines busy.
    """

    load: float
    skip: float
    array: float
    weights: float
    store: float
    memory: float
    layers: float

    @property
    def engine(self) -> str:
        """What takes the longest."""
        names = (field.name for field in fields(self) if field.name != "layers")
        return max(names, key=lambda name: getattr(self, name))

    @property
    def cycles(self) -> float:
        """What it takes, and what comes before the first load."""
        return float(getattr(self, self.engine)) + START_CYCLES


def _whole(candidate: Candidate) -> Tiling:
    """The stage as one tile, which computes, reads and writes nothing twice."""
    tiles = candidate.tiling
    stage = tiles.stage
    return tiling(
        stage,
        tiles.accelerator,
        tile_rows=stage.output.height,
        tile_cols=stage.output.width,
        bundle=tiles.lists.taps.bundle,
        lists=tiles.lists,
    )


def lower_bound(candidates: Sequence[Candidate], cores: int, carried: float) -> Bound:
    """The bound for the stages of `candidates` on `cores`, with memory of `carried` bytes a cycle.

    Cores divide the work evenly at best. Weights are fetched once by each core.
    """
    totals = dict.fromkeys(("load", "skip", "array", "weights", "store", "memory"), 0.0)
    layers = 0.0
    for candidate in candidates:
        whole = _whole(candidate)
        cycles = stage_cycles(whole, WeightMode.KEEP)
        least = {"memory": stage_traffic(whole, WeightMode.KEEP).total / carried}
        for name in ("load", "skip", "array", "store"):
            least[name] = getattr(cycles, name) / cores
        least["weights"] = cycles.weights
        for name, each in least.items():
            totals[name] += each
        layers += max(least.values())
    return Bound(**totals, layers=layers)

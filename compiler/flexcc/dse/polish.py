# SPDX-License-Identifier: Apache-2.0
"""Improves the tiles of a small network by the timeline of the whole, stage by stage.

The closed form that chooses tiles sees one stage alone. Where a run is short, how stages meet
matters; where it is long, trying would take too long and gain nothing.
"""

from flexcc.dse.solution import Solution, assemble, estimate, shared_cycles
from flexcc.dse.tile_search import TileSearch

__all__ = ["polish"]

_MOST_TILES = 10_000
"""Tiles that all trials together may play; a trial plays those of the whole network."""
_OPTIONS = 16
_ROUNDS = 2


def _cycles(solution: Solution) -> float:
    return shared_cycles(estimate(solution).stages, solution.carried)


def polish(solution: Solution) -> Solution:
    """A solution that is no slower: of each stage the best tiles next to those of the others."""
    left = _MOST_TILES - len(solution.done) * len(solution.candidates) * _OPTIONS
    if left < 0:
        return solution
    search = TileSearch(solution.roomy, solution.carried)
    options = [
        sorted(search.every(item.tiling.stage), key=lambda other: other.cost)[:_OPTIONS]
        for item in solution.candidates
    ]
    best, least = solution, _cycles(solution)
    for _ in range(_ROUNDS):
        before = least
        for index, others in enumerate(options):
            for other in others:
                chosen = (*best.candidates[:index], other, *best.candidates[index + 1 :])
                trial = assemble(
                    solution.graph, solution.shape, solution.roomy, chosen, solution.carried
                )
                left -= len(trial.done)
                cycles = _cycles(trial)
                if cycles < least:
                    best, least = trial, cycles
                if left < 0:
                    return best
        if least == before:
            break
    return best

# SPDX-License-Identifier: Apache-2.0
"""Improves the tiles of a small network by the timeline of the whole, stage by stage.

The closed form that chooses tiles sees one stage alone. Where a run is short, how stages meet
matters; where it is long, trying would take too long and gain nothing.
"""

from flexcc.dse.solution import Solution, assemble, board_cycles, estimate, shared_cycles
from flexcc.dse.tile_search import TileSearch

__all__ = ["polish"]

_MOST_TILES = 10_000
"""Tiles that all trials together may play; a trial plays those of the whole network."""
_OPTIONS = 16
_ROUNDS = 2


def polish(solution: Solution, channels: int | None = None) -> Solution:
    """A solution that is no slower: of each stage the best tiles next to those of the others.

    On a board whose ports share so many memory `channels`, if they are given.
    """

    def cycles_of(found: Solution, most: float) -> float:
        """The cycles, or more than `most` where they are."""
        stages = estimate(found).stages
        shared = shared_cycles(stages, found.carried)
        if channels is None or shared >= most:
            return shared
        return board_cycles(found, stages, channels)

    left = _MOST_TILES - len(solution.done) * len(solution.candidates) * _OPTIONS
    if left < 0:
        return solution
    search = TileSearch(solution.roomy, solution.carried)
    options = [
        sorted(search.every(item.tiling.stage), key=lambda other: other.cost)[:_OPTIONS]
        for item in solution.candidates
    ]
    best, least = solution, cycles_of(solution, float("inf"))
    for _ in range(_ROUNDS):
        before = least
        for index, others in enumerate(options):
            for other in others:
                chosen = (*best.candidates[:index], other, *best.candidates[index + 1 :])
                trial = assemble(
                    solution.graph, solution.shape, solution.roomy, chosen, solution.carried
                )
                left -= len(trial.done)
                cycles = cycles_of(trial, least)
                if cycles < least:
                    best, least = trial, cycles
                if left < 0:
                    return best
        if least == before:
            break
    return best

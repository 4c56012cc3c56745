# SPDX-License-Identifier: Apache-2.0
"""The least of many costs by bounds that become sharper and dearer, the most hopeful one first."""

from collections.abc import Callable, Iterable
from heapq import heapify, heapreplace

__all__ = ["best_first"]


def best_first(
    bounds: Iterable[float],
    sharper: Callable[[int, int], float],
    *,
    levels: int,
    enough: Callable[[], float],
) -> float:
    """A bound on the least of all costs; the least itself if its last level was reached.

    `bounds` are those of level 0. `sharper(number, level)` is that of cost `number` on a level up
    to `levels`, the last of which is the cost itself. Stops when no cost can be below `enough()`.
    """
    heap = [(bound, number, 0) for number, bound in enumerate(bounds)]
    heapify(heap)
    while True:
        bound, number, level = heap[0]
        if level == levels or bound >= enough():
            return bound
        heapreplace(heap, (max(bound, sharper(number, level + 1)), number, level + 1))

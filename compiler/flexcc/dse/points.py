# SPDX-License-Identifier: Apache-2.0
"""Arrays that an exploration may map, and which of them it begins with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flexcc.dse.shapes import Shape

__all__ = ["Point", "spread", "undercut"]

_LEAST_GAIN = 0.99
"""A bound has to fall by so much for a larger shape to be of interest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A shape that is not mapped yet: a bound on its cycles and the least multipliers it takes."""

    bound: int
    multipliers: int
    cores: int
    windows: bool
    shape: Shape


def undercut(points: Iterable[Point]) -> list[Point]:
    """The points whose bound is clearly below that of all with fewer multipliers."""
    result: list[Point] = []
    for point in sorted(points, key=lambda item: (item.multipliers, item.bound)):
        if not result or point.bound < result[-1].bound * _LEAST_GAIN:
            result.append(point)
    return result


def spread(points: Sequence[Point], count: int) -> list[Point]:
    """At most `count` of the points, two or more, evenly from the first to the last."""
    if len(points) <= count:
        return list(points)
    last = len(points) - 1
    return [points[round(number * last / (count - 1))] for number in range(count)]

# SPDX-License-Identifier: Apache-2.0
"""Exact weights of linear interpolation along an axis."""

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from flexcc.ir.layers import Coordinates

__all__ = ["LinearAxis", "linear_axis", "position"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearAxis:
    """out[o] = ((d - weight[o]) * in[first[o]] + weight[o] * in[second[o]]) / d.

    d is the denominator, weights lie in 0..d.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    weight: tuple[int, ...]
    denominator: int


def position(index: int, size: int, outputs: int, coordinates: Coordinates) -> Fraction:
    """Where output pixel `index` of `outputs` looks among `size` input pixels, border or beyond."""
    match coordinates:
        case Coordinates.HALF_PIXEL:
            return Fraction((2 * index + 1) * size - outputs, 2 * outputs)
        case Coordinates.ASYMMETRIC:
            return Fraction(index * size, outputs)
        case Coordinates.ALIGN_CORNERS:
            return Fraction(index * (size - 1), outputs - 1) if outputs > 1 else Fraction(0)


def linear_axis(size: int, outputs: int, coordinates: Coordinates) -> LinearAxis:
    """The weights with which `size` pixels become `outputs`."""
    places = [
        min(max(position(index, size, outputs, coordinates), Fraction(0)), Fraction(size - 1))
        for index in range(outputs)
    ]
    denominator = lcm(*(place.denominator for place in places))
    first = [place.numerator // place.denominator for place in places]
    return LinearAxis(
        first=tuple(first),
        second=tuple(min(index + 1, size - 1) for index in first),
        weight=tuple(
            int((place - index) * denominator) for place, index in zip(places, first, strict=True)
        ),
        denominator=denominator,
    )

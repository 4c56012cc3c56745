# SPDX-License-Identifier: Apache-2.0
"""The views of the templates that draw explored designs."""

from dataclasses import dataclass

__all__ = ["Dot", "FrontView", "PlotView", "Tick"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A design in the plot, in pixels; `kind` is best, front or other."""

    x: float
    y: float
    kind: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A line of the grid at `at` pixels."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotView:
    """What front.svg shows: logarithmic axes, dots, and the line through the front."""

    title: str
    width: int
    height: int
    margin: int
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    line: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontView:
    """What front.html shows: the plot, the table of designs, and why the best is what it is."""

    title: str
    version: str
    plot: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    reasons: str

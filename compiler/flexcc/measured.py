# SPDX-License-Identifier: Apache-2.0
"""What a simulated run measures beside its cycles: where they went, engine by engine."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

__all__ = ["ArrayCycles", "EngineCounts", "Measured", "total_cycles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayCycles:
    """Cycles of a run, or of a part, by what the array did; each counts once.

    `steps` were issued. In the others a step waited for its input `window`, for `weights`, for
    requantisation `parameters`, for the `second` tensor of a sum, for a free half of the `output`
    buffer, for the `drain` of the block before; or there was none, as the program's `records` had
    not come; or all steps were done, up to the `end` of the run.
    """

    steps: int = 0
    records: int = 0
    window: int = 0
    weights: int = 0
    parameters: int = 0
    second: int = 0
    output: int = 0
    drain: int = 0
    end: int = 0

    @property
    def total(self) -> int:
        """All cycles."""
        return sum(getattr(self, field.name) for field in fields(self))


def total_cycles(parts: Iterable[ArrayCycles]) -> ArrayCycles:
    """The sum of several parts, kind by kind."""
    chosen = tuple(parts)
    names = (field.name for field in fields(ArrayCycles))
    return ArrayCycles(**{name: sum(getattr(part, name) for part in chosen) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCounts:
    """Cycles of a run by what one engine did, or that of each core; `idle` is the rest.

    They add up to the cycles of the run times the cores.
    """

    busy: int
    starved: int
    blocked: int
    idle: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One simulated run: cycles from start to done, and where they went.

    `tiles` are the array's cycles up to the last step of each tile, in order, `end` those after
    them. `engines` are the accelerator's own counters, `beats` what each memory port moved.
    """

    cycles: int
    tiles: tuple[ArrayCycles, ...]
    end: ArrayCycles
    engines: Mapping[str, EngineCounts]
    beats: Mapping[str, int]

    def __post_init__(self) -> None:
        accounted = total_cycles((*self.tiles, self.end)).total
        if accounted != self.cycles:
            raise ValueError(f"{accounted} of {self.cycles} cycles are accounted for")

    @property
    def array(self) -> ArrayCycles:
        """The array's cycles of the whole run."""
        return total_cycles((*self.tiles, self.end))

# SPDX-License-Identifier: Apache-2.0
"""How long a run takes whose ports share the memory's channels, and so wait for each other.

A channel gives `rate` beats a cycle, in the order in which they are asked for; a port asks for one
at a time. Pages lie in the channels in turn, so the beats of a page come from one channel: a port
alone gets `rate` at the most, however many channels there are. Ports of other kinds ask for
`others` beats a cycle and channel, spread over their stage, and as in every queue that serves all
comers alike a beat takes 1 / (rate - others) cycles on average. Ports of one kind, one of each
core, are taken not to meet: cores do the same in step, and go from channel to channel side by side.

How much the others ask for depends on how long a stage takes, which depends on how long its ports
wait: some rounds find both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flexcc.accelerator import Accelerator
from flexcc.dse.latency import (
    MEMORY_LATENCY,
    REQUEST_CYCLES,
    TileCycles,
    TileWork,
    timeline,
)

__all__ = ["Channels", "StageBeats", "beat_wait", "contended_cycles"]

_SILENT_CYCLES = MEMORY_LATENCY + REQUEST_CYCLES
"""Of a stage, in which no port moves a beat: from its last write to the next one's first read."""
_ROUNDS = 6
_CLOSE = 3e-3
_ENGINES = ("load", "skip", "weights", "store")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Memory channels, and the beats of a port that each carries in a cycle."""

    number: int
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBeats:
    """Beats that a stage moves through the ports of each kind, those of all cores together."""

    load: int
    skip: int
    weights: int
    store: int

    @property
    def total(self) -> int:
        """All beats."""
        return self.load + self.skip + self.weights + self.store


def beat_wait(kind: int, total: int, *, cycles: float, channels: Channels) -> float:
    """Cycles of a beat of a port whose kind moves `kind` of the `total` beats within `cycles`.

    However much the others ask for, one of four kinds has every fourth turn.
    """
    others = (total - kind) / (cycles * channels.number)
    return 1 / max(channels.rate - others, channels.rate / len(_ENGINES))


def _stage_cycles(works: Sequence[TileWork], done: Sequence[float], stages: int) -> list[float]:
    """The cycles that each stage adds to the run."""
    ends = [0.0] * stages
    for work, end in zip(works, done, strict=True):
        ends[work.stage] = max(ends[work.stage], end)
    cycles, before = [], 0.0
    for end in ends:
        cycles.append(max(0.0, end - before))
        before = max(before, end)
    return cycles


def _slower(cycles: TileCycles, factors: Mapping[str, float]) -> TileCycles:
    return replace(
        cycles,
        load=cycles.load * factors["load"],
        skip=cycles.skip * factors["skip"],
        weights=round(cycles.weights * factors["weights"]),
        store=round(cycles.store * factors["store"]),
    )


def contended_cycles(
    works: Sequence[TileWork],
    done: Sequence[float],
    accelerator: Accelerator,
    beats: Sequence[StageBeats],
    channels: Channels,
) -> float:
    """The cycles of a run of `works`, whose stages move `beats`; alone they would be `done` then.

    An engine takes what its beats wait where that is longer than its own work.
    """
    busy = [dict.fromkeys(_ENGINES, 0.0) for _ in beats]
    for work in works:
        own, cycles = busy[work.stage], work.cycles
        own["load"] += cycles.load
        own["skip"] += cycles.skip
        own["weights"] += cycles.weights
        own["store"] += cycles.store

    def factors(stage: int, cycles: float) -> dict[str, float]:
        total = beats[stage].total
        least = max(1.0, cycles - _SILENT_CYCLES, total / (channels.number * channels.rate))
        found = dict.fromkeys(_ENGINES, 1.0)
        for engine, own in busy[stage].items():
            kind: int = getattr(beats[stage], engine)
            if kind and own:
                wait = beat_wait(kind, total, cycles=least, channels=channels)
                found[engine] = max(1.0, kind * wait / own)
        return found

    taken = _stage_cycles(works, done, len(beats))
    for _ in range(_ROUNDS):
        slower = [factors(stage, cycles) for stage, cycles in enumerate(taken)]
        # Tiles that are alike share their cycles.
        known: dict[tuple[int, int], TileCycles] = {}
        played = []
        for work in works:
            key = work.stage, id(work.cycles)
            if key not in known:
                known[key] = _slower(work.cycles, slower[work.stage])
            played.append(known[key])
        now = _stage_cycles(works, timeline(works, accelerator, played), len(beats))
        before = sum(taken)
        # Halfway, as longer stages make for shorter waits.
        taken = [(a + b) / 2 for a, b in zip(now, taken, strict=True)]
        if abs(sum(taken) - before) < _CLOSE * before:
            break
    return sum(taken)

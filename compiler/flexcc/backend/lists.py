# SPDX-License-Identifier: Apache-2.0
"""Reduction lists: taps become buffer words and banks, so that the array computes no coordinate."""

from dataclasses import dataclass, replace

from flexcc.taps import Run, runs
from flexcc.tiles import Tiling

__all__ = ["Entry", "ListRange", "reduction_lists"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One list entry: `run` channel blocks from word `base`, bank `rotation` feeding column 0."""

    base: int
    rotation: int
    run: int
    shift: int = 0
    """What the list has summed before counts 256 times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRange:
    """The entries of one list within the list memory, and its steps K."""

    start: int
    entries: int
    steps: int


def _entry(tiling: Tiling, run: Run) -> Entry:
    taps = tiling.lists.taps
    word, bank = tiling.columns.place(run.tap.dx - taps.x.low)
    row = (run.tap.dy - taps.y.low) // tiling.rows[0].step
    return Entry(
        base=run.tap.block * tiling.plane_words + row * tiling.columns.row_words + word,
        rotation=bank,
        run=run.blocks,
    )


def reduction_lists(tiling: Tiling) -> tuple[tuple[Entry, ...], tuple[ListRange, ...]]:
    """All entries of a stage, and where each of its lists stands among them.

    The lists come in the order of the tap lists; the dead list, one step long, is the last.
    """
    entries: list[Entry] = []
    ranges: list[ListRange] = []
    for taps in tiling.lists.taps.lists:
        own = [_entry(tiling, run) for run in runs(taps)]
        lower = next((i for i, run in enumerate(runs(taps)) if run.tap.lower), None)
        if lower is not None:
            own[lower] = replace(own[lower], shift=1)
        ranges.append(ListRange(start=len(entries), entries=len(own), steps=len(taps)))
        entries += own
    if tiling.lists.dead is not None:
        ranges.append(ListRange(start=len(entries), entries=1, steps=1))
        entries.append(Entry(base=0, rotation=0, run=1))
    return tuple(entries), tuple(ranges)

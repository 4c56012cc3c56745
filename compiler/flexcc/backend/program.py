# SPDX-License-Identifier: Apache-2.0
"""Plan to program: the records of each tile, in the order that keeps the engines free of deadlock.

LISTS and TABLE (when they change), SUM, BEND and WINDOW (for each layer), LOAD, ARRAY_TILE, STORE,
WEIGHTS, PASSES. An engine's record of a tile never precedes what it waits for; PASSES, which alone
can wait for the store engine, comes last. Where each half of the output buffer has records of its
own, they stand by its passes, lest they fill the fetch unit's FIFOs and hold up the passes that
they wait for: STORE in front of the half's own, SKIP, which is to load ahead, in front of those of
the half before.
"""

from dataclasses import fields
from itertools import islice
from typing import Any

from flexcc.backend.lists import Entry
from flexcc.backend.plan import Load, Plan, TilePlan
from flexcc.program.encode import encode, record
from flexcc.program.formats import (
    ARRAY_BEND,
    ARRAY_LISTS,
    ARRAY_PASSES,
    ARRAY_SUM,
    ARRAY_TABLE,
    ARRAY_TILE,
    ARRAY_WIDE,
    CONTROL_END,
    LIST_ENTRY,
    LOAD_TILE,
    LOAD_WAIT,
    PASS,
    PLANE,
    SKIP_TILE,
    SKIP_WAIT,
    STORE_TILE,
    TABLE_WORD,
    TABLE_WORDS,
    WEIGHTS_FETCH,
    Format,
)

__all__ = ["program_words"]


def _fields(value: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value) if f.name not in without}


def _encode(format_: Format, value: Any) -> list[int]:
    return encode(format_, **_fields(value))


def _load_words(format_: Format, load: Load) -> list[int]:
    planes = [word for address in load.addresses for word in encode(PLANE, address=address)]
    wait = LOAD_WAIT if format_ is LOAD_TILE else SKIP_WAIT
    words = record(wait, core_tiles=load.core_tiles) if any(load.core_tiles) else []
    without = ("addresses", "core_tiles")
    return words + record(format_, planes, planes=len(planes), **_fields(load, without=without))


def _tile_words(tile: TilePlan) -> list[int]:
    words = _load_words(LOAD_TILE, tile.load)
    words += record(ARRAY_TILE, **_fields(tile.array))
    ready: list[int] = []
    stores, skips = iter(tile.stores), iter(tile.skips)
    halves = sum(item.take for item in tile.passes)
    stores_of_half = max(1, len(tile.stores) // halves)
    for number, (item, fetches) in enumerate(zip(tile.passes, tile.fetches, strict=True)):
        first = []
        if item.take:
            ahead = islice(skips, 1 if number else 2)
            first += [_load_words(SKIP_TILE, load) for load in ahead]
            own = islice(stores, stores_of_half)
            first += [record(STORE_TILE, **_fields(store)) for store in own]
        first += [record(WEIGHTS_FETCH, **_fields(fetch)) for fetch in fetches]
        if first and ready:
            words += record(ARRAY_PASSES, ready)
            ready = []
        words += [word for part in first for word in part]
        ready += _encode(PASS, item)
    return words + record(ARRAY_PASSES, ready)


def _table_words(table: tuple[int, ...]) -> list[int]:
    step = len(table) // TABLE_WORDS
    starts = range(0, len(table), step)
    return [word for i in starts for word in encode(TABLE_WORD, entry=table[i : i + step])]


def program_words(plan: Plan) -> list[int]:
    """The 64-bit words of the cores' programs, each as long as the longest, in whole beats.

    A program ends with CONTROL_END, what follows is 0.
    """
    programs = [_core_words(plan, core) for core in range(plan.accelerator.cores)]
    beat_words = plan.accelerator.beat_bytes // 8
    length = -(-max(map(len, programs)) // beat_words) * beat_words
    return [word for words in programs for word in (*words, *[0] * (length - len(words)))]


def _core_words(plan: Plan, core: int) -> list[int]:
    words: list[int] = []
    lists: tuple[Entry, ...] = ()
    table: tuple[int, ...] | None = None
    for stage in plan.stages:
        if not stage.order[core]:
            continue
        if stage.entries != lists:
            lists = stage.entries
            entries = [word for entry in lists for word in _encode(LIST_ENTRY, entry)]
            words += record(ARRAY_LISTS, entries)
        if stage.table is not None and stage.table != table:
            table = stage.table
            words += record(ARRAY_TABLE, _table_words(table))
        if stage.sum is not None:
            words += record(ARRAY_SUM, **_fields(stage.sum))
        if stage.wide is not None:
            words += record(ARRAY_WIDE, **_fields(stage.wide))
        if stage.bend is not None:
            words += record(ARRAY_BEND, **_fields(stage.bend))
        words += stage.window
        for number in stage.order[core]:
            words += _tile_words(stage.tiles[number])
    return words + record(CONTROL_END, tiles=sum(len(stage.order[core]) for stage in plan.stages))

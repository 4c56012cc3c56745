# SPDX-License-Identifier: Apache-2.0
"""Plan to program: the records of each tile, in the order that keeps the engines free of deadlock.

LISTS and TABLE (when they change), LOAD, STORE, ARRAY_TILE, WEIGHTS, PASSES. An engine's record of
a tile never precedes what it waits for; PASSES, which alone can wait for the store engine, comes
last.
"""

from dataclasses import fields
from typing import Any

from flexcc.backend.lists import Entry
from flexcc.backend.plan import Plan, TilePlan
from flexcc.program.encode import encode, record
from flexcc.program.formats import (
    ARRAY_LISTS,
    ARRAY_PASSES,
    ARRAY_TABLE,
    ARRAY_TILE,
    CONTROL_END,
    LIST_ENTRY,
    LOAD_TILE,
    LOAD_WAIT,
    PASS,
    PLANE,
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


def _tile_words(tile: TilePlan) -> list[int]:
    load = tile.load
    planes = [word for address in load.addresses for word in encode(PLANE, address=address)]
    words = record(LOAD_WAIT, core_tiles=load.core_tiles) if any(load.core_tiles) else []
    without = ("addresses", "core_tiles")
    words += record(LOAD_TILE, planes, planes=len(planes), **_fields(load, without=without))
    for store in tile.stores:
        words += record(STORE_TILE, **_fields(store))
    words += record(ARRAY_TILE, **_fields(tile.array))
    ready: list[int] = []
    for item, fetches in zip(tile.passes, tile.fetches, strict=True):
        if fetches and ready:
            words += record(ARRAY_PASSES, ready)
            ready = []
        for fetch in fetches:
            words += record(WEIGHTS_FETCH, **_fields(fetch))
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
        for number in stage.order[core]:
            words += _tile_words(stage.tiles[number])
    return words + record(CONTROL_END, tiles=sum(len(stage.order[core]) for stage in plan.stages))

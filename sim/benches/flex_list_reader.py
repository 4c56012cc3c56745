# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_list_reader: contexts and runs in order, whatever stalls; one run per cycle."""

import os
import random
from collections import deque
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from flexcc.program.encode import encode
from flexcc.program.formats import ARRAY_TILE, LIST_ENTRY, PASS
from sim.array_program import Entry, Tile, random_tiles
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamSink, StreamSource, bursty, never

FIELDS = ("data", "sum", "wide", "half", "table_half")
RUN_FIELDS = ("pass_last", "pass_first", "list_last", "list_first")


class ListMemory:
    """The list memory: both halves, data two cycles after the read."""

    def __init__(self, dut: Any, entries: int) -> None:
        self._dut = dut
        self._words = [0] * (2 * entries)
        self._entries = entries

    def write(self, half: int, entries: tuple[Entry, ...]) -> None:
        """Replaces the start of one half."""
        for index, entry in enumerate(entries):
            self._words[half * self._entries + index] = encode(
                LIST_ENTRY,
                base=entry.base,
                rotation=entry.rotation,
                run=entry.run,
                shift=int(entry.shift),
            )[0]

    async def serve(self) -> None:
        """Answers reads for ever."""
        dut, pipeline = self._dut, deque([0])
        while True:
            await RisingEdge(dut.clk_i)
            dut.list_rd_data_i.value = pipeline.popleft()
            enabled = dut.list_rd_en_o.value == 1
            pipeline.append(self._words[int(dut.list_rd_addr_o.value)] if enabled else 0)


def _tile_word(tile: Tile) -> int:
    low, high = encode(
        ARRAY_TILE,
        rows=tile.rows,
        groups=tile.groups,
        row_step=tile.row_step,
        plane_words=tile.plane_words,
        out_plane_words=tile.out_plane_words,
        zero_point=tile.zero_point,
        low=tile.low,
        high=tile.high,
        keep=int(tile.keep),
        stream=int(tile.stream),
        word_channels=tile.word_channels,
        lookup=int(tile.lookup),
        summed=0,
        wide=int(tile.limits is not None),
        bent=0,
    )
    return low | high << 64


# A packed sum_t.
SUM_BITS = 219


def _pass_words(tile: Tile) -> list[int]:
    return [
        encode(
            PASS,
            list_start=item.start,
            list_entries=len(item.entries),
            out_base=item.out_base,
            out_byte=item.out_byte,
            take=int(item.take),
            hand_over=int(item.hand_over),
            tile_last=int(item is tile.passes[-1]),
            plane=item.plane,
        )[0]
        for item in tile.passes
    ]


def _run_words(tile: Tile) -> list[int]:
    """The runs of a tile as packed step_run_t."""
    words = []
    for item in tile.passes:
        pixels = [(row, group) for row in range(tile.rows) for group in range(tile.groups)]
        for row, group in pixels:
            for index, entry in enumerate(item.entries):
                last = index == len(item.entries) - 1
                flags = {
                    "list_first": index == 0,
                    "list_last": last,
                    "pass_first": index == 0 and (row, group) == pixels[0],
                    "pass_last": last and (row, group) == pixels[-1],
                }
                bits = sum(int(flags[name]) << place for place, name in enumerate(RUN_FIELDS))
                word = entry.base + row * tile.row_step + group
                bits |= entry.run - 1 << 4 | entry.rotation << 20 | word << 28
                words.append(bits | int(entry.shift) << 44)
    return words


def _context_words(tile: Tile, added: int, table_half: int) -> list[int]:
    """The contexts of a tile as packed pass_context_t."""
    words = []
    for item in tile.passes:
        word = 0
        for value, width in (
            (tile.wide, 49),
            (item.plane, 2),
            (added, SUM_BITS),
            (tile.plane_words, 16),
            (item.out_base, 16),
            (tile.out_plane_words, 16),
            (item.out_byte, 8),
            (tile.word_channels, 3),
            (tile.zero_point, 8),
            (tile.low, 8),
            (tile.high, 8),
            (tile.lookup, 1),
            (table_half, 1),
            (tile.keep, 1),
            (tile.stream, 1),
            (item.take, 1),
            (item.hand_over, 1),
            (item is tile.passes[-1], 1),
        ):
            word = word << width | int(value) & (1 << width) - 1
        words.append(word)
    return words


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(source_pauses=[never, bursty], sink_pauses=[never, bursty])
async def reads_lists_in_order(
    dut: Any, source_pauses: Callable[[], Pauses], sink_pauses: Callable[[], Pauses]
) -> None:
    entries = int(os.environ["LIST_ENTRIES"])
    tile_source = StreamSource(dut, "tile", source_pauses(), fields=FIELDS)
    pass_source = StreamSource(dut, "pass", source_pauses())
    contexts = StreamSink(dut, "context", sink_pauses())
    runs = StreamSink(dut, "run", sink_pauses())
    memory = ListMemory(dut, entries)
    start_clock(dut)
    await reset(dut)
    cocotb.start_soon(memory.serve())
    for number in range(20):
        tiles = random_tiles(
            1,
            act_words=256,
            weight_words=64,
            list_entries=entries,
            param_passes=4,
            columns=5,
            tables=True,
            wide=True,
        )
        half = number % 2
        table_half = random.getrandbits(1)
        assert tiles[0].lists is not None
        memory.write(half, tiles[0].lists)
        # The tiles that come without lists share those of the first.
        halves = {"half": half, "table_half": table_half}
        sums = [random.getrandbits(SUM_BITS) for _ in tiles]
        sent_tiles = [
            {"data": _tile_word(tile), "sum": added, "wide": tile.wide, **halves}
            for tile, added in zip(tiles, sums, strict=True)
        ]
        cocotb.start_soon(tile_source.send(sent_tiles))
        cocotb.start_soon(pass_source.send([word for t in tiles for word in _pass_words(t)]))
        wanted_contexts = [
            word
            for tile, added in zip(tiles, sums, strict=True)
            for word in _context_words(tile, added, table_half)
        ]
        wanted_runs = [word for tile in tiles for word in _run_words(tile)]
        received = cocotb.start_soon(contexts.receive(len(wanted_contexts)))
        assert await runs.receive(len(wanted_runs)) == wanted_runs
        assert await received == wanted_contexts


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def sends_a_run_every_cycle(dut: Any) -> None:
    entries = int(os.environ["LIST_ENTRIES"])
    tile = random_tiles(
        1, act_words=256, weight_words=64, list_entries=entries, param_passes=4, columns=5
    )[0]
    tiles = [tile] * 8
    tile_source = StreamSource(dut, "tile", fields=FIELDS)
    pass_source = StreamSource(dut, "pass")
    contexts = StreamSink(dut, "context")
    memory = ListMemory(dut, entries)
    start_clock(dut)
    dut.run_ready_i.value = 1
    await reset(dut)
    assert tile.lists is not None
    memory.write(0, tile.lists)
    wanted = [word for item in tiles for word in _run_words(item)]
    cocotb.start_soon(memory.serve())
    halves = {"sum": 0, "wide": 0, "half": 0, "table_half": 0}
    cocotb.start_soon(tile_source.send([{"data": _tile_word(t), **halves} for t in tiles]))
    cocotb.start_soon(pass_source.send([word for t in tiles for word in _pass_words(t)]))
    cocotb.start_soon(contexts.receive(sum(len(t.passes) for t in tiles)))
    seen: list[int] = []
    cycles: list[int] = []
    cycle = 0
    while len(seen) < len(wanted):
        await RisingEdge(dut.clk_i)
        cycle += 1
        if dut.run_valid_o.value == 1:
            seen.append(int(dut.run_data_o.value))
            cycles.append(cycle)
    assert seen == wanted
    assert cycles[-1] - cycles[0] + 1 == len(wanted)

# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_load: random tiles against a plain model of the buffer, halves, waits, rate."""

import itertools
import operator
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, Event, FallingEdge, RisingEdge

from flexcc.program.encode import record
from flexcc.program.formats import LOAD_WAIT, MAX_CORES
from sim.bus.clock import reset, start_clock
from sim.bus.read_engine import ReadEngine
from sim.bus.stream import Pauses, StreamSource, bursty, mostly_paused, never
from sim.load_buffer import LoadBuffer
from sim.load_tiles import WAIT_MODULUS, LoadTile, Shape, conflict_free_tile, random_tile

SHAPE = Shape.from_environment()
MEMORY_BYTES = 128 * SHAPE.beat_bytes


class Array:
    """Plays the buffer and the array, which frees a full half when `free_pauses` lets it.

    `full_cycles` holds the cycle of each full pulse; `blocked` counts cycles.
    """

    def __init__(
        self, dut: Any, tiles: Sequence[LoadTile], memory: bytes, free_pauses: Pauses
    ) -> None:
        self._dut = dut
        self._buffer = LoadBuffer(dut, SHAPE, tiles, memory)
        self._free_pauses = free_pauses
        self._progress = Event()
        self.full_cycles = self._buffer.full_cycles
        self.blocked = 0
        dut.freed_i.value = 0
        cocotb.start_soon(self._watch())

    async def wait_for(self, count: int) -> None:
        """Returns once `count` halves have been full."""
        while len(self.full_cycles) < count:
            self._progress.clear()
            await self._progress.wait()

    async def _watch(self) -> None:
        dut = self._dut
        cycle = freed = 0
        while True:
            await RisingEdge(dut.clk_i)
            cycle += 1
            if dut.rst_ni.value != 1:
                continue
            if self._buffer.clock(cycle, freed + 2):
                self._progress.set()
            self.blocked += int(dut.blocked_o.value)
            free = len(self.full_cycles) > freed and not next(self._free_pauses)
            dut.freed_i.value = int(free)
            freed += free


async def count_stored_tiles(dut: Any, start: int, end: int) -> None:
    """Drives `tiles_done_i` from `start` to `end`, modulo 2^32, one more now and then."""
    for done in range(start, end + 1):
        dut.tiles_done_i.value = done % WAIT_MODULUS
        await ClockCycles(dut.clk_i, random.randint(1, 60))


async def check_waits(dut: Any, waits: Sequence[int]) -> None:
    """Asserts that request k is offered only once `waits[k]` tiles are stored."""
    for number, wait in enumerate(waits):
        while True:
            await RisingEdge(dut.clk_i)
            if dut.req_valid_o.value == 1:
                behind = (int(dut.tiles_done_i.value) - wait) % WAIT_MODULUS
                assert behind < WAIT_MODULUS // 2, f"request {number} came before tile {wait}"
                if dut.req_ready_i.value == 1:
                    break


async def _start(dut: Any) -> None:
    start_clock(dut)
    dut.tiles_done_i.value = 0
    dut.cores_done_i.value = 0
    dut.freed_i.value = 0
    await reset(dut)


def _words(tiles: Sequence[LoadTile]) -> list[int]:
    return [word for tile in tiles for word in tile.words()]


async def _run(
    dut: Any,
    tiles: Sequence[LoadTile],
    pauses: Callable[[], Pauses] = never,
    data_pauses: Callable[[], Pauses] = never,
    free_pauses: Callable[[], Pauses] = never,
) -> Array:
    """Runs the tiles to their end; returns the array's side with what it has counted."""
    memory = random.randbytes(MEMORY_BYTES)
    source = StreamSource(dut, "cmd", pauses())
    engine = ReadEngine(dut, memory, pauses(), data_pauses())
    array = Array(dut, tiles, memory, free_pauses())
    await _start(dut)
    cocotb.start_soon(source.send(_words(tiles)))
    await array.wait_for(len(tiles))
    # Nothing more may come, nor may it seem that anything does.
    await ClockCycles(dut.clk_i, 20)
    assert dut.busy_o.value == 0
    assert engine.requests == [request for tile in tiles for request in tile.requests()]
    return array


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(
    pauses=[never, bursty],
    data_pauses=[never, bursty, mostly_paused],
    free_pauses=[never, mostly_paused],
)
async def fills_halves(
    dut: Any,
    pauses: Callable[[], Pauses],
    data_pauses: Callable[[], Pauses],
    free_pauses: Callable[[], Pauses],
) -> None:
    tiles = [random_tile(SHAPE, MEMORY_BYTES, 0) for _ in range(16)]
    await _run(dut, tiles, pauses, data_pauses, free_pauses)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def hands_over_tiles_without_pixels(dut: Any) -> None:
    """A tile without planes, rows or columns fills its half with nothing, in its turn."""
    tiles = []
    for _ in range(4):
        tile = random_tile(SHAPE, MEMORY_BYTES, 0)
        no_rows = replace(tile, mem_rows=0, pad_top=0, pad_bottom=0)
        no_columns = replace(tile, mem_cols=0, pad_left=0, pad_right=0)
        tiles += [tile, replace(tile, addresses=()), no_rows, tile, no_columns]
    await _run(dut, tiles)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pauses=[never, bursty])
async def reads_what_is_stored(dut: Any, pauses: Callable[[], Pauses]) -> None:
    """No request comes before the tiles it waits for are stored, also when the count wraps."""
    start = WAIT_MODULUS - 20
    waits = sorted(random.randint(start - 5, start + 40) for _ in range(12))
    tiles = [random_tile(SHAPE, MEMORY_BYTES, wait) for wait in waits]
    memory = random.randbytes(MEMORY_BYTES)
    source = StreamSource(dut, "cmd", pauses())
    ReadEngine(dut, memory, pauses())
    array = Array(dut, tiles, memory, never())
    await _start(dut)
    cocotb.start_soon(count_stored_tiles(dut, start, max(waits)))
    cocotb.start_soon(source.send(_words(tiles)))
    checker = cocotb.start_soon(
        check_waits(dut, [tile.wait_tiles for tile in tiles for _ in tile.requests()])
    )
    await array.wait_for(len(tiles))
    await checker


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pauses=[never, bursty])
async def waits_for_other_cores(dut: Any, pauses: Callable[[], Pauses]) -> None:
    """No request behind a wait comes before every core has stored what it names; counts wrap."""
    cores, modulus = SHAPE.cores, 1 << 16
    start = [random.randrange(modulus) for _ in range(cores)]
    counts = list(start)
    words: list[int] = []
    expected: list[list[int]] = []
    tiles = [random_tile(SHAPE, MEMORY_BYTES, 0) for _ in range(12)]
    for tile in tiles:
        for _ in range(random.choice([0, 1, 1, 2])):
            core = random.randrange(cores)
            counts[core] += random.randrange(6)
            named = [value % modulus for value in counts] + [0] * (MAX_CORES - cores)
            words += record(LOAD_WAIT, core_tiles=named)
        words += tile.words()
        expected += [list(counts)] * len(tile.requests())
    memory = random.randbytes(MEMORY_BYTES)
    source = StreamSource(dut, "cmd", pauses())
    ReadEngine(dut, memory, pauses())
    array = Array(dut, tiles, memory, never())
    done = list(start)

    def put() -> None:
        dut.cores_done_i.value = sum(value % modulus << 16 * c for c, value in enumerate(done))

    async def store() -> None:
        while done != counts:
            core = random.choice([c for c in range(cores) if done[c] != counts[c]])
            done[core] += 1
            await ClockCycles(dut.clk_i, random.randint(1, 80))
            put()

    async def check() -> None:
        for number, waited in enumerate(expected):
            while True:
                await RisingEdge(dut.clk_i)
                if dut.req_valid_o.value == 1:
                    assert all(map(operator.ge, done, waited)), f"request {number} came early"
                    if dut.req_ready_i.value == 1:
                        break

    start_clock(dut)
    dut.tiles_done_i.value = 0
    put()
    dut.freed_i.value = 0
    await reset(dut)
    cocotb.start_soon(store())
    cocotb.start_soon(source.send(words))
    checker = cocotb.start_soon(check())
    await array.wait_for(len(tiles))
    await checker


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def keeps_its_rate(dut: Any) -> None:
    """Tiles follow each other with no cycle lost: each takes what its fullest banks take."""
    tiles: list[LoadTile] = []
    while len(tiles) < 12:
        tile = random_tile(SHAPE, MEMORY_BYTES, 0)
        # Long enough to hide that the next record comes word by word.
        if tile.cycles(SHAPE) > 48:
            tiles.append(tile)
    full = (await _run(dut, tiles)).full_cycles
    for number in range(1, len(tiles)):
        cycles, tile = full[number] - full[number - 1], tiles[number]
        assert cycles == tile.cycles(SHAPE), f"tile {number} took {cycles} cycles: {tile}"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def writes_a_beat_per_cycle(dut: Any) -> None:
    """Stride 1 and as many banks as pixels: one cycle per beat; fewer banks: B/P rounded up."""
    size = SHAPE.beat_pixels
    columns = 3 * size - 1
    rows = max(1, min(6, SHAPE.act_words // (2 * -(-(columns + 2) // SHAPE.banks)) - 2))
    tile = conflict_free_tile(SHAPE, columns, rows, planes=2)
    # Padding before the pixels costs a beat, padding behind them none, for there is a lane left.
    read_row = 1 + -(-(columns + 1) // size)
    if size > 1:
        assert read_row == 4
    beats = 2 * (rows * read_row + 2 * -(-(columns + 2) // size))
    assert tile.beats(SHAPE) == beats
    if size <= SHAPE.banks:
        assert tile.cycles(SHAPE) == beats
    else:
        assert tile.cycles(SHAPE) <= beats * -(-size // SHAPE.banks)
    full = (await _run(dut, [tile] * 5)).full_cycles
    assert [after - before for before, after in itertools.pairwise(full)] == [
        tile.cycles(SHAPE)
    ] * 4


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def waits_for_the_array(dut: Any) -> None:
    """Two halves and no more: with none freed the engine reports that it is blocked."""
    tile = conflict_free_tile(SHAPE, 2, 2, planes=1)
    memory = random.randbytes(MEMORY_BYTES)
    source = StreamSource(dut, "cmd")
    ReadEngine(dut, memory)
    array = Array(dut, [tile] * 3, memory, iter(lambda: True, None))
    await _start(dut)
    cocotb.start_soon(source.send(_words([tile] * 3)))
    await array.wait_for(2)
    while dut.blocked_o.value != 1:
        await RisingEdge(dut.clk_i)
    await ClockCycles(dut.clk_i, 50)
    assert dut.blocked_o.value == 1
    assert dut.busy_o.value == 1
    assert len(array.full_cycles) == 2
    assert array.blocked >= 50


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def waits_for_memory(dut: Any) -> None:
    """While memory brings nothing, the engine is starved, and not otherwise."""
    tile = conflict_free_tile(SHAPE, 2, 2, planes=1)
    source = StreamSource(dut, "cmd")
    array = Array(dut, [tile], b"", never())
    dut.req_ready_i.value = 0
    dut.data_valid_i.value = 0
    await _start(dut)
    await FallingEdge(dut.clk_i)
    assert dut.starved_o.value == 0
    assert dut.busy_o.value == 0
    cocotb.start_soon(source.send(_words([tile])))
    while dut.starved_o.value != 1:
        await RisingEdge(dut.clk_i)
    await ClockCycles(dut.clk_i, 50)
    assert dut.starved_o.value == 1
    assert dut.busy_o.value == 1
    assert not array.full_cycles

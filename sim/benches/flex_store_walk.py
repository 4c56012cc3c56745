# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_store_walk: every read and its meaning against plain loops, halves, rates."""

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamSource, bursty, mostly_paused, never
from sim.store_program import Kind, Shape, Source, StoreTile, random_tile, with_parts

SHAPE = Shape(
    m=int(os.environ["M"]),
    p=int(os.environ["P"]),
    n=int(os.environ["N"]),
    data_bytes=int(os.environ["DATA_BYTES"]),
    out_words=int(os.environ["OUT_WORDS"]),
)
POOL_LATENCY = 3
BUFFER_LATENCY = 4
READ_LATENCY = 2  # from the decision to read to the read
# Reads of a tile that hide the preparation of the next one, and of a half its hand-over.
LONG_TILE, LONG_HALF = 24, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One read of the output buffer and what its data mean.

    `pair`, `first` and `mask` matter to the pool only, `end` to the last read of a beat.
    """

    addr: int
    rotation: int
    source: Source
    pair: bool
    first: bool
    last: bool
    mask: int
    slot: int
    beat_last: bool
    half_last: bool
    end: int


def reads_of(tile: StoreTile, first_half: int) -> Iterator[Read]:
    """The reads of a tile whose first plane is in half `first_half`."""
    for plane in range(tile.planes):
        group, in_half = divmod(plane, SHAPE.planes_per_half)
        base = (first_half + group) % 2 * SHAPE.out_words + in_half * tile.plane_words
        group_ends = plane == tile.planes - 1 or in_half == SHAPE.planes_per_half - 1
        for row in range(tile.rows):
            reads = list(_row(tile, base, row))
            yield from reads[:-1]
            kept = tile.keep and plane == tile.planes - 1
            half_last = row == tile.rows - 1 and group_ends and not kept
            yield replace(reads[-1], half_last=half_last)


def _row(tile: StoreTile, base: int, row: int) -> Iterator[Read]:
    """The reads of a row; `half_last` is not set."""
    phases, width = 1, 1 + tile.paired(SHAPE)
    if not tile.single(SHAPE):
        phases, width = tile.phases_x, SHAPE.phase_columns(tile.phases_x)
    for col in range(0, tile.cols, phases * width):
        if tile.pool:
            points = list(_window(tile, row, col))
        else:
            points = [(row, col + phase, 1) for phase in range(phases)]
        row_ends = col + phases * width >= tile.cols
        beat_ends = (col + phases * width) % SHAPE.beat_pixels == 0
        for index, (y, x, columns) in enumerate(points):
            last = index == len(points) - 1
            word, bank = tile.place(SHAPE, y, x)
            yield Read(
                addr=(base + word) % (2 * SHAPE.out_words),
                rotation=bank,
                source=tile.source(SHAPE),
                pair=tile.paired(SHAPE),
                first=index == 0,
                last=last,
                mask=_mask(tile, y, x, columns) if tile.pool else 1,
                slot=(col if tile.pool else x) % SHAPE.beat_pixels,
                beat_last=last and (row_ends or beat_ends),
                half_last=False,
                end=(tile.cols - 1) % SHAPE.beat_pixels if row_ends else SHAPE.beat_pixels - 1,
            )


def _window(tile: StoreTile, row: int, col: int) -> Iterator[tuple[int, int, int]]:
    """Row, first column and columns of each read for the pooled pixel(s) at `row`, `col`."""
    columns = 4 if tile.paired(SHAPE) else tile.kernel_w
    for y in range(tile.kernel_h):
        for x in range(0, columns, SHAPE.pool_pixels):
            yield (
                tile.origin_y + row * tile.stride_h + y,
                tile.origin_x + col * tile.stride_w + x,
                min(SHAPE.pool_pixels, columns - x),
            )


def _mask(tile: StoreTile, y: int, x: int, columns: int) -> int:
    return sum(
        1 << lane
        for lane in range(columns)
        if 0 <= y < tile.valid_rows and 0 <= x + lane < tile.valid_cols
    )


class Surroundings:
    """Plays the array (which fills halves) and the beat FIFO; checks everything that comes."""

    def __init__(self, dut: Any, tiles: list[StoreTile]) -> None:
        self._dut = dut
        self._expected: list[Read] = []
        halves = 0
        for tile in tiles:
            self._expected += reads_of(tile, halves % 2)
            halves += tile.freed(SHAPE)
        self._halves = halves
        self.read_cycles: list[int] = []

    async def run(self, fill_pauses: Pauses, room_pauses: Pauses) -> None:
        """Returns when all reads have come; fails at the first wrong one."""
        dut = self._dut
        filled = freed = taken = seen = cycle = 0
        half_open = False
        decisions: list[int] = []
        while seen < len(self._expected):
            await FallingEdge(dut.clk_i)
            fill = filled < self._halves and filled - freed < 2 and not next(fill_pauses)
            dut.group_full_i.value = int(fill)
            room = not next(room_pauses)
            dut.room_i.value = int(room)
            await RisingEdge(dut.clk_i)
            cycle += 1
            if dut.rd_en_o.value == 1:
                self._check_read(cycle)
                assert decisions[len(self.read_cycles) - 1] == cycle - READ_LATENCY
            busy, starved, blocked = (
                dut.busy_o.value == 1,
                dut.starved_o.value == 1,
                dut.blocked_o.value == 1,
            )
            half_there = half_open or taken < filled
            assert not starved or not half_there
            assert not blocked or (half_there and not room)
            assert not busy or (half_there and room), "reads what is not there, or without room"
            assert not busy or len(decisions) < len(self._expected), "reads too much"
            assert (dut.beat_o.value == 1) == (busy and self._expected[len(decisions)].beat_last)
            if busy:
                taken += not half_open
                half_open = not self._expected[len(decisions)].half_last
                decisions.append(cycle)
            filled += fill
            data_valid = dut.data_valid_o.value == 1
            frees = False
            if data_valid:
                assert cycle == self.read_cycles[seen] + BUFFER_LATENCY
                frees = self._check_data(seen).half_last
                seen += 1
            assert (dut.group_freed_o.value == 1) == frees
            freed += frees
        assert freed == self._halves

    def _check_read(self, cycle: int) -> None:
        number = len(self.read_cycles)
        assert number < len(self._expected), "reads more than the tiles need"
        wanted = self._expected[number]
        seen = (int(self._dut.rd_addr_o.value), int(self._dut.rd_rotation_o.value))
        assert seen == (wanted.addr, wanted.rotation), f"read {number}: {seen}, not {wanted}"
        self.read_cycles.append(cycle)

    def _check_data(self, number: int) -> Read:
        dut, wanted = self._dut, self._expected[number]
        source = Source(int(dut.data_source_o.value))
        single = wanted.source is Source.SINGLE
        seen = Read(
            addr=wanted.addr,
            rotation=wanted.rotation,
            source=source,
            pair=bool(dut.data_pair_o.value) if single else wanted.pair,
            first=bool(dut.data_first_o.value) if single else wanted.first,
            last=bool(dut.data_last_o.value) if single else wanted.last,
            mask=int(dut.data_mask_o.value) if single else wanted.mask,
            slot=int(dut.data_slot_o.value),
            beat_last=bool(dut.data_beat_last_o.value),
            half_last=wanted.half_last,
            end=int(dut.data_end_o.value) if wanted.beat_last else wanted.end,
        )
        assert seen == wanted, f"data {number}: {seen}, not {wanted}"
        return wanted


async def start(dut: Any, tiles: list[StoreTile], pauses: Pauses) -> Surroundings:
    """Begins to send `tiles`."""
    start_clock(dut)
    dut.group_full_i.value = 0
    dut.room_i.value = 0
    source = StreamSource(dut, "tile", pauses)
    await reset(dut)
    cocotb.start_soon(source.send([tile.payload() for tile in tiles]))
    return Surroundings(dut, tiles)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(
    pauses=[
        (never, never, never),
        (bursty, never, never),
        (never, bursty, never),
        (never, never, bursty),
        (mostly_paused, bursty, bursty),
        (bursty, bursty, mostly_paused),
    ]
)
async def reads_in_the_order_of_memory(
    dut: Any, pauses: tuple[Callable[[], Pauses], Callable[[], Pauses], Callable[[], Pauses]]
) -> None:
    """With pauses in tiles, full halves and room."""
    tiles = with_parts([random_tile(SHAPE, random.choice(list(Kind))) for _ in range(30)])
    tile_pauses, fill_pauses, room_pauses = pauses
    surroundings = await start(dut, tiles, tile_pauses())
    await surroundings.run(fill_pauses(), room_pauses())


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(
    kinds=[(Kind.PLAIN,), (Kind.POOLED,), (Kind.PHASED,), (Kind.PLAIN, Kind.POOLED, Kind.PHASED)]
)
async def reads_every_cycle(dut: Any, kinds: tuple[Kind, ...]) -> None:
    """No cycle is lost across rows, planes, halves and tiles, but where the pool's way ends."""
    tiles = with_parts(
        [
            random_tile(SHAPE, kind, least_reads=LONG_TILE, least_half_reads=LONG_HALF)
            for kind in kinds * 4
        ]
    )
    surroundings = await start(dut, tiles, never())
    await surroundings.run(never(), never())
    cycles = surroundings.read_cycles
    assert len(cycles) == sum(tile.reads(SHAPE) for tile in tiles)
    lost = cycles[-1] - cycles[0] + 1 - len(cycles)
    ends = sum(one.single(SHAPE) and not other.single(SHAPE) for one, other in pairwise(tiles))
    assert lost == POOL_LATENCY * ends

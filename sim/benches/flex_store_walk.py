# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_store_walk: every read and its meaning against plain loops, halves, rates."""

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamSource, bursty, mostly_paused, never
from sim.store_program import Shape, StoreTile, random_tile

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
LANES = max(SHAPE.raw_pixels, SHAPE.pool_pixels)
# Reads of a tile that hide the preparation of the next one, and of a half its hand-over.
LONG_TILE, LONG_HALF = 24, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One read of the output buffer and what its data mean."""

    addr: int
    rotation: int
    pool: bool
    first: bool
    last: bool
    mask: int
    slot: int
    beat_last: bool
    half_last: bool


def reads_of(tile: StoreTile, first_half: int) -> Iterator[Read]:
    """The reads of a tile whose first plane is in half `first_half`."""
    width = SHAPE.pool_pixels if tile.pool else SHAPE.raw_pixels
    for plane in range(tile.planes):
        group, in_half = divmod(plane, SHAPE.planes_per_half)
        base = (first_half + group) % 2 * SHAPE.out_words + in_half * tile.plane_words
        for row in range(tile.rows):
            for col in range(0, tile.cols, 1 if tile.pool else width):
                points = list(_window(tile, row, col, width))
                for index, (y, x, columns) in enumerate(points):
                    last = index == len(points) - 1
                    count = 1 if tile.pool else width
                    row_ends = col + count >= tile.cols
                    plane_ends = last and row_ends and row == tile.rows - 1
                    group_ends = plane == tile.planes - 1 or in_half == SHAPE.planes_per_half - 1
                    yield Read(
                        addr=(base + y * tile.row_words + x // SHAPE.p) % (2 * SHAPE.out_words),
                        rotation=x % SHAPE.p,
                        pool=bool(tile.pool),
                        first=index == 0,
                        last=last,
                        mask=_mask(tile, y, x, columns),
                        slot=col % SHAPE.beat_pixels,
                        beat_last=last and (row_ends or (col + count) % SHAPE.beat_pixels == 0),
                        half_last=plane_ends and group_ends,
                    )


def _window(tile: StoreTile, row: int, col: int, width: int) -> Iterator[tuple[int, int, int]]:
    """Row, first column and columns of each read for the pixel (or pixels) at `row`, `col`."""
    if not tile.pool:
        yield row, col, width
        return
    for y in range(tile.kernel_h):
        for x in range(0, tile.kernel_w, width):
            yield (
                tile.origin_y + row * tile.stride_h + y,
                tile.origin_x + col * tile.stride_w + x,
                min(width, tile.kernel_w - x),
            )


def _mask(tile: StoreTile, y: int, x: int, columns: int) -> int:
    rows, cols = (tile.valid_rows, tile.valid_cols) if tile.pool else (tile.rows, tile.cols)
    return sum(1 << lane for lane in range(columns) if 0 <= y < rows and 0 <= x + lane < cols)


class Surroundings:
    """Plays the array (which fills halves) and the beat FIFO; checks everything that comes."""

    def __init__(self, dut: Any, tiles: list[StoreTile]) -> None:
        self._dut = dut
        self._expected: list[Read] = []
        halves = 0
        for tile in tiles:
            self._expected += reads_of(tile, halves % 2)
            halves += tile.halves(SHAPE)
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
        lanes = SHAPE.pool_pixels if wanted.pool else SHAPE.raw_pixels
        seen = Read(
            addr=wanted.addr,
            rotation=wanted.rotation,
            pool=bool(dut.data_pool_o.value),
            first=bool(dut.data_first_o.value),
            last=bool(dut.data_last_o.value),
            mask=int(dut.data_mask_o.value) & ((1 << lanes) - 1),
            slot=int(dut.data_slot_o.value),
            beat_last=bool(dut.data_beat_last_o.value),
            half_last=wanted.half_last,
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
    tiles = [random_tile(SHAPE, pool=random.random() < 0.5) for _ in range(25)]
    tile_pauses, fill_pauses, room_pauses = pauses
    surroundings = await start(dut, tiles, tile_pauses())
    await surroundings.run(fill_pauses(), room_pauses())


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pooled=[(False,), (True,), (False, True)])
async def reads_every_cycle(dut: Any, pooled: tuple[bool, ...]) -> None:
    """No cycle is lost across rows, planes, halves and tiles, but where pooling ends."""
    tiles = [
        random_tile(SHAPE, pool=pool, least_reads=LONG_TILE, least_half_reads=LONG_HALF)
        for pool in pooled * 4
    ]
    surroundings = await start(dut, tiles, never())
    await surroundings.run(never(), never())
    cycles = surroundings.read_cycles
    lost = cycles[-1] - cycles[0] + 1 - len(cycles)
    ends = sum(bool(one.pool) and not other.pool for one, other in pairwise(tiles))
    assert lost == POOL_LATENCY * ends

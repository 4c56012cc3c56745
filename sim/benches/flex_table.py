# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_table: every byte against the table that was the latest when its tile was told."""

import os
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge
from cocotb.utils import get_sim_time

from sim.bus.clock import CLOCK_PERIOD_NS, reset, start_clock
from sim.bus.stream import Pauses, StreamSource, bursty, mostly_paused, never

P, Q, LANES, ADDR = (int(os.environ[name]) for name in ("P", "Q", "LANES", "OUT_ADDR_WIDTH"))
LATENCY = 3
AHEAD = 5
"""Tiles told and not done at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write, all of its inputs but the half."""

    enables: int
    addr: int
    data: bytes
    last: bool
    full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A tile: the table that comes before it, if any, the one it uses, if any, and its writes."""

    new: bytes | None
    used: bytes | None
    writes: list[Write]

    def expected(self, write: Write) -> tuple[int, int, bytes, int]:
        """What comes out: enables, address, bytes, whether a half is full."""
        data = write.data
        if self.used is not None:
            data = bytes(self.used[byte ^ 0x80] for byte in data)
        return write.enables, write.addr, data, int(write.full)


def random_tiles(count: int, most_writes: int) -> list[Tile]:
    """Tiles that look up or do not; none does before the first table."""
    tiles: list[Tile] = []
    latest: bytes | None = None
    for _ in range(count):
        new = random.randbytes(256) if random.random() < 0.4 else None
        latest = latest if new is None else new
        length = random.choice((1, 2, random.randint(1, most_writes)))
        writes = [
            Write(
                enables=random.randint(1, (1 << LANES) - 1),
                addr=random.getrandbits(ADDR),
                data=random.randbytes(P * Q),
                last=number == length - 1,
                full=random.random() < 0.2,
            )
            for number in range(length)
        ]
        used = latest if random.random() < 0.8 else None
        tiles.append(Tile(new=new, used=used, writes=writes))
    return tiles


class Surroundings:
    """Plays the sequencer, some tiles ahead, and the requantiser; checks what comes out."""

    def __init__(self, dut: Any, tiles: list[Tile], words: Pauses, writes: Pauses) -> None:
        self._dut, self._tiles, self._pauses = dut, tiles, writes
        self._source = StreamSource(dut, "word", words)
        self._halves: deque[int] = deque()  # of tiles told and not begun
        self._told = self._done = 0
        self._expected: deque[tuple[float, tuple[int, int, bytes, int]]] = deque()
        self.loaded_ahead = 0  # tables whose first word was taken before earlier tiles were done

    async def tell(self) -> None:
        """Tables and tiles."""
        dut = self._dut
        for tile in self._tiles:
            if tile.new is not None:
                words = [tile.new[start : start + 8] for start in range(0, 256, 8)]
                await self._source.send([int.from_bytes(word, "little") for word in words])
                self.loaded_ahead += self._done < self._told
            while self._told - self._done >= AHEAD:
                await FallingEdge(dut.clk_i)
            await FallingEdge(dut.clk_i)
            dut.tile_i.value = 1
            half = int(dut.half_o.value)
            await FallingEdge(dut.clk_i)
            dut.tile_i.value = 0
            self._halves.append(half)
            self._told += 1

    async def write(self) -> None:
        """The writes of all tiles in order."""
        dut = self._dut
        for tile in self._tiles:
            while not self._halves:
                await FallingEdge(dut.clk_i)
            half = self._halves.popleft()
            for write in tile.writes:
                while next(self._pauses):
                    await FallingEdge(dut.clk_i)
                dut.wr_en_i.value = write.enables
                dut.wr_addr_i.value = write.addr
                dut.wr_data_i.value = int.from_bytes(write.data, "little")
                dut.wr_table_i.value = (tile.used is not None) << 2 | half << 1 | int(write.last)
                dut.group_full_i.value = int(write.full)
                self._expected.append((get_sim_time("ns"), tile.expected(write)))
                await FallingEdge(dut.clk_i)
                dut.wr_en_i.value = 0
                dut.group_full_i.value = 0
            self._done += 1

    async def check(self) -> None:
        """All that comes out, each LATENCY cycles after it came in."""
        dut = self._dut
        left = sum(len(tile.writes) for tile in self._tiles)
        while left:
            await RisingEdge(dut.clk_i)
            enables = int(dut.wr_en_o.value)
            if not enables:
                assert dut.group_full_o.value == 0
                continue
            sent, wanted = self._expected.popleft()
            data = int(dut.wr_data_o.value).to_bytes(P * Q, "little")
            got = (enables, int(dut.wr_addr_o.value), data, int(dut.group_full_o.value))
            assert got == wanted, f"{left} writes before the end: {got}, not {wanted}"
            assert get_sim_time("ns") - sent == (LATENCY + 0.5) * CLOCK_PERIOD_NS
            left -= 1


async def run(dut: Any, tiles: list[Tile], words: Pauses, writes: Pauses) -> Surroundings:
    """All tiles from their tables to their last write."""
    for port in ("tile", "wr_en", "group_full"):
        getattr(dut, f"{port}_i").value = 0
    surroundings = Surroundings(dut, tiles, words, writes)
    start_clock(dut)
    await reset(dut)
    for process in (surroundings.tell, surroundings.write):
        cocotb.start_soon(process())
    await surroundings.check()
    return surroundings


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(words=[never, bursty], writes=[never, bursty, mostly_paused])
async def looks_up_in_the_tiles_own_table(
    dut: Any, words: Callable[[], Pauses], writes: Callable[[], Pauses]
) -> None:
    await run(dut, random_tiles(60, 400 if writes is never else 60), words(), writes())


@cocotb.test(timeout_time=400, timeout_unit="us")
async def loads_while_another_table_is_used(dut: Any) -> None:
    """With long tiles most tables come while tiles before them are on their way."""
    surroundings = await run(dut, random_tiles(30, 2000), never(), never())
    assert surroundings.loaded_ahead > 3

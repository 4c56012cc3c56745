# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_load_walker: every beat of random tiles, no bubbles, never more than two halves."""

from collections.abc import Callable, Sequence
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from sim.benches.flex_load_prepare import SHAPE, random_tiles
from sim.bus.clock import reset, start_clock
from sim.bus.stream import (
    Pauses,
    StreamMonitor,
    StreamSink,
    StreamSource,
    bursty,
    mostly_paused,
    never,
)
from sim.load_beats import BEAT_FIELDS, beats, pack_prepared, prepared
from sim.load_tiles import LoadTile


class Array:
    """Frees a half for each last beat that has passed, when `pauses` let it."""

    def __init__(self, dut: Any, pauses: Pauses) -> None:
        self._dut = dut
        self._pauses = pauses
        self.freed = 0
        dut.freed_i.value = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut = self._dut
        ended = 0
        while True:
            await RisingEdge(dut.clk_i)
            if dut.rst_ni.value != 1:
                continue
            passed = dut.beat_valid_o.value == 1 and dut.beat_ready_i.value == 1
            if passed:
                assert ended < self.freed + 2, f"tile {ended} has no half"
            ended += int(passed and dut.beat_last_o.value == 1)
            free = ended > self.freed and not next(self._pauses)
            dut.freed_i.value = int(free)
            self.freed += free


async def _run(
    dut: Any,
    tiles: Sequence[LoadTile],
    shape_pauses: Callable[[], Pauses],
    beat_pauses: Callable[[], Pauses],
    free_pauses: Callable[[], Pauses],
) -> list[int]:
    """Walks the tiles; returns the cycle of each beat."""
    source = StreamSource(dut, "shape", shape_pauses())
    sink = StreamSink(dut, "beat", beat_pauses(), fields=BEAT_FIELDS)
    monitor = StreamMonitor(dut, "beat", fields=BEAT_FIELDS)
    Array(dut, free_pauses())
    start_clock(dut)
    await reset(dut)
    cocotb.start_soon(source.send([pack_prepared(prepared(tile, SHAPE)) for tile in tiles]))
    for number, tile in enumerate(tiles):
        wanted = beats(tile, SHAPE, number % 2)
        assert await sink.receive(len(wanted)) == wanted, f"tile {number}: {tile}"
    await ClockCycles(dut.clk_i, 4)
    assert dut.busy_o.value == 0
    return monitor.cycles


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(
    shape_pauses=[never, bursty],
    beat_pauses=[never, bursty],
    free_pauses=[never, mostly_paused],
)
async def walks_tiles(
    dut: Any,
    shape_pauses: Callable[[], Pauses],
    beat_pauses: Callable[[], Pauses],
    free_pauses: Callable[[], Pauses],
) -> None:
    await _run(dut, random_tiles(40), shape_pauses, beat_pauses, free_pauses)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def loses_no_cycle(dut: Any) -> None:
    """One beat per cycle, also from tile to tile when halves are freed in time."""
    tiles = [tile for tile in random_tiles(60) if tile.beats(SHAPE) > 4]
    cycles = await _run(dut, tiles, never, never, never)
    assert cycles == list(range(cycles[0], cycles[0] + len(cycles)))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def waits_for_a_free_half(dut: Any) -> None:
    """Two tiles are walked; with no half freed the third one is blocked."""
    tiles = random_tiles(3)
    source = StreamSource(dut, "shape")
    sink = StreamSink(dut, "beat", fields=BEAT_FIELDS)
    dut.freed_i.value = 0
    start_clock(dut)
    await reset(dut)
    cocotb.start_soon(source.send([pack_prepared(prepared(tile, SHAPE)) for tile in tiles]))
    for number, tile in enumerate(tiles[:2]):
        wanted = beats(tile, SHAPE, number)
        assert await sink.receive(len(wanted)) == wanted
    while dut.blocked_o.value != 1:
        await RisingEdge(dut.clk_i)
    for _ in range(50):
        await RisingEdge(dut.clk_i)
        assert dut.beat_valid_o.value == 0
        assert dut.blocked_o.value == 1
        assert dut.busy_o.value == 1
    dut.freed_i.value = 1
    await RisingEdge(dut.clk_i)
    dut.freed_i.value = 0
    wanted = beats(tiles[2], SHAPE, 0)
    assert await sink.receive(len(wanted)) == wanted

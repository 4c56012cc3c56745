# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_load_scatter: beats of random tiles against a plain model of the buffer, rate."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from sim.benches.flex_load_prepare import MEMORY_BYTES, SHAPE, random_tiles
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamSource, bursty, mostly_paused, never
from sim.load_beats import BEAT_FIELDS, beats
from sim.load_buffer import LoadBuffer
from sim.load_tiles import LoadTile


def memory_beats(tile: LoadTile, memory: bytes) -> list[int]:
    """The memory beats of a tile in order."""
    size = SHAPE.beat_bytes
    return [
        int.from_bytes(memory[at : at + size], "little")
        for request in tile.requests()
        for at in range(request.address, request.address + request.beats * size, size)
    ]


async def _run(
    dut: Any,
    tiles: Sequence[LoadTile],
    beat_pauses: Callable[[], Pauses],
    data_pauses: Callable[[], Pauses],
) -> list[int]:
    """Writes the tiles into alternate halves; returns the cycle of each full pulse."""
    memory = random.randbytes(MEMORY_BYTES)
    beat_source = StreamSource(dut, "beat", beat_pauses(), fields=BEAT_FIELDS)
    data_source = StreamSource(dut, "data", data_pauses())
    buffer = LoadBuffer(dut, SHAPE, tiles, memory)
    start_clock(dut)
    await reset(dut)
    words = [beat for number, tile in enumerate(tiles) for beat in beats(tile, SHAPE, number % 2)]
    cocotb.start_soon(beat_source.send(words))
    data = [beat for tile in tiles for beat in memory_beats(tile, memory)]
    cocotb.start_soon(data_source.send(data))
    cycle = 0
    while len(buffer.full_cycles) < len(tiles):
        await RisingEdge(dut.clk_i)
        cycle += 1
        buffer.clock(cycle, len(tiles))
    await ClockCycles(dut.clk_i, 8)
    assert dut.busy_o.value == 0
    return buffer.full_cycles


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(beat_pauses=[never, bursty], data_pauses=[never, bursty, mostly_paused])
async def scatters_beats(
    dut: Any, beat_pauses: Callable[[], Pauses], data_pauses: Callable[[], Pauses]
) -> None:
    await _run(dut, random_tiles(20), beat_pauses, data_pauses)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def takes_what_the_fullest_bank_takes(dut: Any) -> None:
    tiles = random_tiles(30)
    full = await _run(dut, tiles, never, never)
    for number in range(1, len(tiles)):
        cycles = full[number] - full[number - 1]
        assert cycles == tiles[number].cycles(SHAPE), f"tile {number}: {tiles[number]}"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def starves_without_memory(dut: Any) -> None:
    """A beat that takes memory waits for it and says so; padding does not."""
    tile = next(tile for tile in random_tiles(100) if tile.reads and tile.addresses)
    stream = beats(tile, SHAPE, 0)
    dut.data_valid_i.value = 0
    source = StreamSource(dut, "beat", fields=BEAT_FIELDS)
    start_clock(dut)
    await reset(dut)
    await RisingEdge(dut.clk_i)
    assert dut.starved_o.value == 0
    assert dut.busy_o.value == 0
    cocotb.start_soon(source.send(stream))
    while dut.starved_o.value != 1:
        await RisingEdge(dut.clk_i)
    for _ in range(50):
        await RisingEdge(dut.clk_i)
        assert dut.starved_o.value == 1
        assert dut.busy_o.value == 1
        assert dut.data_ready_o.value == 1

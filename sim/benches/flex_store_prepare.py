# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_store_prepare: windows, divisions and products against Python's."""

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from flexcc.program.formats import STORE_TILE
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamMonitor, StreamSink, StreamSource, bursty, never
from sim.store_program import Shape, StoreTile, random_tile

P, RAW_PIXELS = int(os.environ["P"]), int(os.environ["RAW_PIXELS"])
ADDR_WIDTH = int(os.environ["ADDR_WIDTH"])
SHAPE = Shape(m=8, p=P, n=4, data_bytes=4 * RAW_PIXELS, out_words=1 << (ADDR_WIDTH - 1))
OUTPUTS = ("tile", "origin_word", "origin_bank", "step_word", "step_bank", "origin_row", "step_row")
LATENCY = {0: 1, 1: 17}


def tile_fields(payload: int) -> dict[str, int]:
    """The fields of a packed store_tile_t."""
    fields = {}
    for number, word in enumerate(STORE_TILE.words):
        low = 64 * number
        for field in word:
            value = payload >> low & ((1 << field.width) - 1)
            if field.signed and value >> (field.width - 1):
                value -= 1 << field.width
            fields[field.name] = value
            low += field.width
    return fields


def windows(tile: StoreTile) -> StoreTile:
    """The tile as the module must describe it."""
    if tile.pool:
        return tile
    return replace(
        tile,
        cols=-(-tile.cols // RAW_PIXELS),
        kernel_h=1,
        kernel_w=RAW_PIXELS,
        stride_h=1,
        stride_w=RAW_PIXELS,
        origin_y=0,
        origin_x=0,
        valid_rows=tile.rows,
        valid_cols=tile.cols,
    )


def prepared(tile: StoreTile) -> dict[str, int]:
    """Everything that the module puts out but the tile itself."""
    words = 1 << ADDR_WIDTH
    view = windows(tile)
    origin_word, origin_bank = divmod(view.origin_x, P)
    step_word, step_bank = divmod(view.stride_w, P)
    return {
        "origin_word": origin_word % words,
        "origin_bank": origin_bank,
        "step_word": step_word % words,
        "step_bank": step_bank,
        "origin_row": view.origin_y * view.row_words % words,
        "step_row": view.stride_h * view.row_words % words,
    }


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(source_pauses=[never, bursty], sink_pauses=[never, bursty])
async def prepares_tiles(
    dut: Any, source_pauses: Callable[[], Pauses], sink_pauses: Callable[[], Pauses]
) -> None:
    """Tiles of all kinds come out prepared, in order."""
    tiles = [random_tile(SHAPE, pool=number % 3 != 0) for number in range(90)]
    # Coordinates at their limits.
    extremes = [(-(1 << 15), (1 << 15) - 1), ((1 << 15) - 1, -(1 << 15)), (-1, -1), (0, 0)]
    tiles += [replace(tiles[1], origin_x=x, origin_y=y, stride_w=255) for x, y in extremes]
    start_clock(dut)
    source = StreamSource(dut, "tile", source_pauses())
    sink = StreamSink(dut, "out", sink_pauses(), fields=OUTPUTS)
    monitor = StreamMonitor(dut, "out", fields=OUTPUTS)
    await reset(dut)
    cocotb.start_soon(source.send([tile.payload() for tile in tiles]))
    cocotb.start_soon(sink.receive(len(tiles)))
    for number, word in enumerate(await monitor.wait_for(len(tiles))):
        fields = tile_fields(word.pop("tile"))
        assert fields == asdict(windows(tiles[number])), f"tile {number}"
        assert word == prepared(tiles[number]), f"tile {number}: {tiles[number]}"


@cocotb.test(timeout_time=10, timeout_unit="us")
@cocotb.parametrize(pool=[False, True])
async def takes_its_time(dut: Any, pool: bool) -> None:
    """The latency is as stated."""
    tile = random_tile(SHAPE, pool=pool)
    start_clock(dut)
    source = StreamSource(dut, "tile")
    dut.out_ready_i.value = 0
    await reset(dut)
    cocotb.start_soon(source.send([tile.payload()]))
    while dut.tile_valid_i.value == 0:
        await RisingEdge(dut.clk_i)
    cycles = 0
    while dut.out_valid_o.value == 0:
        await RisingEdge(dut.clk_i)
        cycles += 1
    assert cycles == LATENCY[tile.pool]

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
from sim.store_program import Kind, Shape, StoreTile, random_tile

P, ADDR_WIDTH = int(os.environ["P"]), int(os.environ["ADDR_WIDTH"])
BEAT_PIXELS = int(os.environ["BEAT_PIXELS"])
SHAPE = Shape(m=8, p=P, n=4, data_bytes=4 * BEAT_PIXELS, out_words=1 << (ADDR_WIDTH - 1))
OUTPUTS = (
    "tile",
    "source",
    "pair",
    "origin_word",
    "origin_bank",
    "step_word",
    "step_bank",
    "origin_row",
    "step_row",
    "step_phase",
)
LATENCY = {Kind.PLAIN: 1, Kind.POOLED: 17, Kind.PHASED: 17}


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
    if tile.paired(SHAPE):
        return replace(tile, cols=-(-tile.cols // 2), kernel_w=4, stride_w=4)
    if tile.pool:
        return tile
    window = 1 if tile.single(SHAPE) else tile.phases_x * SHAPE.phase_columns(tile.phases_x)
    return replace(
        tile,
        cols=-(-tile.cols // window),
        row_words=tile.phase_words,
        kernel_h=tile.phases_x,
        kernel_w=1,
        stride_h=0,
        stride_w=0,
        origin_y=0,
        origin_x=0,
        valid_rows=0xFFFF,
        valid_cols=0xFFFF,
    )


def prepared(tile: StoreTile) -> dict[str, int]:
    """Everything that the module puts out but the tile itself."""
    words = 1 << ADDR_WIDTH
    columns = 1 if tile.single(SHAPE) else SHAPE.phase_columns(tile.phases_x)
    origin_word, origin_bank = divmod(tile.origin_x if tile.pool else 0, P)
    stride = 4 if tile.paired(SHAPE) else tile.stride_w
    step_word, step_bank = divmod(stride if tile.pool else columns, P)
    return {
        "source": tile.source(SHAPE).value,
        "pair": int(tile.paired(SHAPE)),
        "origin_word": origin_word % words,
        "origin_bank": origin_bank,
        "step_word": step_word % words,
        "step_bank": step_bank,
        "origin_row": tile.origin_y * tile.row_words % words if tile.pool else 0,
        "step_row": (tile.stride_h if tile.pool else 1) * tile.row_words % words,
        "step_phase": tile.phases_x * tile.phase_words % words,
    }


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(source_pauses=[never, bursty], sink_pauses=[never, bursty])
async def prepares_tiles(
    dut: Any, source_pauses: Callable[[], Pauses], sink_pauses: Callable[[], Pauses]
) -> None:
    """Tiles of all kinds come out prepared, in order."""
    tiles = [random_tile(SHAPE, kind) for kind in list(Kind) * 40]
    # Coordinates at their limits.
    pooled = random_tile(SHAPE, Kind.POOLED)
    extremes = [(-(1 << 15), (1 << 15) - 1), ((1 << 15) - 1, -(1 << 15)), (-1, -1), (0, 0)]
    tiles += [replace(pooled, origin_x=x, origin_y=y, stride_w=255) for x, y in extremes]
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
        wanted = prepared(tiles[number])
        if tiles[number].phases_y == 1:  # there is no row phase to go to
            del word["step_phase"], wanted["step_phase"]
        assert word == wanted, f"tile {number}: {tiles[number]}"


@cocotb.test(timeout_time=10, timeout_unit="us")
@cocotb.parametrize(kind=list(Kind))
async def takes_its_time(dut: Any, kind: Kind) -> None:
    """The latency is as stated."""
    tile = random_tile(SHAPE, kind)
    while kind is Kind.PHASED and tile.phases_y * tile.phases_x == 1:
        tile = random_tile(SHAPE, kind)
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
    assert cycles == LATENCY[kind]

# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_load_prepare: random tiles against the same sums in Python."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cocotb

from flexcc.program.encode import to_bytes
from flexcc.program.formats import LOAD_TILE
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamMonitor, StreamSink, StreamSource, bursty, never
from sim.load_beats import prepared, unpack_prepared
from sim.load_tiles import LoadTile, Shape, random_tile

SHAPE = Shape.from_environment()
MEMORY_BYTES = 128 * SHAPE.beat_bytes


def random_tiles(count: int) -> list[LoadTile]:
    """Random tiles, some without pixels."""
    tiles = []
    for _ in range(count):
        tile = random_tile(SHAPE, MEMORY_BYTES, 0)
        match random.randrange(12):
            case 0:
                tile = replace(tile, addresses=())
            case 1:
                tile = replace(tile, mem_rows=0, pad_top=0, pad_bottom=0)
            case 2:
                tile = replace(tile, mem_cols=0, pad_left=0, pad_right=0)
            case _:
                pass
        tiles.append(tile)
    return tiles


def packed(tile: LoadTile) -> int:
    """The bits of a record's payload, its planes left away."""
    words = tile.words()[1 : 1 + len(LOAD_TILE.words)]
    return int.from_bytes(to_bytes(words), "little")


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(tile_pauses=[never, bursty], shape_pauses=[never, bursty])
async def prepares_tiles(
    dut: Any, tile_pauses: Callable[[], Pauses], shape_pauses: Callable[[], Pauses]
) -> None:
    tiles = random_tiles(300)
    source = StreamSource(dut, "tile", tile_pauses())
    sink = StreamSink(dut, "shape", shape_pauses())
    StreamMonitor(dut, "shape")
    start_clock(dut)
    await reset(dut)
    cocotb.start_soon(source.send([packed(tile) for tile in tiles]))
    for number, bits in enumerate(await sink.receive(len(tiles))):
        wanted = prepared(tiles[number], SHAPE)
        assert unpack_prepared(bits) == wanted, f"tile {number}: {tiles[number]}"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def takes_four_cycles(dut: Any) -> None:
    """Five cycles from tile to tile, the one that takes it included."""
    tiles = random_tiles(20)
    source = StreamSource(dut, "tile")
    sink = StreamSink(dut, "shape")
    monitor = StreamMonitor(dut, "shape")
    start_clock(dut)
    await reset(dut)
    cocotb.start_soon(source.send([packed(tile) for tile in tiles]))
    await sink.receive(len(tiles))
    assert monitor.cycles[-1] - monitor.cycles[0] == 5 * (len(tiles) - 1)

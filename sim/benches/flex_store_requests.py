# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_store_requests: requests against plain loops, tiles counted in time."""

import os
import random
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamMonitor, StreamSink, StreamSource, bursty, never
from sim.store_program import Kind, Shape, StoreTile, random_tile, with_parts

SHAPE = Shape(
    m=16, p=4, n=int(os.environ["N"]), data_bytes=int(os.environ["DATA_BYTES"]), out_words=64
)
FIELDS = ("addr", "beats")
# Cycles from the acknowledgement that completes a tile to its count, and between two counts.
COUNT_LATENCY, COUNT_DISTANCE = 3, 3


async def start(dut: Any, tiles: list[StoreTile], source: Pauses, sink: Pauses) -> StreamMonitor:
    """Begins to send `tiles` and to take their requests."""
    start_clock(dut)
    dut.done_i.value = 0
    sender = StreamSource(dut, "tile", source)
    receiver = StreamSink(dut, "req", sink, fields=FIELDS)
    monitor = StreamMonitor(dut, "req", fields=FIELDS)
    await reset(dut)
    cocotb.start_soon(sender.send([tile.payload() for tile in tiles]))
    cocotb.start_soon(receiver.receive(sum(len(tile.requests(SHAPE)) for tile in tiles)))
    return monitor


def all_requests(tiles: list[StoreTile]) -> list[dict[str, int]]:
    return [
        {"addr": addr, "beats": beats} for tile in tiles for addr, beats in tile.requests(SHAPE)
    ]


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(
    source_pauses=[never, bursty], sink_pauses=[never, bursty], done_pauses=[never, bursty]
)
async def requests_and_counts(
    dut: Any,
    source_pauses: Callable[[], Pauses],
    sink_pauses: Callable[[], Pauses],
    done_pauses: Callable[[], Pauses],
) -> None:
    """Requests in order; a tile counts when its last request is acknowledged, not before."""
    tiles = with_parts([random_tile(SHAPE, random.choice(list(Kind))) for _ in range(60)])
    monitor = await start(dut, tiles, source_pauses(), sink_pauses())
    # The request that completes each tile.
    ends, total = [], 0
    for tile in tiles:
        total += len(tile.requests(SHAPE))
        if not tile.part:
            ends.append(total)
    pauses, acknowledged, counted = done_pauses(), 0, 0
    due: list[int] = []  # when each completed tile must count
    cycle = 0
    while counted < len(ends):
        await FallingEdge(dut.clk_i)
        done = not next(pauses) and acknowledged < len(monitor.words)
        dut.done_i.value = int(done)
        await RisingEdge(dut.clk_i)
        counted = int(dut.tiles_done_o.value)
        acknowledged += done
        cycle += 1
        # The count may lag, not lead.
        assert counted <= sum(end <= acknowledged - done for end in ends)
        while len(due) < len(ends) and ends[len(due)] <= acknowledged:
            after_last = due[-1] + COUNT_DISTANCE if due else 0
            due.append(max(cycle + COUNT_LATENCY, after_last))
        assert counted >= sum(when <= cycle for when in due), "a completed tile is not counted"
    assert await monitor.wait_for(total) == all_requests(tiles)
    assert counted == len(ends)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def one_request_per_cycle(dut: Any) -> None:
    """The requests of a tile follow each other without a gap, tiles after at most 3 cycles."""
    tiles = [random_tile(SHAPE, Kind.PLAIN) for _ in range(12)]
    monitor = await start(dut, tiles, never(), never())
    requests = all_requests(tiles)
    assert await monitor.wait_for(len(requests)) == requests
    cycles = monitor.cycles
    assert cycles[-1] - cycles[0] + 1 == len(cycles) + 3 * (len(tiles) - 1)

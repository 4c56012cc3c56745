# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_axi_burst: the bursts of random requests, and their rate."""

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.stream import (
    StreamMonitor,
    StreamSink,
    StreamSource,
    Word,
    bursty,
    mostly_paused,
    never,
)

DATA_BYTES = int(os.environ["DATA_BYTES"])
MAX_BURST = int(os.environ["MAX_BURST"])
PAGE = 4096
REQUEST = ("addr", "beats")
BURST = ("addr", "len", "last")


def _random_base() -> int:
    return random.getrandbits(63) // DATA_BYTES * DATA_BYTES


def _random_request() -> dict[str, int]:
    beats = random.choice([1, 2, MAX_BURST, MAX_BURST + 1, PAGE // DATA_BYTES, 5 * MAX_BURST])
    address = random.getrandbits(39) // DATA_BYTES * DATA_BYTES
    if random.random() < 0.3:
        # Just before the end of a page.
        address |= (PAGE - random.choice([1, 2, 3]) * DATA_BYTES) % PAGE
    return {"addr": address, "beats": max(1, beats + random.randint(-1, 1))}


def _bursts(base: int, request: dict[str, int]) -> list[Word]:
    """The longest bursts that are allowed, one after the other."""
    address, beats = base + request["addr"], request["beats"]
    bursts: list[Word] = []
    while beats > 0:
        length = min(beats, MAX_BURST, (PAGE - address % PAGE) // DATA_BYTES)
        beats -= length
        bursts.append({"addr": address, "len": length - 1, "last": int(beats == 0)})
        address += length * DATA_BYTES
    return bursts


@cocotb.test(timeout_time=1000, timeout_unit="us")
@cocotb.parametrize(
    source_pauses=[never, bursty, mostly_paused], sink_pauses=[never, bursty, mostly_paused]
)
async def cuts_requests(dut: Any, source_pauses: Any, sink_pauses: Any) -> None:
    start_clock(dut)
    source = StreamSource(dut, "req", source_pauses(), fields=REQUEST)
    sink = StreamSink(dut, "burst", sink_pauses(), fields=BURST)
    StreamMonitor(dut, "burst", fields=BURST)
    base = _random_base()
    dut.base_i.value = base
    await reset(dut)

    requests = [_random_request() for _ in range(100)]
    expected = [burst for request in requests for burst in _bursts(base, request)]
    cocotb.start_soon(source.send(requests))

    assert await sink.receive(len(expected)) == expected


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def cuts_a_burst_per_cycle(dut: Any) -> None:
    """No cycle is lost within a request or between requests, whatever their length."""
    start_clock(dut)
    source = StreamSource(dut, "req", fields=REQUEST)
    sink = StreamSink(dut, "burst", fields=BURST)
    entering = StreamMonitor(dut, "req", fields=REQUEST)
    leaving = StreamMonitor(dut, "burst", fields=BURST)
    base = _random_base()
    dut.base_i.value = base
    await reset(dut)

    requests = [_random_request() for _ in range(30)]
    requests += [_random_request() | {"beats": 1} for _ in range(30)]
    expected = [burst for request in requests for burst in _bursts(base, request)]
    cocotb.start_soon(source.send(requests))

    assert await sink.receive(len(expected)) == expected
    await FallingEdge(dut.clk_i)
    assert leaving.cycles[-1] - leaving.cycles[0] == len(expected) - 1
    assert leaving.cycles[0] - entering.cycles[0] == 3

# SPDX-License-Identifier: Apache-2.0
"""Bench of the runner's own probe module."""

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import Timer

from sim.bus.clock import reset, start_clock
from sim.bus.stream import (
    StreamMonitor,
    StreamSink,
    StreamSource,
    bursty,
    mostly_paused,
    never,
    randomly,
)

WORDS = 64
EXPECTED_TESTS = 16


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(
    source_pauses=[never, bursty, mostly_paused, randomly(0.3)],
    sink_pauses=[never, bursty, mostly_paused, randomly(0.3)],
)
async def passes_words_in_order(dut: Any, source_pauses: Any, sink_pauses: Any) -> None:
    start_clock(dut)
    source = StreamSource(dut, "in", source_pauses())
    sink = StreamSink(dut, "out", sink_pauses())
    entered = StreamMonitor(dut, "in")
    left = StreamMonitor(dut, "out")
    await reset(dut)

    sent = [random.getrandbits(len(dut.in_data_i)) for _ in range(WORDS - 1)]
    sent.append(2 ** len(dut.in_data_i) - 1)
    dut._log.info("first word: %x", sent[0])
    cocotb.start_soon(source.send(sent))

    assert await sink.receive(WORDS) == sent
    assert await left.wait_for(WORDS) == sent
    assert entered.words == sent
    if source_pauses is never and sink_pauses is never:
        assert left.cycles[-1] - left.cycles[0] == WORDS - 1
        assert left.cycles[0] - entered.cycles[0] == 1


@cocotb.test(skip=os.environ.get("PROBE_HANGS") != "1")
async def hangs(dut: Any) -> None:
    start_clock(dut)
    while True:
        await Timer(1, unit="ms")

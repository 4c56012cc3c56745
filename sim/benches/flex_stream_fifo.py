# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_stream_fifo: order, level, depth, rate and latency."""

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.stream import StreamMonitor, StreamSink, StreamSource, bursty, mostly_paused, never

DEPTH = int(os.environ.get("DEPTH", "1"))
# The deepest FIFO that is a LUT RAM.
LUT_DEPTH = 64
LATENCY = 1 if DEPTH <= LUT_DEPTH else 4


def _random_words(dut: Any, count: int) -> list[int]:
    return [random.getrandbits(len(dut.in_data_i)) for _ in range(count)]


async def _check_level(dut: Any, entering: StreamMonitor, leaving: StreamMonitor) -> None:
    """The level is the number of words inside, and the FIFO is ready exactly below its depth."""
    while True:
        await FallingEdge(dut.clk_i)
        inside = len(entering.words) - len(leaving.words)
        assert int(dut.level_o.value) == inside
        assert int(dut.in_ready_o.value) == int(inside < DEPTH)


@cocotb.test(timeout_time=1000, timeout_unit="us")
@cocotb.parametrize(
    source_pauses=[never, bursty, mostly_paused], sink_pauses=[never, bursty, mostly_paused]
)
async def passes_words_in_order(dut: Any, source_pauses: Any, sink_pauses: Any) -> None:
    start_clock(dut)
    source = StreamSource(dut, "in", source_pauses())
    sink = StreamSink(dut, "out", sink_pauses())
    await reset(dut)
    cocotb.start_soon(_check_level(dut, StreamMonitor(dut, "in"), StreamMonitor(dut, "out")))

    sent = _random_words(dut, 3 * DEPTH + 100)
    cocotb.start_soon(source.send(sent))

    assert await sink.receive(len(sent)) == sent


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def passes_a_word_per_cycle(dut: Any) -> None:
    """One word per cycle, each after the latency; a single place is used every second cycle."""
    start_clock(dut)
    source, sink = StreamSource(dut, "in"), StreamSink(dut, "out")
    entering, leaving = StreamMonitor(dut, "in"), StreamMonitor(dut, "out")
    await reset(dut)

    sent = _random_words(dut, 3 * DEPTH + 100)
    cocotb.start_soon(source.send(sent))

    assert await sink.receive(len(sent)) == sent
    await FallingEdge(dut.clk_i)
    latencies = {
        leave - enter for enter, leave in zip(entering.cycles, leaving.cycles, strict=True)
    }
    assert latencies == {LATENCY}
    per_word = 2 if DEPTH == 1 else 1
    assert leaving.cycles[-1] - leaving.cycles[0] == per_word * (len(sent) - 1)


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def holds_exactly_its_depth(dut: Any) -> None:
    """Takes DEPTH words while none leaves, no more; gives them without a gap afterwards."""
    start_clock(dut)
    source, sink = StreamSource(dut, "in"), StreamSink(dut, "out")
    await reset(dut)
    entering, leaving = StreamMonitor(dut, "in"), StreamMonitor(dut, "out")
    for _ in range(3):
        sent = _random_words(dut, DEPTH + 1)
        done, gone = len(entering.words), len(leaving.words)
        cocotb.start_soon(source.send(sent))
        await entering.wait_for(done + DEPTH)
        await ClockCycles(dut.clk_i, 10)
        await FallingEdge(dut.clk_i)
        assert len(entering.words) == done + DEPTH
        assert int(dut.level_o.value) == DEPTH

        assert await sink.receive(DEPTH + 1) == sent
        await FallingEdge(dut.clk_i)
        drained = leaving.cycles[gone : gone + DEPTH]
        assert drained[-1] - drained[0] == DEPTH - 1
        assert int(dut.level_o.value) == 0


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def forgets_its_words_in_reset(dut: Any) -> None:
    start_clock(dut)
    source, sink = StreamSource(dut, "in"), StreamSink(dut, "out")
    await reset(dut)
    entering = StreamMonitor(dut, "in")
    cocotb.start_soon(source.send(_random_words(dut, DEPTH)))
    await entering.wait_for(DEPTH)

    await reset(dut)
    assert int(dut.level_o.value) == 0
    assert int(dut.out_valid_o.value) == 0
    sent = _random_words(dut, 2 * DEPTH + 10)
    cocotb.start_soon(source.send(sent))
    assert await sink.receive(len(sent)) == sent

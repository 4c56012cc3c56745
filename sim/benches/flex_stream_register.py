# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_stream_register: order, full throughput, registered ready."""

import random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.stream import StreamMonitor, StreamSink, StreamSource, bursty, mostly_paused, never


def _random_words(dut: Any, count: int) -> list[int]:
    return [random.getrandbits(len(dut.in_data_i)) for _ in range(count)]


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(
    source_pauses=[never, bursty, mostly_paused], sink_pauses=[never, bursty, mostly_paused]
)
async def passes_words_in_order(dut: Any, source_pauses: Any, sink_pauses: Any) -> None:
    start_clock(dut)
    source = StreamSource(dut, "in", source_pauses())
    sink = StreamSink(dut, "out", sink_pauses())
    StreamMonitor(dut, "out")
    await reset(dut)

    sent = _random_words(dut, 200)
    cocotb.start_soon(source.send(sent))

    assert await sink.receive(len(sent)) == sent


@cocotb.test(timeout_time=100, timeout_unit="us")
async def passes_a_word_per_cycle(dut: Any) -> None:
    start_clock(dut)
    source, sink = StreamSource(dut, "in"), StreamSink(dut, "out")
    entering, leaving = StreamMonitor(dut, "in"), StreamMonitor(dut, "out")
    await reset(dut)

    sent = _random_words(dut, 100)
    cocotb.start_soon(source.send(sent))

    assert await sink.receive(len(sent)) == sent
    await FallingEdge(dut.clk_i)
    assert [
        leave - enter for enter, leave in zip(entering.cycles, leaving.cycles, strict=True)
    ] == [1] * len(sent)
    assert leaving.cycles[-1] - leaving.cycles[0] == len(sent) - 1


def _outputs(dut: Any) -> tuple[Any, Any, Any]:
    return dut.in_ready_o.value, dut.out_valid_o.value, dut.out_data_o.value


@cocotb.test(timeout_time=100, timeout_unit="us")
async def cuts_all_paths(dut: Any) -> None:
    """No output moves within a cycle, whatever the inputs do."""
    start_clock(dut)
    StreamSource(dut, "in")
    dut.out_ready_i.value = 0
    await reset(dut)
    offered: int | None = None
    for _ in range(200):
        await FallingEdge(dut.clk_i)
        before = _outputs(dut)
        if offered is None and random.random() < 0.7:
            offered = random.getrandbits(len(dut.in_data_i))
        dut.in_valid_i.value = int(offered is not None)
        dut.in_data_i.value = random.getrandbits(1) if offered is None else offered
        dut.out_ready_i.value = random.getrandbits(1)
        await ReadOnly()
        assert _outputs(dut) == before
        await RisingEdge(dut.clk_i)
        if dut.in_ready_o.value == 1:
            offered = None

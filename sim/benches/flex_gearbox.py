# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_gearbox: bytes keep their order through every width, at full rate."""

import random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.stream import StreamMonitor, StreamSink, StreamSource, bursty, mostly_paused, never


def _widths(dut: Any) -> tuple[int, int]:
    """Bits of a word that enters and of one that leaves."""
    return len(dut.in_data_i), len(dut.out_data_o)


def _random_words(dut: Any, count: int, last_probability: float) -> list[dict[str, int]]:
    width, _ = _widths(dut)
    words = [
        {"data": random.getrandbits(width), "last": int(random.random() < last_probability)}
        for _ in range(count)
    ]
    words[-1]["last"] = 1
    return words


def _expected(dut: Any, words: list[dict[str, int]]) -> list[int]:
    """The words that leave: cut, or joined until one is full or the last part is there."""
    in_width, out_width = _widths(dut)
    if in_width >= out_width:
        parts, mask = in_width // out_width, (1 << out_width) - 1
        return [word["data"] >> i * out_width & mask for word in words for i in range(parts)]
    joined, filled, result = 0, 0, []
    for word in words:
        joined |= word["data"] << filled
        filled += in_width
        if filled == out_width or word["last"]:
            result.append(joined)
            joined, filled = 0, 0
    return result


@cocotb.test(timeout_time=500, timeout_unit="us")
@cocotb.parametrize(
    source_pauses=[never, bursty, mostly_paused],
    sink_pauses=[never, bursty, mostly_paused],
    last_probability=[0.0, 0.3],
)
async def keeps_bytes_in_order(
    dut: Any, source_pauses: Any, sink_pauses: Any, last_probability: float
) -> None:
    start_clock(dut)
    source = StreamSource(dut, "in", source_pauses(), fields=("data", "last"))
    sink = StreamSink(dut, "out", sink_pauses())
    StreamMonitor(dut, "out")
    await reset(dut)

    in_width, out_width = _widths(dut)
    count = max(40, 20 * out_width // in_width)
    words = _random_words(dut, count, last_probability)
    expected = _expected(dut, words)
    cocotb.start_soon(source.send(words))

    assert await sink.receive(len(expected)) == expected


@cocotb.test(timeout_time=100, timeout_unit="us")
async def keeps_the_narrow_side_busy(dut: Any) -> None:
    """One word per cycle on the narrow side, also from one wide word to the next."""
    start_clock(dut)
    source, sink = StreamSource(dut, "in", fields=("data", "last")), StreamSink(dut, "out")
    entering = StreamMonitor(dut, "in", fields=("data", "last"))
    leaving = StreamMonitor(dut, "out")
    await reset(dut)

    in_width, out_width = _widths(dut)
    count = 10 * max(1, out_width // in_width)
    words = _random_words(dut, count, 0.0)
    expected = _expected(dut, words)
    cocotb.start_soon(source.send(words))

    assert await sink.receive(len(expected)) == expected
    await FallingEdge(dut.clk_i)
    narrow = leaving if in_width >= out_width else entering
    assert narrow.cycles[-1] - narrow.cycles[0] == len(narrow.words) - 1
    latency = 2 if in_width > out_width else 1
    first_complete = max(1, out_width // in_width) - 1
    assert leaving.cycles[0] - entering.cycles[first_complete] == latency

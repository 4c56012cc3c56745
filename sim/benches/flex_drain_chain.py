# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_drain_chain: blocks captured row by row come out whole, the lowest row first.

With `TOO_EARLY=1` blocks follow one cycle too early: the module must complain.
"""

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import reset, start_clock

ROWS = int(os.environ.get("ROWS", "1"))
WIDTH = int(os.environ.get("WIDTH", "1"))
TOO_EARLY = os.environ.get("TOO_EARLY") == "1"
BLOCKS = 60


def _spacing(longest_gap: int) -> int:
    """Cycles to the next block."""
    return ROWS - 1 if TOO_EARLY else ROWS + random.randint(0, longest_gap)


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(longest_gap=[0, 2, 20])
async def drains_every_block(dut: Any, longest_gap: int) -> None:
    starts = [0]
    while len(starts) < BLOCKS:
        starts.append(starts[-1] + _spacing(longest_gap))
    # Cycle in which a row's accumulator is sampled, and in which it comes out.
    captures = [0] * (starts[-1] + 4 * ROWS + 10)
    out: dict[int, tuple[int, int]] = {}
    for start in starts:
        for row in range(ROWS):
            captures[start + row] |= 1 << row
            out[start + ROWS - 1 + 2 + ROWS - 1 - row] = (start + row + 1, row)

    start_clock(dut)
    dut.capture_i.value = 0
    await reset(dut)
    accumulators: list[int] = []
    for cycle, capture in enumerate(captures):
        dut.capture_i.value = capture
        accumulators.append(random.getrandbits(ROWS * WIDTH))
        dut.acc_i.value = accumulators[-1]
        await RisingEdge(dut.clk_i)
        assert int(dut.capture_o.value) == (captures[cycle - 1] if cycle else 0)
        assert int(dut.valid_o.value) == (cycle in out)
        if cycle in out:
            sampled, row = out[cycle]
            expected = accumulators[sampled] >> (row * WIDTH) & ((1 << WIDTH) - 1)
            assert int(dut.data_o.value) == expected, f"row {row} sampled in cycle {sampled}"
        await FallingEdge(dut.clk_i)
    assert max(out) < len(captures)

# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_skew: lane i of random words comes out i cycles later."""

import os
import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import CLOCK_PERIOD_NS

LANES = int(os.environ.get("LANES", "1"))
LANE_WIDTH = int(os.environ.get("LANE_WIDTH", "1"))


@cocotb.test(timeout_time=100, timeout_unit="us")
async def delays_every_lane_by_its_number(dut: Any) -> None:
    Clock(dut.clk_i, CLOCK_PERIOD_NS, unit="ns", impl="gpi").start(start_high=False)
    await FallingEdge(dut.clk_i)
    words: list[int] = []
    mask = (1 << LANE_WIDTH) - 1
    for cycle in range(10 * LANES + 100):
        words.append(random.getrandbits(LANES * LANE_WIDTH))
        dut.data_i.value = words[-1]
        await RisingEdge(dut.clk_i)
        seen = int(dut.data_o.value)
        for lane in range(min(cycle + 1, LANES)):
            low = lane * LANE_WIDTH
            assert seen >> low & mask == words[cycle - lane] >> low & mask, f"lane {lane}"
        await FallingEdge(dut.clk_i)

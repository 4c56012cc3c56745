# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_delay_line: random words come out after the delay, also after resets on the way."""

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import reset, start_clock

CYCLES = int(os.environ.get("CYCLES", "1"))


@cocotb.test(timeout_time=200, timeout_unit="us")
async def puts_out_every_word_after_the_delay(dut: Any) -> None:
    start_clock(dut)
    for _ in range(3):
        await reset(dut, random.randint(1, CYCLES + 4))
        words: list[int] = []
        for cycle in range(random.randint(4 * CYCLES, 6 * CYCLES) + 50):
            words.append(random.getrandbits(len(dut.data_i)))
            dut.data_i.value = words[-1]
            await RisingEdge(dut.clk_i)
            if cycle >= CYCLES:
                assert int(dut.data_o.value) == words[cycle - CYCLES]
            await FallingEdge(dut.clk_i)

# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_delay: random words against a Python delay line, with resets on the way."""

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import reset, start_clock

CYCLES = int(os.environ.get("CYCLES", "1"))
RESET = os.environ.get("RESET") == "1"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def puts_out_every_word_after_the_delay(dut: Any) -> None:
    start_clock(dut)
    for _ in range(3):
        await reset(dut)
        # What stands in the register after a reset: zeros, or words nobody may rely on.
        expected: list[int | None] = [0 if RESET else None] * CYCLES
        for _ in range(4 * CYCLES + 50):
            word = random.getrandbits(len(dut.data_i))
            dut.data_i.value = word
            expected.append(word)
            await RisingEdge(dut.clk_i)
            oldest = expected.pop(0)
            assert oldest is None or int(dut.data_o.value) == oldest
            await FallingEdge(dut.clk_i)

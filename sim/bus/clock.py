# SPDX-License-Identifier: Apache-2.0
"""Clock and reset of a bench."""

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge

CLOCK_PERIOD_NS = 4
_RESET_CYCLES = 4


def start_clock(dut: Any, period_ns: int = CLOCK_PERIOD_NS) -> None:
    """Holds `rst_ni` low and starts `clk_i`, driven from C++; it first rises half a period on."""
    dut.rst_ni.value = 0
    Clock(dut.clk_i, period_ns, unit="ns", impl="gpi").start(start_high=False)


async def reset(dut: Any, cycles: int = _RESET_CYCLES) -> None:
    """Resets for `cycles` clock edges; returns between the edges, when reset is released."""
    dut.rst_ni.value = 0
    await ClockCycles(dut.clk_i, cycles)
    await FallingEdge(dut.clk_i)
    dut.rst_ni.value = 1
    cocotb.log.debug("reset released")

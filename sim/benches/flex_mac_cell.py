# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_mac_cell: sums of random and extreme products, a chain in every cycle."""

import os
import random
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import CLOCK_PERIOD_NS
from sim.operands import PACKING_OFFSET, bits, random_operands, signed_fields, skew

LANES = int(os.environ.get("LANES", "1"))
PACKED = os.environ.get("PACKED") == "1"
PIXELS = 2 if PACKED else 1
LATENCY = LANES + 2
CHAINS = 3000


@cocotb.test(timeout_time=200, timeout_unit="us")
async def adds_up_products(dut: Any) -> None:
    rng = np.random.default_rng(random.getrandbits(32))
    x, w = random_operands(rng, CHAINS, (PIXELS, LANES), (LANES,))
    # The largest and smallest sums of either pixel beside those of the other.
    x[: len(CORNERS)] = np.array(CORNERS, np.int8)[:, :PIXELS, None]
    w[: len(CORNERS)] = np.array(CORNERS, np.int8)[:, 2, None]
    expected = np.einsum("tpl,tl->tp", x.astype(np.int64), w.astype(np.int64))
    expected += PACKING_OFFSET if PACKED else 0
    x_driven, w_driven = skew(x, rng), skew(w, rng)
    width = len(dut.sum_o) // PIXELS

    Clock(dut.clk_i, CLOCK_PERIOD_NS, unit="ns", impl="gpi").start(start_high=False)
    await FallingEdge(dut.clk_i)
    checked = 0
    for cycle in range(CHAINS + LATENCY):
        if cycle < len(x_driven):
            dut.x_i.value = bits(x_driven[cycle])
            dut.w_i.value = bits(w_driven[cycle])
        await RisingEdge(dut.clk_i)
        if cycle >= LATENCY:
            sums = signed_fields(int(dut.sum_o.value), width, PIXELS)
            assert sums == list(expected[cycle - LATENCY]), f"chain {cycle - LATENCY}"
            checked += 1
        await FallingEdge(dut.clk_i)
    assert checked == CHAINS


# Values of x0, x1 and w that bring the fields to their limits, alone and together.
CORNERS = [(a, b, w) for a in (-128, 0, 127) for b in (-128, 0, 127) for w in (-128, 127)]

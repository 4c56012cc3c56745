# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_pe: accumulators of blocks with and without gaps, and what is handed on."""

import os
import random
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import CLOCK_PERIOD_NS
from sim.operands import (
    CHAIN_LANES,
    PACKING_OFFSET,
    bits,
    random_operands,
    signed_fields,
    skew,
    wrapped,
)

N = int(os.environ.get("N", "1"))
PACKED = os.environ.get("PACKED") == "1"
ACC_WIDTH = int(os.environ.get("ACC_WIDTH", "32"))
WIDE = os.environ.get("WIDE") == "1"
PIXELS = 2 if PACKED else 1
CONTROL_LATENCY = min(N, CHAIN_LANES) + 3
CYCLES = 1500


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(gaps=[0.0, 0.3, 0.9])
async def accumulates_blocks(dut: Any, gaps: float) -> None:
    rng = np.random.default_rng(random.getrandbits(32))
    x, w = random_operands(rng, CYCLES, (PIXELS, N), (N,))
    valid = rng.random(CYCLES) >= gaps
    first = rng.random(CYCLES) < 0.1
    first[np.flatnonzero(valid)[0]] = True
    shift = WIDE & (rng.random(CYCLES) < 0.1)
    # The accumulators after each cycle's step; without one they keep what they hold.
    products = np.einsum("tpl,tl->tp", x.astype(np.int64), w.astype(np.int64))
    products += PACKING_OFFSET * (N // CHAIN_LANES) if PACKED else 0
    held: list[list[int] | None] = []
    for cycle in range(CYCLES):
        before = held[-1] if held else None
        if not valid[cycle]:
            held.append(before)
        elif first[cycle] or before is None:
            held.append(products[cycle].tolist())
        else:
            factor = 256 if shift[cycle] else 1
            sums = zip(before, products[cycle].tolist(), strict=True)
            held.append([wrapped(a * factor + b, ACC_WIDTH) for a, b in sums])
    x_driven, w_driven = skew(x, rng), skew(w, rng)

    Clock(dut.clk_i, CLOCK_PERIOD_NS, unit="ns", impl="gpi").start(start_high=False)
    await FallingEdge(dut.clk_i)
    driven_before: tuple[int, ...] | None = None
    checked = 0
    for cycle in range(CYCLES + CONTROL_LATENCY + 2):
        step = cycle - CONTROL_LATENCY
        stepping = 0 <= step < CYCLES and bool(valid[step])
        starting = bool(first[step]) if 0 <= step < CYCLES else random.random() < 0.5
        raising = int(shift[step]) if 0 <= step < CYCLES else random.getrandbits(1)
        operands = min(cycle, len(x_driven) - 1)
        operand_bits = bits(x_driven[operands]), bits(w_driven[operands])
        driven = (*operand_bits, int(stepping), int(starting), raising)
        for name, value in zip(("x", "w", "valid", "first", "shift"), driven, strict=True):
            getattr(dut, f"{name}_i").value = value
        await RisingEdge(dut.clk_i)
        if driven_before is not None:
            handed_on = (dut.x_o, dut.w_o, dut.valid_o, dut.first_o, dut.shift_o)
            *others, raised = driven_before
            wanted = (*others, raised if WIDE else 0)
            assert tuple(int(port.value) for port in handed_on) == wanted
        driven_before = driven
        expected = held[step - 2] if step >= 2 else None
        if expected is not None:
            word = int(dut.acc_o.value)
            assert signed_fields(word, ACC_WIDTH, PIXELS) == expected, f"step of cycle {step - 2}"
            checked += 1
        await FallingEdge(dut.clk_i)
    assert checked == sum(acc is not None for acc in held)

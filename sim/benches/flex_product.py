# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_product: random and extreme factors, with and without a pause."""

import itertools
import os
import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from sim.bus.clock import CLOCK_PERIOD_NS
from sim.operands import signed_fields

A, B = int(os.environ["A"]), int(os.environ["B"])
SPLIT = os.environ["SPLIT"] == "1"
_PAIRS = 2000


def _extremes(width: int) -> list[int]:
    """The ends of a signed range, what lies around 0, and bit 17 alone."""
    bounds = [-(1 << width - 1), (1 << width - 1) - 1, -1, 0, 1]
    return bounds + [s << 17 for s in (-1, 1) if width > 18]


def _random(width: int) -> int:
    return random.randrange(-(1 << width - 1), 1 << width - 1)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def parts_add_up_to_the_product(dut: Any) -> None:
    Clock(dut.clk_i, CLOCK_PERIOD_NS, unit="ns", impl="gpi").start(start_high=False)
    width, expected = A + B, None
    pairs = list(itertools.product(_extremes(A), _extremes(B)))
    while len(pairs) < _PAIRS:
        pairs.append((_random(A), _random(B)))
    await FallingEdge(dut.clk_i)
    for a, b in pairs:
        enabled = expected is None or random.random() < 0.7
        dut.en_i.value = int(enabled)
        dut.a_i.value = a & ((1 << A) - 1)
        dut.b_i.value = b & ((1 << B) - 1)
        await FallingEdge(dut.clk_i)
        expected = a * b if enabled else expected
        parts = signed_fields(int(dut.part_o.value), width, 2)
        assert sum(parts) == expected, f"{a} * {b}"
        assert SPLIT or parts[1] == 0
        assert not SPLIT or parts[1] % (1 << 17) == 0

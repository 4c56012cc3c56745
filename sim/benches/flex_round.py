# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_round: every byte against unbounded integers, ties and limits among them."""

import os
import random
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from sim.benches.flex_requantize_lane import joined, signed, split
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, bursty, never
from sim.rounding import Rounding

VALUES, WIDTH = int(os.environ["VALUES"]), int(os.environ["WIDTH"])
LATENCY = 6
SHIFT_MAX = 63


def random_rounding() -> Rounding:
    """Any shift, more often one that leaves something of a total."""
    low, high = sorted((signed(8), signed(8)))
    if random.random() < 0.6:
        low, high = -128, 127
    shift = random.choice((random.randint(0, SHIFT_MAX), random.randint(0, WIDTH)))
    return Rounding(shift=shift, zero_point=signed(8), low=low, high=high)


def random_total(shift: int) -> int:
    """A total, often on a tie or next to one."""
    limit = 1 << (WIDTH - 1)
    total = (2 * random.randint(-300, 300) + 1) << shift >> 1
    total += random.choice((0, 0, -1, 1, signed(WIDTH)))
    return total if -limit <= total < limit else signed(WIDTH)


async def check(dut: Any, count: int, pauses: Pauses) -> None:
    """Runs `count` random groups of totals through the module."""
    start_clock(dut)
    dut.valid_i.value = 0
    await reset(dut)
    expected: list[tuple[int, list[int]]] = []
    taken = 0
    for cycle in range(1 << 20):
        await FallingEdge(dut.clk_i)
        active = len(expected) < count and not next(pauses)
        dut.valid_i.value = int(active)
        if active:
            rounding = random_rounding()
            totals = [random_total(rounding.shift) for _ in range(VALUES)]
            dut.total_i.value = joined(totals, WIDTH)
            dut.shift_i.value = rounding.shift
            for name in ("zero_point", "low", "high"):
                getattr(dut, f"{name}_i").value = getattr(rounding, name)
            expected.append((cycle, [rounding(total) for total in totals]))
        await RisingEdge(dut.clk_i)
        if dut.valid_o.value == 1:
            sent, values = expected[taken]
            assert cycle - sent == LATENCY
            assert split(int(dut.data_o.value.to_unsigned()), 8, VALUES) == values
            taken += 1
            if taken == count:
                return
    raise AssertionError("bytes are missing")


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(pauses=[never, bursty])
async def rounds_exactly(dut: Any, pauses: Callable[[], Pauses]) -> None:
    await check(dut, 4000, pauses())

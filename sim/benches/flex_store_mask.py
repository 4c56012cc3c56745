# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_store_mask: every pixel of random reads, most of them near an edge."""

import os
import random
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import CLOCK_PERIOD_NS
from sim.bus.stream import bursty

PIXELS = int(os.environ["PIXELS"])
LATENCY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A read, and the pixels that there are."""

    y: int
    x: int
    columns: int
    valid_rows: int
    valid_cols: int

    def mask(self) -> int:
        """The pixels that count."""
        return sum(
            1 << p
            for p in range(min(PIXELS, self.columns))
            if 0 <= self.y < self.valid_rows and 0 <= self.x + p < self.valid_cols
        )


def random_read() -> Read:
    """A read anywhere, often across an edge."""
    valid_rows, valid_cols = (
        random.choice((1, random.randint(1, 2 * PIXELS), random.randint(1, 0xFFFF)))
        for _ in range(2)
    )
    y = random.choice((-1, 0, valid_rows - 1, valid_rows, random.randint(-(1 << 15), 1 << 16)))
    edge = random.choice((0, valid_cols))
    x = random.choice((edge + random.randint(-PIXELS - 1, 2), random.randint(-(1 << 15), 1 << 16)))
    columns = random.choice((random.randint(1, PIXELS), random.randint(1, 255)))
    return Read(y=y, x=x, columns=columns, valid_rows=valid_rows, valid_cols=valid_cols)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def masks_what_is_not_there(dut: Any) -> None:
    """The mask of a read comes LATENCY cycles after it, whatever lies between reads."""
    coordinate = (1 << len(dut.x_i)) - 1
    Clock(dut.clk_i, CLOCK_PERIOD_NS, unit="ns", impl="gpi").start()  # there is no reset
    dut.valid_i.value = 0
    await RisingEdge(dut.clk_i)
    pauses = bursty()
    coming: list[int | None] = [None] * LATENCY
    seen = 0
    while seen < 6000:
        await FallingEdge(dut.clk_i)
        read, pause = random_read(), next(pauses)
        dut.valid_i.value = int(not pause)
        dut.y_i.value = read.y & coordinate
        dut.x_i.value = read.x & coordinate
        dut.columns_i.value = read.columns
        dut.valid_rows_i.value = read.valid_rows
        dut.valid_cols_i.value = read.valid_cols
        coming.append(None if pause else read.mask())
        await RisingEdge(dut.clk_i)
        wanted = coming.pop(0)
        if wanted is not None:
            assert int(dut.mask_o.value) == wanted
            seen += 1

# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_sim_account: random runs, whose lines it must have written at once."""

import os
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from sim.bus.clock import reset, start_clock

CAUSES = int(os.environ.get("CAUSES", "1"))
FILE = Path(os.environ.get("ACCOUNT", ""))
_INPUTS = ("start", "running", "valid", "step", "tile_end", "wait")


async def _cycle(dut: Any, **values: int) -> None:
    for name in _INPUTS:
        getattr(dut, f"{name}_i").value = values.get(name, 0)
    await FallingEdge(dut.clk_i)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_cycle_counts_once(dut: Any) -> None:
    start_clock(dut)
    await _cycle(dut)
    await reset(dut)
    lines: list[str] = []
    for _ in range(4):
        # What happens outside of a run does not count.
        await _cycle(dut, valid=1, step=1, tile_end=1)
        await _cycle(dut, start=1, running=1, valid=1, wait=1)
        lines.append("run")
        counts = [0] * (2 + CAUSES)
        for _ in range(random.randint(1, 200)):
            step, wait = random.random() < 0.5, random.randrange(1 << CAUSES)
            valid = step or bool(wait)
            last = step and random.random() < 0.1
            lowest = (wait & -wait).bit_length()
            counts[0 if step else 1 + lowest if valid else 1] += 1
            await _cycle(
                dut, running=1, valid=valid, step=step, tile_end=last, wait=0 if step else wait
            )
            if last:
                lines.append(" ".join(["tile", *map(str, counts)]))
                counts = [0] * (2 + CAUSES)
            assert FILE.read_text().splitlines() == lines
        await _cycle(dut)
        await _cycle(dut)
        lines.append(" ".join(["end", *map(str, counts)]))
        assert FILE.read_text().splitlines() == lines

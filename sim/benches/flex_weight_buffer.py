# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_weight_buffer: row m's word comes m cycles after row 0's, reads in every cycle."""

import os
import random
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, bursty, never

M, N, DEPTH = (int(os.environ.get(name, "1")) for name in ("M", "N", "DEPTH"))
LATENCY = 2


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pauses=[never, bursty])
async def rows_follow_each_other(dut: Any, pauses: Callable[[], Pauses]) -> None:
    """A ring at work: reads go on in one half while the other half is written anew."""
    start_clock(dut)
    dut.wr_en_i.value = 0
    dut.rd_en_i.value = 0
    await reset(dut)
    words = [random.randbytes(M * N) for _ in range(DEPTH)]
    for address, word in enumerate(words):
        await FallingEdge(dut.clk_i)
        dut.wr_en_i.value = 1
        dut.wr_addr_i.value = address
        dut.wr_data_i.value = int.from_bytes(word, "little")
    pause = pauses()
    expected: dict[int, dict[int, bytes]] = {}
    checked = 0
    for cycle in range(6 * DEPTH):
        await FallingEdge(dut.clk_i)
        shown = int(dut.w_o.value).to_bytes(M * N, "little")
        for row, wanted in expected.pop(cycle, {}).items():
            assert shown[row * N : (row + 1) * N] == wanted, f"row {row}, cycle {cycle}"
            checked += 1
        read_half = cycle // DEPTH % 2
        # The wave of the half before must have passed all rows before it is written.
        writing = cycle % DEPTH > M + LATENCY
        address = (1 - read_half) * (DEPTH // 2) + cycle % (DEPTH // 2)
        dut.wr_en_i.value = int(writing)
        if writing:
            words[address] = random.randbytes(M * N)
            dut.wr_addr_i.value = address
            dut.wr_data_i.value = int.from_bytes(words[address], "little")
        reading = not next(pause)
        dut.rd_en_i.value = int(reading)
        if reading:
            address = read_half * (DEPTH // 2) + random.randrange(DEPTH // 2)
            dut.rd_addr_i.value = address
            for row in range(M):
                later = expected.setdefault(cycle + LATENCY + row, {})
                later[row] = words[address][row * N : (row + 1) * N]
    assert checked > DEPTH

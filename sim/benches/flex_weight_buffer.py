# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_weight_buffer: rows of words come one cycle after each other, beside writes."""

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import reset, start_clock

M, N, DEPTH = (int(os.environ.get(name, "1")) for name in ("M", "N", "DEPTH"))
OVERWRITE = os.environ.get("OVERWRITE") == "1"
# Cycles from a read to row 0.
LATENCY = 2


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(reading=[1.0, 0.4], writing=[0.0, 0.5, 1.0])
async def gives_row_after_row(dut: Any, reading: float, writing: float) -> None:
    start_clock(dut)
    dut.rd_en_i.value = 0
    dut.wr_en_i.value = 0
    await reset(dut)
    words = [random.randbytes(M * N) for _ in range(DEPTH)]
    for address, word in enumerate(words):
        dut.wr_en_i.value = 1
        dut.wr_addr_i.value = address
        dut.wr_data_i.value = int.from_bytes(word, "little")
        await FallingEdge(dut.clk_i)

    # Addresses of the latest reads, newest first: M of them lock their words.
    reads: list[int | None] = []
    due: dict[tuple[int, int], bytes] = {}
    checked = 0
    for cycle in range(1000):
        read = random.randrange(DEPTH) if random.random() < reading else None
        reads = [read, *reads[: M - 1]]
        dut.rd_en_i.value = read is not None
        dut.rd_addr_i.value = random.randrange(DEPTH) if read is None else read
        if read is not None:
            for row in range(M):
                due[cycle + LATENCY + row, row] = words[read][row * N : (row + 1) * N]
        address = random.randrange(DEPTH)
        write = random.random() < writing and (OVERWRITE or address not in reads)
        data = random.randbytes(M * N)
        dut.wr_en_i.value = write
        dut.wr_addr_i.value = address
        dut.wr_data_i.value = int.from_bytes(data, "little")
        if write:
            words[address] = data
        await RisingEdge(dut.clk_i)
        seen = int(dut.w_o.value).to_bytes(M * N, "little")
        for row in range(M):
            expected = due.pop((cycle, row), None)
            if expected is not None:
                assert seen[row * N : (row + 1) * N] == expected, f"row {row}"
                checked += 1
        await FallingEdge(dut.clk_i)
    assert checked > 0

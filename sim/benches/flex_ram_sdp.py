# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_ram_sdp: random reads and writes against a Python list.

With `COLLIDE=1` a word is read while it is written: the module must either allow that or complain.
"""

import os
import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge

from sim.bus.clock import CLOCK_PERIOD_NS

DEPTH = int(os.environ.get("DEPTH", "1"))
LANE_WIDTH = int(os.environ.get("LANE_WIDTH", "1"))
COLLIDE = os.environ.get("COLLIDE") == "1"


def _idle(dut: Any) -> None:
    dut.wr_en_i.value = 0
    dut.rd_en_i.value = 0
    dut.wr_addr_i.value = random.randrange(DEPTH)
    dut.rd_addr_i.value = random.randrange(DEPTH)
    dut.wr_data_i.value = random.getrandbits(len(dut.wr_data_i))


async def _start(dut: Any) -> None:
    _idle(dut)
    Clock(dut.clk_i, CLOCK_PERIOD_NS, unit="ns", impl="gpi").start(start_high=False)
    await FallingEdge(dut.clk_i)


def _mask(lanes: int) -> int:
    """The data bits under the write enables `lanes`."""
    lane = (1 << LANE_WIDTH) - 1
    return sum(lane << i * LANE_WIDTH for i in range(lanes.bit_length()) if lanes >> i & 1)


@cocotb.test(timeout_time=200, timeout_unit="us")
async def reads_what_was_written(dut: Any) -> None:
    """Writes lanes and reads words at random; data come two cycles later and stay."""
    await _start(dut)
    width = len(dut.wr_data_i)
    words: list[int] = []
    for address in range(DEPTH):
        words.append(random.getrandbits(width))
        dut.wr_en_i.value = (1 << len(dut.wr_en_i)) - 1
        dut.wr_addr_i.value = address
        dut.wr_data_i.value = words[-1]
        await FallingEdge(dut.clk_i)

    # The word of the latest read, on its way through the RAM and the output register.
    in_ram: int | None = None
    at_output: int | None = None
    for _ in range(min(20 * DEPTH, 20_000) + 500):
        _idle(dut)
        read_address = random.randrange(DEPTH) if random.random() < 0.6 else None
        lanes = random.getrandbits(len(dut.wr_en_i)) if random.random() < 0.6 else 0
        write_address = random.randrange(DEPTH)
        if write_address == read_address and not COLLIDE:
            lanes = 0
        data = random.getrandbits(width)
        if read_address is not None:
            dut.rd_en_i.value = 1
            dut.rd_addr_i.value = read_address
        dut.wr_en_i.value = lanes
        dut.wr_addr_i.value = write_address
        dut.wr_data_i.value = data
        await RisingEdge(dut.clk_i)
        if at_output is not None:
            assert int(dut.rd_data_o.value) == at_output
        at_output = in_ram
        if read_address is not None:
            collides = lanes != 0 and write_address == read_address
            in_ram = None if collides else words[read_address]
        words[write_address] ^= (words[write_address] ^ data) & _mask(lanes)
        await FallingEdge(dut.clk_i)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def keeps_words_without_enables(dut: Any) -> None:
    """Neither words nor the word read change while no enable is given."""
    await _start(dut)
    width = len(dut.wr_data_i)
    word = random.getrandbits(width)
    address = random.randrange(DEPTH)
    dut.wr_en_i.value = (1 << len(dut.wr_en_i)) - 1
    dut.wr_addr_i.value = address
    dut.wr_data_i.value = word
    await FallingEdge(dut.clk_i)
    for _ in range(2):
        _idle(dut)
        dut.rd_en_i.value = 1
        dut.rd_addr_i.value = address
        await FallingEdge(dut.clk_i)
        _idle(dut)
        await ClockCycles(dut.clk_i, 2)
        for _ in range(20):
            await FallingEdge(dut.clk_i)
            assert int(dut.rd_data_o.value) == word
            _idle(dut)

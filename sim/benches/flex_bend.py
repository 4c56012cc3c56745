# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_bend: every write against unbounded integers, what is not bent unchanged."""

import os
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from flexcc.program.encode import encode
from flexcc.program.formats import SLOPE
from sim.benches.flex_requantize_lane import Channel, Slope, joined, random_channel, signed, split
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, bursty, never

P, Q, LANES = (int(os.environ[name]) for name in ("P", "Q", "LANES"))
ADDR_WIDTH = int(os.environ["OUT_ADDR_WIDTH"])
PARAM_DEPTH = int(os.environ["PARAM_DEPTH"])
AHEAD = int(os.environ["AHEAD"])
LATENCY = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What one cycle writes: enables, word, table, bytes by pixel, then channel."""

    enables: int
    addr: int
    table: int
    data: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A write, the bend that comes ahead of it, and the word of its second records."""

    write: Write
    bend: Channel | None
    place: int


def packed_bend(bend: Channel | None) -> int:
    """The packed bend_t; without one its numbers mean nothing."""
    if bend is None:
        return random.getrandbits(102)
    fields = (  # from bit 0 upwards
        (bend.high, 8),
        (bend.low, 8),
        (bend.zero_point, 8),
        (bend.bias, 48),
        (bend.shift, 6),
        (bend.mult, 24),
        (1, 1),
    )
    word, low = 0, 0
    for value, width in fields:
        word |= (value & ((1 << width) - 1)) << low
        low += width
    return word


def small_slope(slope: Slope) -> Slope:
    """A slope whose limit is a byte."""
    return replace(slope, last=signed(8))


def planned(records: list[list[Slope]], bend: Channel | None) -> Planned:
    """A random write of a tile."""
    data = [signed(8) for _ in range(P * Q)]
    enables = 1 << random.randrange(LANES)
    write = Write(
        enables=enables,
        addr=random.randrange(1 << ADDR_WIDTH),
        table=random.getrandbits(3),
        data=data,
    )
    return Planned(write=write, bend=bend, place=random.randrange(len(records)))


def bent(item: Planned, records: list[list[Slope]]) -> Write:
    """What comes out for a write."""
    if item.bend is None:
        return item.write
    data = [
        replace(item.bend, below=records[item.place][number % Q])(value)
        for number, value in enumerate(item.write.data)
    ]
    return replace(item.write, data=data)


async def write_records(dut: Any, records: list[list[Slope]]) -> None:
    """Fills the RAM as the parameter ring is filled."""
    for place, row in enumerate(records):
        await FallingEdge(dut.clk_i)
        dut.param_wr_en_i.value = 1
        dut.param_wr_addr_i.value = place
        words = [
            joined(encode(SLOPE, mult=own.mult, shift=own.shift, last=own.last, bias=own.bias), 64)
            for own in row
        ]
        dut.param_wr_data_i.value = joined(words, 128)
    await FallingEdge(dut.clk_i)
    dut.param_wr_en_i.value = 0


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(pauses=[never, bursty])
async def bends_exactly(dut: Any, pauses: Callable[[], Pauses]) -> None:
    start_clock(dut)
    for name in ("param_wr_en", "wr_en", "group_full", "bend", "param"):
        getattr(dut, f"{name}_i").value = 0
    await reset(dut)
    records = [
        [small_slope(random_channel(signed(8)).below) for _ in range(Q)] for _ in range(PARAM_DEPTH)
    ]
    await write_records(dut, records)

    pause, left = pauses(), 5
    bend: Channel | None = random_channel(signed(8))
    coming: deque[Planned | None] = deque([None] * AHEAD)
    expected: list[tuple[int, Write]] = []
    fulls: list[int] = []
    found: list[tuple[int, Write]] = []
    found_fulls: list[int] = []
    for cycle in range(3000):
        await FallingEdge(dut.clk_i)
        left -= 1
        if not left:
            left = random.randint(1, 20)
            bend = random_channel(signed(8)) if random.random() < 0.7 else None
        item = None if next(pause) or cycle > 2900 else planned(records, bend)
        coming.append(item)
        dut.bend_i.value = packed_bend(None if item is None else item.bend)
        dut.param_i.value = 0 if item is None else item.place
        due = coming.popleft()
        dut.wr_en_i.value = 0 if due is None else due.write.enables
        full = random.random() < 0.05
        dut.group_full_i.value = int(full)
        if full:
            fulls.append(cycle + LATENCY)
        if due is not None:
            dut.wr_addr_i.value = due.write.addr
            dut.wr_table_i.value = due.write.table
            dut.wr_data_i.value = joined(due.write.data, 8)
            expected.append((cycle + LATENCY, bent(due, records)))
        await RisingEdge(dut.clk_i)
        enables = int(dut.wr_en_o.value)
        if enables:
            data = split(int(dut.wr_data_o.value.to_unsigned()), 8, P * Q)
            write = Write(
                enables=enables,
                addr=int(dut.wr_addr_o.value),
                table=int(dut.wr_table_o.value),
                data=data,
            )
            found.append((cycle, write))
        if dut.group_full_o.value == 1:
            found_fulls.append(cycle)
    assert found == expected
    assert found_fulls == [cycle for cycle in fulls if cycle < 3000]
    assert len(found) > 500

# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_sum: every byte against plain integers, bytes that pass, halves that are freed."""

import os
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from sim.benches.flex_requantize_lane import joined, signed, split
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, bursty, never
from sim.rounding import Rounding

P, N, Q = (int(os.environ[name]) for name in ("P", "N", "Q"))
ADDR_WIDTH = int(os.environ["OUT_ADDR_WIDTH"])
LANES = N // Q
READ_LATENCY, LATENCY = 4, 14
BIAS_MAX = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """The numbers of a tile's sum."""

    enable: bool
    mult: int
    skip_mult: int
    bias: int
    rounding: Rounding

    def packed(self, half: int) -> int:
        """The packed sum_t."""
        fields = (  # from bit 0 upwards
            (0, 103),
            (self.rounding.high, 8),
            (self.rounding.low, 8),
            (self.rounding.zero_point, 8),
            (self.rounding.shift, 6),
            (self.bias, 34),
            (self.skip_mult, 25),
            (self.mult, 25),
            (half, 1),
            (self.enable, 1),
        )
        word, low = 0, 0
        for value, width in fields:
            word |= (int(value) & ((1 << width) - 1)) << low
            low += width
        return word

    def __call__(self, first: int, second: int) -> int:
        """The byte that two bytes make."""
        return self.rounding(first * self.mult + second * self.skip_mult + self.bias)


NONE = Sum(
    enable=False,
    mult=1,
    skip_mult=0,
    bias=0,
    rounding=Rounding(shift=0, zero_point=0, low=-128, high=127),
)


def random_sum() -> Sum:
    """Multipliers of either sign, one of them of 24 bits, and a bias as zero points make it."""
    if random.random() < 0.3:
        return NONE
    mults = [random.choice((-1, 1)) * random.getrandbits(24) for _ in range(2)]
    mults[random.randrange(2)] = random.choice(
        (-(1 << 24), (1 << 24) - 1, random.randint(1 << 23, 1 << 24), -(1 << 23))
    )
    mults = [min(mult, (1 << 24) - 1) for mult in mults]
    low, high = sorted((signed(8), signed(8)))
    if random.random() < 0.7:
        low, high = -128, 127
    shift = random.choice((random.randint(0, 63), random.randint(22, 26)))
    return Sum(
        enable=True,
        mult=mults[0],
        skip_mult=mults[1],
        bias=random.choice((-sum(m * signed(8) for m in mults), BIAS_MAX, -BIAS_MAX)),
        rounding=Rounding(shift=shift, zero_point=signed(8), low=low, high=high),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What one cycle writes: enables, word, bytes by pixel, then channel."""

    enables: int
    addr: int
    data: list[int]


class Surroundings:
    """Plays the requantiser and the skip buffer; knows what must come out, and when."""

    def __init__(self, dut: Any, pauses: Pauses) -> None:
        self._dut = dut
        self._pauses = pauses
        self._words: dict[int, list[int]] = {}
        self.expected: list[tuple[int, Write]] = []
        self.full: list[int] = []
        self.freed: list[int] = []
        self.done = False

    def _word(self, addr: int) -> list[int]:
        """The bytes of all banks at a word of the skip buffer, bank by bank."""
        return self._words.setdefault(addr, [signed(8) for _ in range(P * N)])

    def _write(self, total: Sum, half: int, cycle: int) -> None:
        dut = self._dut
        first = [signed(8) for _ in range(P * Q)]
        addr = random.randrange(1 << ADDR_WIDTH)
        period = 1 << random.randrange(LANES.bit_length())
        lane = random.randrange(period)
        enables = sum(1 << other for other in range(lane, LANES, period))
        dut.wr_en_i.value, dut.wr_addr_i.value = enables, addr
        dut.wr_data_i.value = joined(first, 8)
        dut.wr_sum_i.value = total.packed(half)
        words = 1 << (ADDR_WIDTH - 1)
        skip = self._word(half * words + addr % words)
        values = [
            total(first[p * Q + q], skip[p * N + lane * Q + q]) for p in range(P) for q in range(Q)
        ]
        self.expected.append((cycle + LATENCY, Write(enables=enables, addr=addr, data=values)))

    async def run(self, groups: int) -> None:
        """Drives random groups of writes, each one tile's."""
        dut, half, cycle, after, before = self._dut, 0, 0, False, NONE
        reads: deque[int | None] = deque([None] * READ_LATENCY)
        total, left, number = random_sum(), random.randint(1, 20), 0
        while number < groups or (len(self.expected) and cycle <= self.expected[-1][0] + 2):
            await FallingEdge(dut.clk_i)
            addr = reads.popleft()
            dut.rd_data_i.value = (
                random.getrandbits(P * N * 8) if addr is None else joined(self._word(addr), 8)
            )
            active = number < groups and not next(self._pauses)
            dut.wr_en_i.value = 0
            dut.group_full_i.value = int(after)
            if after:
                self.full.append(cycle + LATENCY)
            if after and before.enable:
                self.freed.append(cycle + READ_LATENCY)
            after = False
            if active:
                self._write(total, half, cycle)
                left -= 1
                if not left:
                    number, after, before = number + 1, True, total
                    half ^= total.enable
                    total, left = random_sum(), random.randint(1, 20)
            # The read of this cycle is seen once the inputs have settled.
            await RisingEdge(dut.clk_i)
            reads.append(int(dut.rd_addr_o.value) if dut.rd_en_o.value == 1 else None)
            cycle += 1
        self.done = True


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(pauses=[never, bursty])
async def sums_exactly(dut: Any, pauses: Callable[[], Pauses]) -> None:
    start_clock(dut)
    dut.wr_en_i.value = dut.group_full_i.value = 0
    dut.wr_sum_i.value = NONE.packed(0)
    await reset(dut)
    surroundings = Surroundings(dut, pauses())
    cocotb.start_soon(surroundings.run(120))
    writes: list[tuple[int, Write]] = []
    full: list[int] = []
    freed: list[int] = []
    # The surroundings begin at the next falling edge.
    cycle = -1
    while not surroundings.done:
        await RisingEdge(dut.clk_i)
        enables = int(dut.wr_en_o.value)
        if enables:
            data = split(int(dut.wr_data_o.value.to_unsigned()), 8, P * Q)
            write = Write(enables=enables, addr=int(dut.wr_addr_o.value), data=data)
            writes.append((cycle, write))
        if dut.group_full_o.value == 1:
            full.append(cycle)
        if dut.skip_freed_o.value == 1:
            freed.append(cycle)
        cycle += 1
    assert writes == surroundings.expected
    assert full == surroundings.full
    assert freed == surroundings.freed
    assert freed

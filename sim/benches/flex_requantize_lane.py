# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_requantize_lane: every byte against unbounded integers and the compiler's rule."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge

from flexcc.ir.requantize import Requantization, requantize
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, bursty, never

SLOPES = os.environ.get("SLOPES") == "1"
LATENCY = 11 if SLOPES else 10
WIDE = os.environ.get("WIDE") == "1"
ACC_BITS, BIAS_BITS, DATA_BITS = (38, 60, 16) if WIDE else (27, 48, 8)
MULT_BITS, SHIFT_MAX = 24, 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """The parameters of accumulators up to `last`."""

    last: int
    mult: int
    shift: int
    bias: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What requantises an output channel; `below` is not used by modules without slopes."""

    mult: int
    shift: int
    bias: int
    zero_point: int
    low: int
    high: int
    below: Slope

    def __call__(self, acc: int) -> int:
        """The output of an accumulator of any size, which is first clamped to 27 bits."""
        limit = 1 << (ACC_BITS - 1)
        acc = min(max(acc, -limit), limit - 1)
        return self._output(self.below if SLOPES and acc <= self.below.last else self, acc)

    def wide(self, acc: int) -> int:
        """That of 16 bits on either side, which does not bend."""
        return self._output(self, acc)

    def _output(self, own: "Channel | Slope", acc: int) -> int:
        unit = 1 << own.shift
        quotient, remainder = divmod(acc * own.mult + own.bias, unit)
        if 2 * remainder > unit or (2 * remainder == unit and quotient % 2 == 1):
            quotient += 1
        return min(max(quotient + self.zero_point, self.low), self.high)

    def compiled(self, accs: list[int]) -> list[int]:
        """The outputs according to the compiler, of accumulators of 27 bits."""
        above, below = (
            requantize(
                np.array([accs], dtype=np.int64),
                Requantization(
                    multiplier=np.array([own.mult], dtype=np.int64),
                    shift=np.array([own.shift], dtype=np.int64),
                    bias=np.array([own.bias], dtype=np.int64),
                    zero_point=self.zero_point,
                    low=self.low,
                    high=self.high,
                    source_bits=DATA_BITS,
                    target_bits=DATA_BITS,
                ),
            )[0]
            for own in (self, self.below)
        )
        chosen = np.where(SLOPES & (np.array(accs) <= self.below.last), below, above)
        return [int(value) for value in chosen]


def signed(bits: int) -> int:
    """A random number of `bits` bits, two's complement; extremes and small ones are frequent."""
    limit = 1 << (bits - 1)
    kind = random.randrange(4)
    if kind == 0:
        return random.choice((-limit, -limit + 1, -1, 0, 1, limit - 1))
    magnitude = random.randrange(bits) if kind == 1 else bits - 1
    return random.randint(-(1 << magnitude), (1 << magnitude) - 1)


def random_channel(acc: int, *, wide: bool = WIDE) -> Channel:
    """A channel whose output for `acc` often lies near or on a rounding tie, within the limits.

    With slopes `acc` often is the last one below the bend, or the first one above it.
    """
    data_bits, bias_bits = (16, 60) if wide else (8, 48)
    mult, shift, bias = _random_scale(acc, data_bits, bias_bits)
    least, most = -(1 << (data_bits - 1)), (1 << (data_bits - 1)) - 1
    low, high = sorted((random.randint(least, most), random.randint(least, most)))
    if random.random() < 0.6:
        low, high = least, most
    return Channel(
        mult=mult,
        shift=shift,
        bias=bias,
        zero_point=signed(data_bits),
        low=low,
        high=high,
        # That of a record, unless this bench has one of 16 bits.
        below=_random_slope(acc, *((16, 60) if WIDE else (8, 48))),
    )


def _random_slope(acc: int, data_bits: int, bias_bits: int) -> Slope:
    limit = 1 << (ACC_BITS - 1)
    near = min(max(acc + random.randint(-1, 1), -limit), limit - 1)
    sign = random.choice((-1, 1))
    mult, shift, bias = _random_scale(sign * acc, data_bits, bias_bits)
    last = random.choice((near, signed(ACC_BITS)))
    return Slope(last=last, mult=sign * mult, shift=shift, bias=bias)


def _random_scale(acc: int, data_bits: int, bias_bits: int) -> tuple[int, int, int]:
    """Multiplier, shift and bias that often put `acc` near or on a tie."""
    mult = random.getrandbits(random.choice((1, 8, 17, MULT_BITS, MULT_BITS, MULT_BITS)))
    if random.random() < 0.1:
        mult = (1 << MULT_BITS) - 1
    shift = random.randint(0, SHIFT_MAX)
    bias = signed(bias_bits)
    if random.random() < 0.8:
        # Choose the bias so that the exact value is an integer or half of one, off by one bit.
        unit, limit = 1 << shift, 1 << (bias_bits - 1)
        reach = 140 << (data_bits - 8)
        steps = min(reach, limit // unit)
        near = random.randint(-reach, reach)
        for quotient in (near, acc * mult // unit + random.randint(0, steps)):
            offset = random.choice((-1, 0, 1)) << random.randint(0, max(0, shift - 1))
            wanted = quotient * unit + random.choice((0, unit // 2)) + offset
            if -limit <= wanted - acc * mult < limit:
                bias = wanted - acc * mult
                break
    return mult, shift, bias


def joined(values: list[int], width: int) -> int:
    """Elements of `width` bits in one number, the first lowest."""
    mask = (1 << width) - 1
    return sum((value & mask) << (index * width) for index, value in enumerate(values))


def split(number: int, width: int, count: int) -> list[int]:
    """The signed elements of `width` bits in a number."""
    values = [number >> (index * width) & ((1 << width) - 1) for index in range(count)]
    return [value - (1 << width) if value >> (width - 1) else value for value in values]


async def drive(
    dut: Any, work: list[tuple[Channel, list[int]]], pauses: Pauses, sent: list[int]
) -> None:
    """Puts in `work`, a channel and its accumulators per cycle; notes the cycles in `sent`."""
    cycle = 0
    for channel, accs in work:
        while True:
            await FallingEdge(dut.clk_i)
            cycle += 1
            pause = next(pauses)
            dut.valid_i.value = int(not pause)
            dut.acc_i.value = joined(accs, ACC_BITS)
            dut.mult_i.value = channel.mult
            dut.shift_i.value = channel.shift
            dut.bias_i.value = channel.bias
            dut.below_last_i.value = channel.below.last
            dut.below_mult_i.value = channel.below.mult
            dut.below_shift_i.value = channel.below.shift
            dut.below_bias_i.value = channel.below.bias
            dut.zero_point_i.value = channel.zero_point
            dut.low_i.value = channel.low
            dut.high_i.value = channel.high
            if not pause:
                break
        sent.append(cycle)
    await FallingEdge(dut.clk_i)
    dut.valid_i.value = 0


def near_tie(shift: int, bit: int) -> tuple[Channel, int] | None:
    """A channel and an accumulator whose exact value is half above an even integer, and one bit.

    None where accumulator and multiplier do not reach that far.
    """
    total = (random.choice((-2, 0)) << shift) + (1 << (shift - 1)) + (1 << bit)
    mult = random.randint((1 << MULT_BITS) - 9, (1 << MULT_BITS) - 1)
    limit = 1 << (ACC_BITS - 1)
    acc = min(max(total // mult, -limit), limit - 1)
    bias = total - acc * mult
    if not -(1 << (BIAS_BITS - 1)) <= bias < 1 << (BIAS_BITS - 1):
        return None
    own = {"mult": mult, "shift": shift, "bias": bias}
    below = Slope(last=random.choice((acc, -limit)), **own)
    most = (1 << (DATA_BITS - 1)) - 1
    return Channel(**own, zero_point=0, low=-most - 1, high=most, below=below), acc


async def check(
    dut: Any, work: list[tuple[Channel, list[int]]], pauses: Callable[[], Pauses] = never
) -> None:
    """Every output is exact and comes LATENCY cycles after its input."""
    start_clock(dut)
    dut.valid_i.value = 0
    await reset(dut)
    sent: list[int] = []
    cocotb.start_soon(drive(dut, work, pauses(), sent))
    cycle, seen = 0, 0
    while seen < len(work):
        await RisingEdge(dut.clk_i)
        if dut.valid_o.value == 1:
            channel, accs = work[seen]
            wanted = [channel(acc) for acc in accs]
            assert wanted == channel.compiled(accs), f"the compiler differs: {channel} of {accs}"
            got = split(int(dut.data_o.value.to_unsigned()), DATA_BITS, len(accs))
            assert got == wanted, f"word {seen}: {got}, not {wanted}: {channel} of {accs}"
            assert cycle == sent[seen] + LATENCY
            seen += 1
        cycle += 1


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(pauses=[never, bursty])
async def rounds_exactly(dut: Any, pauses: Callable[[], Pauses]) -> None:
    """Random parameters and accumulators, many at or near a tie."""
    pixels = int(os.environ["PIXELS"])
    work = []
    for _ in range(3000):
        accs = [signed(ACC_BITS) for _ in range(pixels)]
        work.append((random_channel(random.choice(accs)), accs))
    await check(dut, work, pauses)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def every_bit_breaks_a_tie(dut: Any) -> None:
    """At every shift, every single bit beyond a half decides which way to round."""
    pixels = int(os.environ["PIXELS"])
    work = []
    for shift in range(2, 52):
        for bit in range(shift - 1):
            if (found := near_tie(shift, bit)) is not None:
                channel, acc = found
                accs = [signed(ACC_BITS) for _ in range(pixels)]
                accs[random.randrange(pixels)] = acc
                work.append((channel, accs))
    assert {channel.shift for channel, _ in work} >= set(range(2, 50))
    assert len(work) > 1000
    await check(dut, work)

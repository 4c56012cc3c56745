# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_requantize: every byte and its place against plain loops, the parameter ring."""

import os
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge

from flexcc.program.encode import encode
from flexcc.program.formats import PARAMETER, SLOPE
from sim.benches.flex_requantize_lane import (
    SLOPES,
    Channel,
    joined,
    random_channel,
    signed,
    split,
)
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, bursty, never

M, P, N, Q = (int(os.environ[name]) for name in ("M", "P", "N", "Q"))
ACC_WIDTH = int(os.environ["ACC_WIDTH"])
PARAM_PASSES = int(os.environ["PARAM_PASSES"])
OUT_ADDR_WIDTH = int(os.environ["OUT_ADDR_WIDTH"])
# Without output phases a word holds N channels.
LEAST_CHANNELS = Q if int(os.environ["OUTPUT_PHASES"]) else N
# Cycles after which second records are read for sums, 0 where there is no flex_bend.
BEND_CYCLES = int(os.environ["BEND_CYCLES"])
L = M // Q
COUNT_MASK = 0xFFFF
# A packed sum_t, whose bend_t comes last.
SUM_BITS, BEND_BITS = 219, 103
WIDE = os.environ.get("WIDE_BLOCKS") == "1"
LATENCY = 14 + SLOPES + WIDE  # cycles from accumulators to their write
RECORD_BITS = 256 if SLOPES else 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One output block: its data sheet and its accumulators by channel, then pixel.

    The second records of a `bent` one are for its sums.
    """

    pass_number: int
    channels: list[Channel]
    half: int
    addr: int
    plane_words: int
    byte: int
    word_channels: int
    release: bool
    hand_over: bool
    lookup: int
    bent: bool
    acc: list[list[int]]
    wide: bool
    plane: int

    def sheet(self) -> int:
        """The packed block_t."""
        fields = (  # from bit 0 upwards
            (self.hand_over, 1),
            (self.release, 1),
            (self.lookup, 3),
            *((0 if self.wide else value, 8) for value in self._limits()),
            (self.word_channels, 3),
            (self.byte, 8),
            (self.plane_words, 16),
            (self.addr, 16),
            (self.half, 1),
            (self.pass_number & COUNT_MASK, 16),
            (0, BEND_BITS - 1),
            (self.bent, 1),
            (0, SUM_BITS - BEND_BITS),
            (self.plane, 2),
            *((value if self.wide else random.getrandbits(16), 16) for value in self._limits()),
            (self.wide, 1),
        )
        sheet, low = 0, 0
        for value, width in fields:
            sheet |= (int(value) & ((1 << width) - 1)) << low
            low += width
        return sheet

    def _limits(self) -> tuple[int, int, int]:
        channel = self.channels[0]
        return channel.high, channel.low, channel.zero_point

    def _byte(self, value: int) -> int:
        """What the block puts out of an output, signed."""
        byte = (value, value >> 8, value ^ 0x80)[self.plane] & 0xFF
        return byte - 256 if byte >> 7 else byte

    def bytes_out(self) -> dict[tuple[int, int, int], int]:
        """What the block leaves in the output buffer, by bank, word and byte."""
        result = {}
        in_word = 1 << self.word_channels
        for c, channel in enumerate(self.channels):
            group, byte = divmod(c + self.byte, in_word)
            word = (self.half << (OUT_ADDR_WIDTH - 1)) + self.addr + group * self.plane_words
            for p in range(P):
                for copy in range(byte, N, in_word):
                    acc, own = self.acc[c][p], self._own(channel)
                    output = own.wide(acc) if self.wide else own(acc)
                    result[p, word, copy] = self._byte(output)
        return result

    def _own(self, channel: Channel) -> Channel:
        """What requantises a channel's accumulators."""
        if not self.bent:
            return channel
        below = replace(channel.below, mult=channel.mult, shift=channel.shift, bias=channel.bias)
        return replace(channel, below=below)


def random_blocks(passes: int, blocks_per_pass: int = 4) -> list[Block]:
    """Blocks of consecutive passes, anywhere in the output buffer."""
    blocks: list[Block] = []
    half_words = 1 << (OUT_ADDR_WIDTH - 1)
    half = 0
    for number in range(passes):
        wide = WIDE and random.random() < 0.6
        plane = random.randrange(3) if wide else 0
        acc_bits = 38 if wide else ACC_WIDTH
        sample = [signed(acc_bits) for _ in range(M)]
        shared = random_channel(sample[0], wide=wide)
        channels = [
            Channel(
                mult=own.mult,
                shift=own.shift,
                bias=own.bias,
                zero_point=shared.zero_point,
                low=shared.low,
                high=shared.high,
                below=own.below,
            )
            for own in (random_channel(value, wide=wide) for value in sample)
        ]
        word_channels = random.randint(LEAST_CHANNELS.bit_length() - 1, N.bit_length() - 1)
        in_word = 1 << word_channels
        byte = random.randrange(0, in_word, M if in_word > M else Q)
        planes = -(-(M + byte) // in_word)
        plane_words = random.randint(1, half_words // planes)
        count = random.randint(1, blocks_per_pass)
        bent = BEND_CYCLES > 0 and random.random() < 0.5
        for index in range(count):
            acc = [
                [value if random.random() < 0.5 else signed(acc_bits) for _ in range(P)]
                for value in sample
            ]
            hand_over = random.random() < 0.3
            blocks.append(
                Block(
                    pass_number=number,
                    channels=channels,
                    half=half,
                    addr=random.randint(0, half_words - 1 - (planes - 1) * plane_words),
                    plane_words=plane_words,
                    byte=byte,
                    word_channels=word_channels,
                    release=index == count - 1,
                    lookup=random.getrandbits(3),
                    hand_over=hand_over,
                    bent=bent,
                    acc=acc,
                    wide=wide,
                    plane=plane,
                )
            )
            half ^= hand_over
    return blocks


class Surroundings:
    """Plays the array and the weight load engine; collects what is written."""

    def __init__(self, dut: Any, blocks: list[Block], pauses: Pauses) -> None:
        self._dut = dut
        self._blocks = blocks
        self._pauses = pauses
        self._latency = random.randint(8, 2 * M + P + 2 * N + 16)
        self._params = [
            [
                joined([self._parameter(block.channels[i * Q + q]) for q in range(Q)], RECORD_BITS)
                for i in range(L)
            ]
            for block in blocks
            if block.release
        ]
        self._params_sent = 0  # words
        self._pushed = 0
        self._next_push = 0
        self._coming: deque[tuple[int, int]] = deque()  # cycle, accumulators
        self.acc_cycles: list[int] = []

    async def run(self) -> None:
        """Drives the module, one decision a cycle, until all accumulators are in."""
        dut, cycle = self._dut, 0
        while self._pushed < len(self._blocks) or self._coming:
            await FallingEdge(dut.clk_i)
            active = not next(self._pauses)
            self._drive_blocks(active, cycle)
            self._drive_params(active)
            self._drive_acc(cycle)
            cycle += 1
        await FallingEdge(dut.clk_i)
        dut.acc_valid_i.value = 0

    @staticmethod
    def _parameter(channel: Channel) -> int:
        words = encode(PARAMETER, mult=channel.mult, shift=channel.shift, bias=channel.bias)
        if SLOPES:
            below = channel.below
            words += encode(
                SLOPE, mult=below.mult, shift=below.shift, last=below.last, bias=below.bias
            )
        return joined(words, 64)

    def _drive_params(self, active: bool) -> None:
        dut = self._dut
        number, i = divmod(self._params_sent, L)
        released = int(dut.params_released_o.value)
        room = (number - released) & COUNT_MASK < PARAM_PASSES
        write = active and number < len(self._params) and room
        dut.param_wr_en_i.value = int(write)
        if write:
            dut.param_wr_addr_i.value = number % PARAM_PASSES * L + i
            dut.param_wr_data_i.value = self._params[number][i]
            self._params_sent += 1

    def _drive_blocks(self, active: bool, cycle: int) -> None:
        dut = self._dut
        push = active and self._pushed < len(self._blocks) and cycle >= self._next_push
        if push:
            block = self._blocks[self._pushed]
            # Its parameters were written in earlier cycles.
            push = (block.pass_number + 1) * L <= self._params_sent
        dut.block_valid_i.value = int(push)
        if push:
            dut.block_data_i.value = block.sheet()
            for i in range(L):
                values = [block.acc[i * Q + q][p] for p in range(P) for q in range(Q)]
                self._coming.append((cycle + self._latency + i, joined(values, ACC_WIDTH)))
            self._pushed += 1
            self._next_push = cycle + L

    def _drive_acc(self, cycle: int) -> None:
        due = bool(self._coming) and self._coming[0][0] == cycle
        self._dut.acc_valid_i.value = int(due)
        if due:
            self._dut.acc_i.value = self._coming.popleft()[1]
            self.acc_cycles.append(cycle)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One cycle's write, by bank, word and byte."""

    cycle: int
    lookup: int
    place: int
    data: dict[tuple[int, int, int], int]


async def collect(dut: Any, count: int) -> tuple[list[Write], list[int]]:
    """The first `count` writes, and the cycles of full halves until the cycle after the last."""
    writes: list[Write] = []
    full_cycles: list[int] = []
    cycle = 0
    while len(writes) < count or cycle <= writes[-1].cycle + 1:
        await RisingEdge(dut.clk_i)
        enables = int(dut.wr_en_o.value)
        if enables:
            values = split(int(dut.wr_data_o.value.to_unsigned()), 8, P * Q)
            addr = int(dut.wr_addr_o.value)
            data = {
                (p, addr, lane * Q + q): values[p * Q + q]
                for lane in range(N // Q)
                if enables >> lane & 1
                for p in range(P)
                for q in range(Q)
            }
            lookup = int(dut.wr_table_o.value)
            place = int(dut.wr_param_o.value)
            writes.append(Write(cycle=cycle, lookup=lookup, place=place, data=data))
        if dut.group_full_o.value == 1:
            full_cycles.append(cycle)
        cycle += 1
    return writes, full_cycles


async def requantise(dut: Any, blocks: list[Block], pauses: Pauses) -> list[Write]:
    """Runs `blocks` through the module and checks all that it does."""
    start_clock(dut)
    for port in ("acc_valid", "block_valid", "param_wr_en"):
        getattr(dut, f"{port}_i").value = 0
    await reset(dut)
    surroundings = Surroundings(dut, blocks, pauses)
    running = cocotb.start_soon(surroundings.run())
    writes, full_cycles = await collect(dut, len(blocks) * L)
    await running
    expected_full = []
    for number, block in enumerate(blocks):
        own = writes[number * L : (number + 1) * L]
        got = {place: value for write in own for place, value in write.data.items()}
        wanted = block.bytes_out()
        for place, value in wanted.items():
            assert got.get(place) == value, f"block {number}: {place} {got.get(place)} not {value}"
        assert got.keys() == wanted.keys()
        # The tile's last write is the last one of its last block.
        lookups = [block.lookup & 0b110] * (L - 1) + [block.lookup]
        assert [write.lookup for write in own] == lookups
        if BEND_CYCLES:
            first = block.pass_number % PARAM_PASSES * L
            assert [write.place for write in own] == list(range(first, first + L))
        if block.hand_over:
            expected_full.append(own[-1].cycle + 1)
    assert full_cycles == expected_full
    # Parameters are given back when sums have been bent, too.
    before = int(dut.params_released_o.value)
    await ClockCycles(dut.clk_i, BEND_CYCLES + 1)
    assert before < int(dut.params_released_o.value) or not BEND_CYCLES
    assert int(dut.params_released_o.value) == sum(block.release for block in blocks) & COUNT_MASK
    # The bench drives between the edges: an accumulator of cycle c is taken at the edge of cycle c.
    latencies = {
        write.cycle - cycle for write, cycle in zip(writes, surroundings.acc_cycles, strict=True)
    }
    assert latencies == {LATENCY}
    return writes


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(pauses=[never, bursty])
async def bytes_reach_their_places(dut: Any, pauses: Callable[[], Pauses]) -> None:
    await requantise(dut, random_blocks(60), pauses())


@cocotb.test(timeout_time=200, timeout_unit="us")
async def writes_every_cycle(dut: Any) -> None:
    """Blocks back to back are written without a gap."""
    writes = await requantise(dut, random_blocks(PARAM_PASSES, 20), never())
    assert writes[-1].cycle - writes[0].cycle + 1 == len(writes)

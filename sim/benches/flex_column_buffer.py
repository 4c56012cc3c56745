# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_column_buffer: every rotation, lane writes, reads and writes in one cycle."""

import os
import random
from collections import deque
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge
from numpy.typing import NDArray

from sim.bus.clock import reset, start_clock

P, N, DEPTH, LANE_BYTES = (
    int(os.environ.get(name, "1")) for name in ("P", "N", "DEPTH", "LANE_BYTES")
)
LATENCY = 4
ADDRESS_BITS = (DEPTH - 1).bit_length()


class Model:
    """The banks as an array [word, bank, byte]; None until a byte is first written."""

    def __init__(self) -> None:
        self.bytes: NDArray[np.uint8] = np.zeros((DEPTH, P, N), np.uint8)

    def read(self, address: int, rotation: int) -> bytes:
        """All columns of a read, column 0 first."""
        column = np.arange(P) + rotation
        return self.bytes[(address + column // P) % DEPTH, column % P].tobytes()


def _write(dut: Any, model: Model, banks: list[int], address: int, lanes: int) -> None:
    """Writes random bytes into `lanes` of one word of each of `banks`."""
    groups = N // LANE_BYTES
    enables = addresses = data = 0
    for bank in range(P):
        word = random.randbytes(N)
        data |= int.from_bytes(word, "little") << (bank * N * 8)
        addresses |= address << (bank * ADDRESS_BITS)
        if bank not in banks:
            continue
        enables |= lanes << (bank * groups)
        for lane in range(groups):
            if lanes >> lane & 1:
                part = slice(lane * LANE_BYTES, (lane + 1) * LANE_BYTES)
                model.bytes[address, bank, part] = np.frombuffer(word[part], np.uint8)
    dut.wr_en_i.value = enables
    dut.wr_addr_i.value = addresses
    dut.wr_data_i.value = data


async def _fill(dut: Any, model: Model) -> None:
    everything = (1 << N // LANE_BYTES) - 1
    for address in range(DEPTH):
        await FallingEdge(dut.clk_i)
        _write(dut, model, list(range(P)), address, everything)
    await FallingEdge(dut.clk_i)
    dut.wr_en_i.value = 0


async def _start(dut: Any) -> Model:
    start_clock(dut)
    dut.wr_en_i.value = 0
    dut.rd_en_i.value = 0
    await reset(dut)
    model = Model()
    await _fill(dut, model)
    return model


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_rotation_reads_adjacent_pixels(dut: Any) -> None:
    """A read in every cycle, also across the end of the buffer."""
    model = await _start(dut)
    reads = [(random.randrange(DEPTH), r) for r in range(P) for _ in range(6)]
    reads += [(DEPTH - 1, r) for r in range(P)]
    random.shuffle(reads)
    pending: deque[bytes] = deque()
    for number in range(len(reads) + LATENCY):
        await FallingEdge(dut.clk_i)
        if number >= LATENCY:
            assert int(dut.rd_data_o.value).to_bytes(P * N, "little") == pending.popleft()
        dut.rd_en_i.value = int(number < len(reads))
        if number < len(reads):
            address, rotation = reads[number]
            dut.rd_addr_i.value = address
            dut.rd_rotation_i.value = rotation
            pending.append(model.read(address, rotation))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def lanes_are_written_while_others_are_read(dut: Any) -> None:
    """Writes of random lanes and banks in one half, reads of the other, with pauses in both."""
    model = await _start(dut)
    half = DEPTH // 2
    pending: deque[bytes | None] = deque([None] * LATENCY)
    checked = 0
    for number in range(400):
        await FallingEdge(dut.clk_i)
        expected = pending.popleft()
        if expected is not None:
            assert int(dut.rd_data_o.value).to_bytes(P * N, "little") == expected
            checked += 1
        read_half = number // 100 % 2
        # Between turns nothing is written, so that reads on their way see what was read.
        turning = number % 100 >= 100 - LATENCY
        dut.wr_en_i.value = 0
        if random.random() < 0.7 and not turning:
            banks = [bank for bank in range(P) if random.random() < 0.6]
            address = (1 - read_half) * half + random.randrange(half)
            _write(dut, model, banks, address, random.getrandbits(N // LANE_BYTES))
        reading = random.random() < 0.7 and half > 1
        dut.rd_en_i.value = int(reading)
        pending.append(None)
        if reading:
            # The word after the last of a half belongs to the other one.
            address = read_half * half + random.randrange(half - 1)
            rotation = random.randrange(P)
            dut.rd_addr_i.value = address
            dut.rd_rotation_i.value = rotation
            pending[-1] = model.read(address, rotation)
    assert checked > 100

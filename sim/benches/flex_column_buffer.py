# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_column_buffer: every rotation, random reads beside random writes of all banks."""

import os
import random
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge
from numpy.typing import NDArray

from sim.bus.clock import reset, start_clock

P, N, DEPTH, LANE_BYTES = (
    int(os.environ.get(name, "1")) for name in ("P", "N", "DEPTH", "LANE_BYTES")
)
LANES = N // LANE_BYTES
ADDR_WIDTH = (DEPTH - 1).bit_length()
# Cycles from a read to its data; in the first one writes still count.
LATENCY = 4


class Model:
    """The bytes of all banks, [bank, word, byte], and the words written in the latest cycle."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.content = rng.integers(0, 256, (P, DEPTH, N), np.uint8)
        self.latest: set[tuple[int, int]] = set()

    def columns(self, word: int, rotation: int) -> list[tuple[tuple[int, int], bytes]]:
        """Place (bank, word) and bytes of every column of a read."""
        columns = []
        for column in range(P):
            wraps, bank = divmod(column + rotation, P)
            place = bank, (word + wraps) % DEPTH
            columns.append((place, self.content[place].tobytes()))
        return columns


def _write(dut: Any, model: Model, rng: np.random.Generator, probability: float) -> None:
    """Drives random writes of random lanes to every bank and applies them to the model."""
    enables = rng.random((P, LANES)) < 0.7
    enables &= rng.random((P, 1)) < probability
    addresses = rng.integers(0, DEPTH, P)
    data = rng.integers(0, 256, (P, N), np.uint8)
    _drive(dut, enables, addresses, data)
    model.latest = set()
    for bank in range(P):
        for lane in np.flatnonzero(enables[bank]):
            lane_bytes = slice(lane * LANE_BYTES, (lane + 1) * LANE_BYTES)
            model.content[bank, addresses[bank], lane_bytes] = data[bank, lane_bytes]
            model.latest.add((bank, int(addresses[bank])))


def _drive(
    dut: Any, enables: NDArray[np.bool_], addresses: NDArray[np.int64], data: NDArray[np.uint8]
) -> None:
    flags = np.packbits(enables, bitorder="little").tobytes()
    dut.wr_en_i.value = int.from_bytes(flags, "little")
    dut.wr_addr_i.value = sum(int(a) << (b * ADDR_WIDTH) for b, a in enumerate(addresses))
    dut.wr_data_i.value = int.from_bytes(data.tobytes(), "little")


async def _fill(dut: Any, model: Model) -> None:
    """Resets the module and writes the model's content."""
    start_clock(dut)
    dut.rd_en_i.value = 0
    dut.wr_en_i.value = 0
    await reset(dut)
    for word in range(DEPTH):
        _drive(dut, np.ones((P, LANES), np.bool_), np.full(P, word), model.content[:, word])
        await FallingEdge(dut.clk_i)
    dut.wr_en_i.value = 0


def _request(dut: Any, read: tuple[int, int] | None) -> None:
    """Drives a read of a word with a rotation, or none."""
    dut.rd_en_i.value = read is not None
    word, rotation = read or (random.randrange(DEPTH), random.randrange(P))
    dut.rd_addr_i.value = word
    dut.rd_rotation_i.value = rotation


@cocotb.test(timeout_time=400, timeout_unit="us")
async def rotates_every_way(dut: Any) -> None:
    """Every rotation at every word, a read per cycle; data come after exactly four cycles."""
    rng = np.random.default_rng(random.getrandbits(32))
    model = Model(rng)
    await _fill(dut, model)
    reads = [(word, rotation) for word in range(DEPTH) for rotation in range(P)]
    random.shuffle(reads)
    for cycle in range(len(reads) + LATENCY):
        _request(dut, reads[cycle] if cycle < len(reads) else None)
        await RisingEdge(dut.clk_i)
        if cycle >= LATENCY:
            seen = int(dut.rd_data_o.value).to_bytes(P * N, "little")
            columns = model.columns(*reads[cycle - LATENCY])
            assert seen == b"".join(data for _, data in columns)
        await FallingEdge(dut.clk_i)


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(reading=[1.0, 0.3], writing=[0.0, 0.2, 1.0])
async def reads_beside_writes(dut: Any, reading: float, writing: float) -> None:
    """Random reads and writes at once; without a read the data of the last one stay."""
    rng = np.random.default_rng(random.getrandbits(32))
    model = Model(rng)
    await _fill(dut, model)
    # Columns of the latest reads, oldest first: none without a read; None where a write hit one.
    pipeline: list[list[bytes | None]] = [[] for _ in range(LATENCY - 1)]
    at_output: list[bytes | None] = [None] * P
    newest: list[tuple[tuple[int, int], bytes]] = []
    for _ in range(800):
        word, rotation = random.randrange(DEPTH), random.randrange(P)
        read = random.random() < reading
        _request(dut, (word, rotation) if read else None)
        _write(dut, model, rng, writing)
        # Now the writes of the cycle after the newest read are known.
        pipeline.append([None if place in model.latest else data for place, data in newest])
        newest = model.columns(word, rotation) if read else []
        await RisingEdge(dut.clk_i)
        at_output = pipeline.pop(0) or at_output
        seen = int(dut.rd_data_o.value).to_bytes(P * N, "little")
        for column, expected in enumerate(at_output):
            if expected is not None:
                assert seen[column * N : (column + 1) * N] == expected, f"column {column}"
        await FallingEdge(dut.clk_i)

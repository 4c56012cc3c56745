# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_vsa: accumulators of random tiles against numpy, with data in the real buffers."""

import os
import random
from collections.abc import Callable
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge
from numpy.typing import NDArray

from sim.array_program import Tile, expect, random_tiles
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamSource, bursty, never

M, P, N, Q = (int(os.environ.get(name, "1")) for name in ("M", "P", "N", "Q"))
PACKED = os.environ.get("PACKED") == "1"
ACT_WORDS = int(os.environ.get("ACT_WORDS", "64"))
WEIGHT_WORDS = int(os.environ.get("WEIGHT_WORDS", "64"))
LIST_ENTRIES = 64
PARAM_PASSES = 4
CHAIN = M // max(Q, 1)
ACC_WIDTH = 32
PACKING_OFFSET = 1024


def _bits(values: NDArray[np.int8]) -> int:
    return int.from_bytes(values.astype(np.int8).tobytes(), "little")


def _expected_blocks(
    tiles: list[Tile], halves: list[NDArray[np.int8]], weights: NDArray[np.int8]
) -> list[NDArray[np.int64]]:
    """Accumulators [channel, pixel] of every block; halves are [word, bank, lane]."""
    blocks = []
    tile = -1
    for step in expect(tiles).steps:
        tile += step.takes_tile
        if step.first:
            acc = np.zeros((M, P), np.int64)
        column = np.arange(P) + step.rotation
        x = halves[tile][step.word + column // P, column % P].astype(np.int64)
        acc += weights[step.weight].astype(np.int64) @ x.T
        if PACKED:
            acc -= PACKING_OFFSET * max(N // 8, 1)
        if step.last:
            blocks.append(acc)
    return blocks


class Surroundings:
    """Plays load, weight load and the output side."""

    def __init__(
        self,
        dut: Any,
        tiles: list[Tile],
        halves: list[NDArray[np.int8]],
        weights: NDArray[np.int8],
        pauses: Pauses,
    ) -> None:
        self._dut = dut
        self._tiles, self._halves, self._weights = tiles, halves, weights
        self._pauses = pauses
        self._groups_handed = 0

    async def fill_halves(self) -> None:
        """Writes each tile's half, word by word, when it is free."""
        dut, freed = self._dut, 0
        for number, half in enumerate(self._halves):
            word = 0
            while word < ACT_WORDS:
                await FallingEdge(dut.clk_i)
                freed += int(dut.act_freed_o.value)
                dut.act_full_i.value = 0
                dut.act_wr_en_i.value = 0
                if number - freed < 2 and not next(self._pauses):
                    dut.act_wr_en_i.value = (1 << P) - 1
                    address = (number % 2) * ACT_WORDS + word
                    width = (2 * ACT_WORDS - 1).bit_length()
                    dut.act_wr_addr_i.value = sum(address << (p * width) for p in range(P))
                    dut.act_wr_data_i.value = _bits(half[word])
                    word += 1
            await FallingEdge(dut.clk_i)
            freed += int(dut.act_freed_o.value)
            dut.act_wr_en_i.value = 0
            dut.act_full_i.value = 1
        await FallingEdge(dut.clk_i)
        dut.act_full_i.value = 0

    async def fill_ring(self) -> None:
        """Writes weight words whenever the ring has room; parameters are always there."""
        dut, written = self._dut, 0
        # One pass ahead of all is enough for the comparison with the pass in work.
        dut.params_written_i.value = 0x8000
        while True:
            await FallingEdge(dut.clk_i)
            released = int(dut.weights_released_o.value)
            room = WEIGHT_WORDS - ((written - released) & 0xFFFF)
            dut.weights_written_i.value = written & 0xFFFF
            write = written < len(self._weights) and room > 0 and not next(self._pauses)
            dut.weight_wr_en_i.value = int(write)
            if write:
                dut.weight_wr_addr_i.value = written % WEIGHT_WORDS
                dut.weight_wr_data_i.value = _bits(self._weights[written])
                written += 1

    async def free_halves(self) -> None:
        """Frees an output half some time after its last block has been announced."""
        dut, handed, freed = self._dut, 0, 0
        while True:
            await FallingEdge(dut.clk_i)
            handed += int(dut.block_valid_o.value) and int(dut.block_data_o.value) & 1
            free = freed < handed and not next(self._pauses)
            dut.out_freed_i.value = int(free)
            freed += free


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(record_pauses=[never, bursty], pauses=[never, bursty])
async def accumulates_every_block(
    dut: Any, record_pauses: Callable[[], Pauses], pauses: Callable[[], Pauses]
) -> None:
    tiles = random_tiles(
        12,
        act_words=ACT_WORDS - 1,
        weight_words=WEIGHT_WORDS,
        list_entries=LIST_ENTRIES,
        param_passes=PARAM_PASSES,
        columns=P,
    )
    rng = np.random.default_rng(random.getrandbits(32))
    halves = [rng.integers(-128, 128, (ACT_WORDS, P, N), np.int8) for _ in tiles]
    weights = rng.integers(-128, 128, (expect(tiles).weights, M, N), np.int8)
    extremes = rng.random(len(weights)) < 0.2
    weights[extremes] = -128
    halves[0][:] = -128
    start_clock(dut)
    for port in (
        "act_wr_en",
        "act_full",
        "weight_wr_en",
        "weights_written",
        "out_freed",
        "skip_full",
    ):
        getattr(dut, f"{port}_i").value = 0
    source = StreamSource(dut, "cmd", record_pauses())
    await reset(dut)
    surroundings = Surroundings(dut, tiles, halves, weights, pauses())
    cocotb.start_soon(source.send([word for tile in tiles for word in tile.words()]))
    cocotb.start_soon(surroundings.fill_halves())
    cocotb.start_soon(surroundings.fill_ring())
    cocotb.start_soon(surroundings.free_halves())
    for number, wanted in enumerate(_expected_blocks(tiles, halves, weights)):
        for i in range(CHAIN):
            await RisingEdge(dut.clk_i)
            while dut.acc_valid_o.value != 1:
                assert i == 0, f"block {number}: a gap in its drain"
                await RisingEdge(dut.clk_i)
            word = int(dut.acc_o.value)
            for p in range(P):
                for q in range(Q):
                    bits = word >> ((p * Q + q) * ACC_WIDTH) & (1 << ACC_WIDTH) - 1
                    value = bits - (1 << ACC_WIDTH) if bits >> (ACC_WIDTH - 1) else bits
                    assert value == wanted[_row(i * Q + q), p], (
                        f"block {number}, channel {i * Q + q}, column {p}"
                    )


def _row(channel: int) -> int:
    """The array row that computes an output channel of the pass."""
    return channel % Q * CHAIN + CHAIN - 1 - channel // Q

# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_sequencer: steps and blocks against plain loops, resources kept, no bubbles."""

import os
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from flexcc.program.encode import record
from flexcc.program.formats import STORE_TILE
from sim.array_program import Expected, Tile, expect, random_tiles
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamSource, bursty, never

# A packed sum_t.
SUM_BITS = 219
COUNT_MASK = 0xFFFF
_BLOCK_FIELDS = (  # name, width, signed; from bit 0 upwards
    ("hand_over", 1, False),
    ("release_params", 1, False),
    ("lookup", 3, False),
    ("high", 8, True),
    ("low", 8, True),
    ("zero_point", 8, True),
    ("word_channels", 3, False),
    ("out_byte", 8, False),
    ("out_plane_words", 16, False),
    ("out_addr", 16, False),
    ("out_half", 1, False),
    ("param_pass", 16, False),
)


def block_fields(value: int) -> dict[str, int]:
    """The fields of a packed block_t."""
    fields = {}
    for name, width, signed in _BLOCK_FIELDS:
        bits = value & ((1 << width) - 1)
        fields[name] = bits - (1 << width) if signed and bits >> (width - 1) else bits
        value >>= width
    fields["plane"] = value >> SUM_BITS & 3
    fields["wide"] = value >> SUM_BITS + 2
    return fields


class Surroundings:
    """Plays the engines around the sequencer and checks every step and block it sees."""

    def __init__(self, dut: Any, expected: Expected, tiles: list[Tile], pauses: Pauses) -> None:
        self._dut = dut
        self._expected = expected
        self._pauses = pauses
        self._weight_words = int(os.environ["WEIGHT_WORDS"])
        self._param_passes = int(os.environ["PARAM_PASSES"])
        self._act_words = int(os.environ["ACT_WORDS"])
        self._drain_cycles = int(os.environ["DRAIN_CYCLES"])
        self._tiles_to_fill = len(tiles)
        self._filled = self._tiles_taken = self._tiles_freed = 0
        self._groups_taken = self._groups_handed = self._groups_freed = 0
        self._weights_written = self._params_written = self._params_released = 0
        self._last_cycle = -(1 << 30)
        self.step_cycles: list[int] = []
        self.blocks = 0

    def write_everything(self) -> None:
        """Puts all weights and parameters into the rings, which must hold them."""
        self._weights_written = self._expected.weights
        self._params_written = self._expected.params
        assert self._weights_written <= self._weight_words
        assert self._params_written <= self._param_passes

    async def run(self) -> None:
        """Returns when all expected steps and blocks have come."""
        dut = self._dut
        cycle = 0
        while self.blocks < len(self._expected.blocks):
            await FallingEdge(dut.clk_i)
            self._drive()
            await RisingEdge(dut.clk_i)
            cycle += 1
            assert dut.error_o.value == 0
            if dut.act_freed_o.value == 1:
                self._tiles_freed += 1
            if dut.step_valid_o.value == 1:
                self._check_step(cycle)
            if dut.block_valid_o.value == 1:
                self._check_block()
        assert len(self.step_cycles) == len(self._expected.steps)

    def _drive(self) -> None:
        dut = self._dut
        active = not next(self._pauses)
        fill = (
            active and self._filled < self._tiles_to_fill and self._filled - self._tiles_freed < 2
        )
        dut.act_full_i.value = int(fill)
        self._filled += fill
        released = int(dut.weights_released_o.value)
        room = self._weight_words - ((self._weights_written - released) & COUNT_MASK)
        left = self._expected.weights - self._weights_written
        self._weights_written += random.randint(0, min(room, left)) if active else 0
        dut.weights_written_i.value = self._weights_written & COUNT_MASK
        room = self._param_passes - (self._params_written - self._params_released)
        left = self._expected.params - self._params_written
        self._params_written += random.randint(0, min(room, left)) if active else 0
        dut.params_written_i.value = self._params_written & COUNT_MASK
        freed = active and self._groups_freed < self._groups_handed
        dut.out_freed_i.value = int(freed)
        self._groups_freed += freed

    def _check_step(self, cycle: int) -> None:
        dut, number = self._dut, len(self.step_cycles)
        step = self._expected.steps[number]
        seen = (
            int(dut.act_addr_o.value),
            int(dut.act_rotation_o.value),
            int(dut.weight_addr_o.value),
            bool(dut.step_first_o.value),
            bool(dut.step_last_o.value),
            bool(dut.step_shift_o.value),
        )
        wanted = (
            step.half * self._act_words + step.word,
            step.rotation,
            step.weight % self._weight_words,
            step.first,
            step.last,
            step.shift,
        )
        assert seen == wanted, f"step {number}: {seen}, not {wanted}"
        self._tiles_taken += step.takes_tile
        self._groups_taken += step.takes_group
        assert self._tiles_taken <= self._filled, f"step {number}: the tile is not loaded"
        assert step.weight < self._weights_written, f"step {number}: the weights are not there"
        assert step.param < self._params_written, f"step {number}: the parameters are not there"
        assert self._groups_taken - self._groups_freed <= 2, f"step {number}: no free output half"
        if step.last:
            distance = cycle - self._last_cycle
            assert distance >= self._drain_cycles, f"step {number}: last {distance} after last"
            self._last_cycle = cycle
        self.step_cycles.append(cycle)

    def _check_block(self) -> None:
        block = self._expected.blocks[self.blocks]
        seen = block_fields(int(self._dut.block_data_o.value))
        for name, value in seen.items():
            wanted = int(getattr(block, name))
            assert value == wanted, f"block {self.blocks}: {name} is {value}, not {wanted}"
        self._groups_handed += block.hand_over
        self._params_released += block.release_params
        self.blocks += 1


async def take_tables(dut: Any, tiles: list[Tile], pauses: Pauses) -> None:
    """Plays flex_table; returns when all tables and tiles have come, in their order."""
    half = 0
    for tile in tiles:
        for number, wanted in enumerate(tile.table or ()):
            while next(pauses):
                await FallingEdge(dut.clk_i)
            dut.table_ready_i.value = 1
            await RisingEdge(dut.clk_i)
            while dut.table_valid_o.value != 1:
                assert dut.table_tile_o.value == 0
                await RisingEdge(dut.clk_i)
            assert int(dut.table_data_o.value) == wanted
            await FallingEdge(dut.clk_i)
            dut.table_ready_i.value = 0
            half ^= number == 0
            dut.table_half_i.value = half
        await RisingEdge(dut.clk_i)
        while dut.table_tile_o.value != 1:
            assert dut.table_valid_o.value == 0
            await RisingEdge(dut.clk_i)


async def start(dut: Any) -> None:
    start_clock(dut)
    ports = ("act_full", "weights_written", "params_written", "out_freed", "skip_full")
    for port in (*ports, "table_ready", "table_half"):
        getattr(dut, f"{port}_i").value = 0
    await reset(dut)


def _tiles(count: int, least_steps: int = 1, *, tables: bool = False) -> list[Tile]:
    return random_tiles(
        count,
        act_words=int(os.environ["ACT_WORDS"]),
        weight_words=int(os.environ["WEIGHT_WORDS"]),
        list_entries=int(os.environ["LIST_ENTRIES"]),
        param_passes=int(os.environ["PARAM_PASSES"]),
        columns=7,
        least_steps=least_steps,
        tables=tables,
        wide=os.environ["WIDE"] == "1",
    )


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(record_pauses=[never, bursty], pauses=[never, bursty])
async def steps_and_blocks_in_order(
    dut: Any, record_pauses: Callable[[], Pauses], pauses: Callable[[], Pauses]
) -> None:
    tiles = _tiles(40, tables=os.environ["TABLES"] == "1")
    source = StreamSource(dut, "cmd", record_pauses())
    await start(dut)
    surroundings = Surroundings(dut, expect(tiles), tiles, pauses())
    cocotb.start_soon(source.send([word for tile in tiles for word in tile.words()]))
    tables = cocotb.start_soon(take_tables(dut, tiles, pauses()))
    await surroundings.run()
    await tables


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def issues_a_step_every_cycle(dut: Any) -> None:
    """With everything there, steps follow each other without a gap, across tiles as well."""
    least_steps = int(os.environ["DRAIN_CYCLES"])
    kept = [tile for tile in _tiles(200, least_steps) if tile.keep]
    tile = max(kept, key=lambda item: len(expect([item]).steps))
    tiles = [tile] + [replace(tile, lists=None)] * 5
    source = StreamSource(dut, "cmd")
    await start(dut)
    surroundings = Surroundings(dut, expect(tiles), tiles, never())
    surroundings.write_everything()
    cocotb.start_soon(source.send([word for item in tiles for word in item.words()]))
    await surroundings.run()
    cycles = surroundings.step_cycles
    assert cycles[-1] - cycles[0] + 1 == len(cycles)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def refuses_a_record_it_does_not_know(dut: Any) -> None:
    await start(dut)
    fields = {field.name: 0 for word in STORE_TILE.words for field in word}
    words = record(STORE_TILE, (), **fields)
    words[0] |= 77 << 16
    await StreamSource(dut, "cmd").send(words)
    await RisingEdge(dut.clk_i)
    assert dut.error_o.value == 1

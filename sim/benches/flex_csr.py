# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_csr: registers over AXI4-Lite, the run's state, errors, interrupt, counters."""

import os
import random
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from flexcc.program.registers import Register
from sim.bus.axi import Unsuffixed
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, bursty, never

# From the start pulse, the cycle from which on `done_i` and `error_i` belong to the new run.
SETTLE_CYCLES = 3
_CORES = int(os.environ["CORES"])
_INPUTS = ("done", "error", "tiles_done", "engine_busy", "engine_starved", "engine_blocked")


class Host:
    """A host on the control port, with pauses on every channel."""

    def __init__(self, dut: Any, pauses: Callable[[], Pauses]) -> None:
        bus = AxiLiteBus.from_prefix(Unsuffixed(dut), "s_axi_ctrl")
        self._master = AxiLiteMaster(bus, dut.clk_i, dut.rst_ni, reset_active_level=False)
        write, read = self._master.write_if, self._master.read_if
        for channel in (
            write.aw_channel,
            write.w_channel,
            write.b_channel,
            read.ar_channel,
            read.r_channel,
        ):
            channel.set_pause_generator(pauses())

    async def write(self, register: int, value: int) -> None:
        """Writes a 32-bit register."""
        await self._master.write_dword(register, value)

    async def read(self, register: int) -> int:
        """Reads a 32-bit register."""
        return int(await self._master.read_dword(register))


async def _start(dut: Any, pauses: Callable[[], Pauses]) -> Host:
    start_clock(dut)
    for name in _INPUTS:
        getattr(dut, f"{name}_i").value = 0
    host = Host(dut, pauses)
    await reset(dut)
    return host


async def _start_run(dut: Any, host: Host) -> None:
    """Starts a run; returns in the cycle of the start pulse."""
    write = cocotb.start_soon(host.write(Register.CONTROL, 1))
    while True:
        await RisingEdge(dut.clk_i)
        if dut.start_o.value == 1:
            break
    await write


async def _measure(dut: Any) -> int:
    """Cycles from the start pulse to the first cycle in which the end counts."""
    while dut.start_o.value == 0:
        await RisingEdge(dut.clk_i)
    cycles = 0
    while cycles < SETTLE_CYCLES or dut.done_i.value == 0:
        await RisingEdge(dut.clk_i)
        cycles += 1
    return cycles


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pauses=[never, bursty])
async def registers_hold_what_is_written(dut: Any, pauses: Callable[[], Pauses]) -> None:
    host = await _start(dut, pauses)
    widths = {
        Register.BASE_LOW: 32,
        Register.BASE_HIGH: 32,
        Register.PROGRAM_LOW: 32,
        Register.PROGRAM_HIGH: 8,
        Register.PROGRAM_BEATS: 24,
        Register.IRQ_ENABLE: 1,
    }
    values = {register: random.getrandbits(32) for register in widths}
    for register, value in values.items():
        await host.write(register, value)
    for register, width in widths.items():
        assert await host.read(register) == values[register] & ((1 << width) - 1)
    high, low = values[Register.BASE_HIGH], values[Register.BASE_LOW]
    assert int(dut.base_o.value) == high << 32 | low
    high, low = values[Register.PROGRAM_HIGH] & 0xFF, values[Register.PROGRAM_LOW]
    assert int(dut.program_addr_o.value) == high << 32 | low
    assert int(dut.program_beats_o.value) == values[Register.PROGRAM_BEATS] & 0xFFFFFF
    assert await host.read(Register.VERSION) == 0x00010000
    m, p, n, packed = (int(os.environ[name]) for name in ("M", "P", "N", "PACKED"))
    assert await host.read(Register.ARRAY) == m | n << 12 | p << 20 | packed << 31
    for unlisted in (0x34, 0x38, 0x3C, 0x78, 0x7C):
        await host.write(unlisted, random.getrandbits(32))
        assert await host.read(unlisted) == 0
    assert await host.read(Register.VERSION + 0x80) == 0x00010000
    tiles = random.getrandbits(32)
    dut.tiles_done_i.value = tiles
    assert await host.read(Register.TILES_DONE) == tiles


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pauses=[never, bursty])
async def a_run_counts_and_ends(dut: Any, pauses: Callable[[], Pauses]) -> None:
    host = await _start(dut, pauses)
    await host.write(Register.IRQ_ENABLE, 1)
    for done_before in (0, 1):
        # A core that still shows the end of the run before does not end the new one.
        dut.done_i.value = done_before
        measured = cocotb.start_soon(_measure(dut))
        await _start_run(dut, host)
        await FallingEdge(dut.clk_i)
        dut.done_i.value = 0
        assert await host.read(Register.STATUS) == 1
        await host.write(Register.CONTROL, 1)
        counts = [[0] * 3 for _ in range(4)]
        await FallingEdge(dut.clk_i)
        for _ in range(50):
            unseen = (1 << 4 * _CORES) - 1
            # Of several at once the last one alone counts.
            for kind, name in reversed(list(enumerate(("busy", "starved", "blocked")))):
                bits = random.getrandbits(4 * _CORES)
                getattr(dut, f"engine_{name}_i").value = bits
                for bit in range(4 * _CORES):
                    counts[bit % 4][kind] += (bits & unseen) >> bit & 1
                unseen &= ~bits
            await FallingEdge(dut.clk_i)
            assert dut.start_o.value == 0, "started while a run is under way"
        for name in ("busy", "starved", "blocked"):
            getattr(dut, f"engine_{name}_i").value = 0
        assert dut.interrupt_o.value == 0
        dut.done_i.value = 1
        while dut.interrupt_o.value == 0:
            await FallingEdge(dut.clk_i)
        assert await host.read(Register.STATUS) == 2
        assert await host.read(Register.IRQ_STATUS) == 1
        await host.write(Register.IRQ_STATUS, 1)
        assert dut.interrupt_o.value == 0
        for engine in range(4):
            for kind in range(3):
                register = Register.ENGINE0_BUSY + 12 * engine + 4 * kind
                assert await host.read(register) == counts[engine][kind]
        cycles = await measured
        assert cycles >= 50
        assert await host.read(Register.CYCLES_LOW) == cycles
        assert await host.read(Register.CYCLES_LOW) == cycles, "counts after the end"
        assert await host.read(Register.CYCLES_HIGH) == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def the_first_error_stays(dut: Any) -> None:
    host = await _start(dut, never)
    for bit in range(4):
        await _start_run(dut, host)
        dut.done_i.value = 0
        for _ in range(4):
            await FallingEdge(dut.clk_i)
        assert await host.read(Register.ERROR) == 0
        for error in (bit, (bit + 1) % 4):
            await FallingEdge(dut.clk_i)
            dut.error_i.value = 1 << error
            await FallingEdge(dut.clk_i)
            dut.error_i.value = 0
        assert await host.read(Register.ERROR) == bit + 1
        assert await host.read(Register.STATUS) == 5
        dut.done_i.value = 1
        await FallingEdge(dut.clk_i)
        assert await host.read(Register.STATUS) == 6


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def errors_count_only_within_a_run(dut: Any) -> None:
    """Errors before a run or of the one before do not count; one in the last cycle does."""
    host = await _start(dut, never)
    dut.error_i.value = 0b1111
    await host.read(Register.STATUS)
    assert await host.read(Register.ERROR) == 0
    for code, errors in ((2, 0b1010), (1, 0b1111), (4, 0b1000), (3, 0b1100)):
        start = cocotb.start_soon(_start_run(dut, host))
        while dut.start_o.value == 0:
            await FallingEdge(dut.clk_i)
        for _ in range(SETTLE_CYCLES):
            dut.done_i.value, dut.error_i.value = 1, 0b1111
            await FallingEdge(dut.clk_i)
        dut.done_i.value, dut.error_i.value = 0, 0
        await start
        assert await host.read(Register.ERROR) == 0
        assert await host.read(Register.STATUS) == 1
        await FallingEdge(dut.clk_i)
        dut.done_i.value, dut.error_i.value = 1, errors
        await FallingEdge(dut.clk_i)
        dut.error_i.value = 0b0001
        assert await host.read(Register.ERROR) == code
        assert await host.read(Register.STATUS) == 6


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def counters_stop_rather_than_pass_the_largest_number(dut: Any) -> None:
    host = await _start(dut, never)
    await _start_run(dut, host)
    for _ in range(SETTLE_CYCLES):
        await FallingEdge(dut.clk_i)
    full = (1 << 32) - 1
    nearly_full = full - 3 * _CORES - (_CORES - 1)
    dut.count_q.value = sum(nearly_full << 32 * counter for counter in range(12))
    await FallingEdge(dut.clk_i)
    every_core = sum(1 << 4 * core for core in range(_CORES))
    for name, engines in (("busy", 0b1010), ("starved", 0b0101), ("blocked", 0b0000)):
        getattr(dut, f"engine_{name}_i").value = engines * every_core
    for _ in range(10):
        await FallingEdge(dut.clk_i)
    for engine in range(4):
        registers = [Register.ENGINE0_BUSY + 12 * engine + 4 * kind for kind in range(3)]
        # Another step of all cores would pass it.
        last = full - (_CORES - 1)
        busy, starved = (nearly_full, last) if engine in (0, 2) else (last, nearly_full)
        expected = [busy, starved, nearly_full]
        assert [await host.read(register) for register in registers] == expected


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def the_interrupt_follows_its_enable(dut: Any) -> None:
    """The end of a run is noted while the interrupt is off, and raises it once it is on."""
    host = await _start(dut, bursty)
    await host.write(Register.CONTROL, 1)
    assert await host.read(Register.STATUS) == 1
    for _ in range(SETTLE_CYCLES):
        await FallingEdge(dut.clk_i)
    dut.done_i.value = 1
    while await host.read(Register.STATUS) != 2:
        await FallingEdge(dut.clk_i)
    assert dut.interrupt_o.value == 0
    assert await host.read(Register.IRQ_STATUS) == 1
    await host.write(Register.IRQ_STATUS, 0)
    await host.write(Register.IRQ_ENABLE, 1)
    await FallingEdge(dut.clk_i)
    assert dut.interrupt_o.value == 1
    await host.write(Register.IRQ_ENABLE, 0)
    await FallingEdge(dut.clk_i)
    assert dut.interrupt_o.value == 0
    assert await host.read(Register.IRQ_STATUS) == 1
    await host.write(Register.IRQ_STATUS, 1)
    assert await host.read(Register.IRQ_STATUS) == 0

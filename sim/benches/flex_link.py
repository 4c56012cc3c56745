# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_link: the host's own code at the pins of the line, memory and registers behind.

What is written comes back, byte by byte, also over a line that loses and bends bytes.
"""

import logging
import os
import random
from binascii import crc_hqx
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.task import bridge
from cocotb.triggers import RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteRam, AxiRam

from flexcc.host.link import Hello, Link, LinkError
from flexcc.host.serial_port import SerialPort
from sim.bus.axi_ports import MasterPorts
from sim.bus.clock import reset, start_clock
from sim.bus.serial_line import SerialLine
from sim.bus.stream import Pauses, bursty, never

CLOCKS_PER_BIT = int(os.environ["CLOCKS_PER_BIT"])
GAP_CYCLES = int(os.environ["GAP_CYCLES"])
MEMORY_BYTES = int(os.environ["MEMORY_BYTES"])
BEAT = 8
BYTE_S = CLOCKS_PER_BIT * 4e-9 * 10


class Bench:
    """A link, the other end of its line, and what it acts on."""

    def __init__(self, dut: Any, pauses: Callable[[], Pauses], **line: float) -> None:
        self.dut = dut
        self.line = SerialLine(dut, CLOCKS_PER_BIT, **line)
        ports = MasterPorts(dut, "mem", BEAT)
        self.memory = AxiRam(
            AxiBus.from_prefix(ports, "mem"), dut.clk_i, dut.rst_ni, False, size=MEMORY_BYTES
        )
        registers = AxiLiteBus.from_prefix(MasterPorts(dut, "reg", 4), "reg")
        self.registers = AxiLiteRam(registers, dut.clk_i, dut.rst_ni, False, size=256)
        for side in (self.memory, self.registers):
            for channel in (
                side.read_if.ar_channel,
                side.read_if.r_channel,
                side.write_if.aw_channel,
                side.write_if.w_channel,
                side.write_if.b_channel,
            ):
                channel.set_pause_generator(pauses())
        for side in (self.memory, self.registers):
            for part in (side.read_if, side.write_if):
                part.log.setLevel(logging.WARNING)
        self.writes = 0
        cocotb.start_soon(self._count_writes())

    async def start(self) -> Link:
        """Resets the module; the host's side of its line."""
        await reset(self.dut)
        return Link(self.line, timeout_s=40 * BYTE_S, gap_s=GAP_CYCLES * 5e-9, attempts=12)

    async def _count_writes(self) -> None:
        """Register writes that are carried out."""
        while True:
            await RisingEdge(self.dut.clk_i)
            if self.dut.reg_bvalid_i.value == 1 and self.dut.reg_bready_o.value == 1:
                self.writes += 1


def contents(size: int) -> bytes:
    return np.random.default_rng(random.getrandbits(32)).bytes(size)


def write_and_read(link: Link, pieces: list[tuple[int, bytes]], registers: dict[int, int]) -> None:
    """Writes everything, then reads and compares it; runs in a thread."""
    assert link.hello() == Hello(version=1, memory_bytes=MEMORY_BYTES)
    for address, data in pieces:
        link.write_memory(address, data)
    for register, value in registers.items():
        link.write_register(register, value)
    for address, data in pieces:
        assert link.read_memory(address, len(data)) == data, f"{len(data)} bytes at {address:#x}"
    for register, value in registers.items():
        assert link.read_register(register) == value


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize((("pauses", "skew"), [(never, 0.02), (bursty, -0.02)]))
async def carries_out_what_the_host_asks(
    dut: Any, pauses: Callable[[], Pauses], skew: float
) -> None:
    start_clock(dut)
    bench = Bench(dut, pauses, skew=skew)
    link = await bench.start()
    pieces = [(0, contents(8)), (512, contents(600)), (4096 - 24, contents(48))]
    registers = {0x00: 1, 0x24: random.getrandbits(32), 0xFC: 0xFFFFFFFF}

    await bridge(write_and_read)(link, pieces, registers)

    for address, data in pieces:
        assert bench.memory.read(address, len(data)) == data
    for register, value in registers.items():
        assert bench.registers.read_dword(register) == value
    assert link.repeated == 0
    assert bench.writes == len(registers)


@cocotb.test(timeout_time=200, timeout_unit="ms")
@cocotb.parametrize((("pauses", "fault"), [(never, "lost"), (bursty, "bent")]))
async def survives_a_bad_line(dut: Any, pauses: Callable[[], Pauses], fault: str) -> None:
    start_clock(dut)
    bench = Bench(dut, pauses, **{fault: 0.008})
    link = await bench.start()
    before = bench.memory.read(0, MEMORY_BYTES)
    pieces = [(8 * i, contents(64)) for i in range(0, 64, 8)]
    registers = {4 * i: random.getrandbits(32) for i in range(10)}

    await bridge(write_and_read)(link, pieces, registers)

    assert bench.line.faults > 0
    assert link.repeated > 0
    # A write whose reply was lost has been carried out once, and nothing else was written.
    assert bench.writes == len(registers)
    after = bytearray(before)
    for address, data in pieces:
        after[address : address + len(data)] = data
    assert bench.memory.read(0, MEMORY_BYTES) == bytes(after)


def refused(link: Link, action: str, *arguments: Any) -> str:
    try:
        getattr(link, action)(*arguments)
    except LinkError as error:
        return str(error)
    raise AssertionError(f"{action}{arguments} was carried out")


def ask_for_too_much(link: Link) -> list[str]:
    texts = [
        refused(link, "read_register", 0x100),
        refused(link, "write_register", 0x102, 1),
    ]
    # All goes on as before.
    link.write_memory(0, bytes(range(8)))
    assert link.read_memory(0, 8) == bytes(range(8))
    return texts


@cocotb.test()
async def serves_a_serial_device(dut: Any) -> None:
    """The host's own port in place of the line: bytes take the way through the system."""
    start_clock(dut)
    bench = Bench(dut, never)
    await bench.start()
    data, word = contents(MEMORY_BYTES), random.getrandbits(32)

    def use(path: Path) -> None:
        with SerialPort(path, 3_000_000) as port:
            # Simulated bytes take longer than real ones.
            link = Link(port, timeout_s=60.0)
            write_and_read(link, [(0, data)], {64: word})
            assert link.repeated == 0

    await bench.line.host(use)
    assert bench.memory.read(0, MEMORY_BYTES) == data
    assert bench.writes == 1


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def refuses_what_it_cannot_do(dut: Any) -> None:
    start_clock(dut)
    bench = Bench(dut, never)
    link = await bench.start()

    texts = await bridge(ask_for_too_much)(link)

    assert all("refused" in text for text in texts), texts


def frame(body: bytes) -> bytes:
    return b"\xa5" + body + crc_hqx(body, 0xFFFF).to_bytes(2, "big")


def garbage() -> Iterator[bytes]:
    """What is no request: noise, wrong lengths, a wrong CRC, half a frame."""
    yield random.randbytes(100)
    yield frame(bytes([2, 1, 0, 0, 0, 0, 0]))
    yield frame(bytes([2, 1, 65, 0, 0, 0, 0]))
    yield frame(bytes([2, 1, 1, 0, 0, 0, 0]) + bytes(8))[:-1] + b"\x00"
    yield frame(bytes([2, 1, 1, 0, 0, 0, 0]) + bytes(8))[:9]
    yield from chain.from_iterable(repeat((b"\xa5",), 3))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def ignores_garbage(dut: Any) -> None:
    start_clock(dut)
    bench = Bench(dut, never)
    link = await bench.start()
    data = contents(MEMORY_BYTES)
    bench.memory.write(0, data)
    for piece in garbage():
        await bench.line.send(piece)
        await bench.line.glitch(4)
        await Timer(GAP_CYCLES * 5, "ns")

        registers = {8: random.getrandbits(32)}
        await bridge(write_and_read)(link, [], registers)

    assert bench.memory.read(0, MEMORY_BYTES) == data

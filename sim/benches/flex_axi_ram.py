# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_axi_ram: an independent master reads and writes at random, against an array."""

import logging
import os
import random
from collections.abc import Callable
from typing import Any

import cocotb
from cocotbext.axi import AxiBus, AxiMaster, AxiResp

from sim.bus.axi_ports import SlavePorts
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamMonitor, StreamSink, StreamSource, bursty, never

DATA_BYTES = int(os.environ["DATA_BYTES"])
WORDS = int(os.environ["WORDS"])
SIZE = DATA_BYTES * WORDS
READ = ("id", "data", "resp", "last")


def _master(dut: Any, pauses: Callable[[], Pauses]) -> AxiMaster:
    bus = AxiBus.from_prefix(SlavePorts(dut, "s_axi", DATA_BYTES), "s_axi")
    master = AxiMaster(bus, dut.clk_i, dut.rst_ni, False)
    # The module has no write IDs: all are the same.
    master.write_if.id_count = 1
    for part in (master.read_if, master.write_if):
        part.log.setLevel(logging.WARNING)
    for channel in (
        master.read_if.ar_channel,
        master.read_if.r_channel,
        master.write_if.aw_channel,
        master.write_if.w_channel,
        master.write_if.b_channel,
    ):
        channel.set_pause_generator(pauses())
    return master


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(pauses=[never, bursty])
async def reads_what_was_written(dut: Any, pauses: Callable[[], Pauses]) -> None:
    start_clock(dut)
    master = _master(dut, pauses)
    await reset(dut)
    expected = bytearray(random.randbytes(SIZE))
    await master.write(0, bytes(expected))
    for _ in range(60):
        size = random.choice([1, DATA_BYTES, random.randint(1, 400)])
        address = random.randrange(SIZE - size) // DATA_BYTES * DATA_BYTES
        if random.random() < 0.5:
            # The last beat of a write is partial.
            data = random.randbytes(size)
            answer = await master.write(address, data)
            expected[address : address + size] = data
        else:
            answer = await master.read(address, size)
            assert answer.data == bytes(expected[address : address + size])
        assert answer.resp == AxiResp.OKAY
    assert (await master.read(0, SIZE)).data == bytes(expected)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def answers_beyond_its_end(dut: Any) -> None:
    """With an error, and nothing is written."""
    start_clock(dut)
    master = _master(dut, never)
    await reset(dut)
    content = random.randbytes(SIZE)
    await master.write(0, content)
    for address in (SIZE, SIZE - DATA_BYTES, 1 << 40, 1 << 32):
        size = 2 * DATA_BYTES
        assert (await master.read(address, size)).resp == AxiResp.DECERR
        assert (await master.write(address, bytes(size))).resp == AxiResp.DECERR
    assert (await master.read(0, SIZE)).data == content


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def moves_a_beat_per_cycle(dut: Any) -> None:
    """Within a burst; the first beat four cycles after its address, the next burst right after."""
    start_clock(dut)
    bursts = 4
    addresses = StreamSource(dut, "s_axi_ar", fields=("id", "addr", "len"), separator="")
    beats = StreamMonitor(dut, "s_axi_r", fields=READ, separator="")
    asked = StreamMonitor(dut, "s_axi_ar", fields=("id", "addr", "len"), separator="")
    sink = StreamSink(dut, "s_axi_r", fields=READ, separator="")
    dut.s_axi_awvalid_i.value = 0
    dut.s_axi_wvalid_i.value = 0
    dut.s_axi_bready_i.value = 1
    await reset(dut)
    cocotb.start_soon(addresses.send([{"id": i, "addr": 0, "len": 15} for i in range(bursts)]))
    words = await sink.receive(16 * bursts)
    assert [word["id"] for word in words] == [i for i in range(bursts) for _ in range(16)]
    assert [word["last"] for word in words] == [int(i % 16 == 15) for i in range(16 * bursts)]
    await beats.wait_for(16 * bursts)
    assert beats.cycles[0] - asked.cycles[0] == 4
    # One cycle between bursts, in which the next address is taken.
    assert beats.cycles[-1] - beats.cycles[0] == 16 * bursts - 1 + bursts - 1

# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_axi_write_mux: every burst arrives whole, each master gets its own responses.

Bursts carry the number of their master in address and data; the memory answers with a response
that follows from the address.
"""

import os
import random
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import Combine, RisingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamMonitor, StreamSink, bursty, mostly_paused, never

PORTS = int(os.environ["PORTS"])
DATA_BYTES = int(os.environ["DATA_BYTES"])
BURSTS = 30
BITS = 8 * DATA_BYTES


class Masters:
    """All masters, each one burst after the other: address, beats, response."""

    def __init__(self, dut: Any, pauses: Callable[[], Pauses]) -> None:
        self.dut, self.pauses = dut, [pauses() for _ in range(PORTS)]
        self.addr, self.len = [0] * PORTS, [0] * PORTS
        self.data, self.strb = [0] * PORTS, [0] * PORTS
        self.awvalid, self.wvalid, self.last, self.bready = 0, 0, 0, 0
        self.ended: list[list[int]] = [[] for _ in range(PORTS)]
        self.sent: dict[int, list[tuple[int, int, int]]] = {}
        self._drive()

    async def run(self, port: int) -> None:
        """Sends the bursts of a master and collects their responses."""
        for number in range(BURSTS):
            address = (number * PORTS + port) * 4096
            beats = random.choice([1, 2, 16])
            self.sent[address] = [
                (random.getrandbits(BITS), random.getrandbits(DATA_BYTES), int(i == beats - 1))
                for i in range(beats)
            ]
            self.addr[port], self.len[port] = address, beats - 1
            self.awvalid |= 1 << port
            await self._edge_with("in_awready_o", port)
            self.awvalid &= ~(1 << port)
            for data, strobes, last in self.sent[address]:
                while next(self.pauses[port]):
                    await self._edge()
                self.data[port], self.strb[port] = data, strobes
                self.last = self.last & ~(1 << port) | last << port
                self.wvalid |= 1 << port
                await self._edge_with("in_wready_o", port)
                self.wvalid &= ~(1 << port)
            while next(self.pauses[port]):
                await self._edge()
            self.bready |= 1 << port
            await self._edge_with("in_bvalid_o", port)
            self.ended[port].append(int(self.dut.in_bresp_o.value))
            self.bready &= ~(1 << port)

    async def _edge(self) -> None:
        self._drive()
        await RisingEdge(self.dut.clk_i)

    async def _edge_with(self, name: str, port: int) -> None:
        """Returns at the first edge that finds the port's bit set."""
        await self._edge()
        while not int(getattr(self.dut, name).value) >> port & 1:
            await self._edge()
        # Taken: what comes next is driven from here on.
        self._drive()

    def _drive(self) -> None:
        dut = self.dut
        dut.in_awaddr_i.value = _packed(self.addr, 64)
        dut.in_awlen_i.value = _packed(self.len, 8)
        dut.in_wdata_i.value = _packed(self.data, BITS)
        dut.in_wstrb_i.value = _packed(self.strb, DATA_BYTES)
        dut.in_awvalid_i.value = self.awvalid
        dut.in_wvalid_i.value = self.wvalid
        dut.in_wlast_i.value = self.last
        dut.in_bready_i.value = self.bready


def _packed(values: list[int], width: int) -> int:
    return sum(value << width * i for i, value in enumerate(values))


def _response(address: int) -> int:
    return address // 4096 % 4


class Memory:
    """Takes bursts one by one and keeps what they bring."""

    def __init__(self, dut: Any, pauses: Callable[[], Pauses]) -> None:
        self.dut = dut
        self.addresses = StreamSink(dut, "axi_aw", pauses(), fields=("addr", "len"), separator="")
        fields = ("data", "strb", "last")
        self.beats = StreamSink(dut, "axi_w", pauses(), fields=fields, separator="")
        StreamMonitor(dut, "axi_aw", fields=("addr", "len"), separator="")
        StreamMonitor(dut, "axi_w", fields=fields, separator="")
        self.bursts: list[tuple[int, list[tuple[int, int, int]]]] = []
        dut.axi_bvalid_i.value = 0

    async def serve(self) -> None:
        """Takes bursts for ever."""
        while True:
            [word] = await self.addresses.receive(1)
            beats = await self.beats.receive(word["len"] + 1)
            self.bursts.append((word["addr"], [(b["data"], b["strb"], b["last"]) for b in beats]))
            self.dut.axi_bresp_i.value = _response(word["addr"])
            self.dut.axi_bvalid_i.value = 1
            await RisingEdge(self.dut.clk_i)
            while self.dut.axi_bready_o.value != 1:
                await RisingEdge(self.dut.clk_i)
            self.dut.axi_bvalid_i.value = 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(send=[never, bursty], take=[never, mostly_paused])
async def joins_whole_bursts(
    dut: Any, send: Callable[[], Pauses], take: Callable[[], Pauses]
) -> None:
    start_clock(dut)
    masters, memory = Masters(dut, send), Memory(dut, take)
    await reset(dut)
    cocotb.start_soon(memory.serve())

    await Combine(*(cocotb.start_soon(masters.run(port)) for port in range(PORTS)))

    assert dict(memory.bursts) == masters.sent
    for port in range(PORTS):
        own = [(number * PORTS + port) * 4096 for number in range(BURSTS)]
        assert [address for address, _ in memory.bursts if address in own] == own
        assert masters.ended[port] == [_response(address) for address in own]
    if take is never and send is never:
        # Who waits is served before any other is served twice.
        order = [address // 4096 % PORTS for address, _ in memory.bursts]
        assert all(len(set(order[i : i + PORTS])) == PORTS for i in range(0, BURSTS, PORTS))

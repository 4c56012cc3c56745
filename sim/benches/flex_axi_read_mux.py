# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_axi_read_mux: every master gets its own beats, in order, and its share of the port.

The memory is cocotbext-axi, or one that mixes the beats of different masters at random.
"""

import os
import random
from collections import deque
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import Event, FallingEdge, RisingEdge
from cocotbext.axi import AxiReadBus, AxiSlaveRead

from sim.bus.axi_ports import MasterPorts
from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, StreamMonitor, bursty, mostly_paused, never

DATA_BYTES = int(os.environ["DATA_BYTES"])
PORTS = int(os.environ["PORTS"])
PAGE = 4096
ADDRESS = ("id", "addr", "len")


def _beat(address: int) -> int:
    return random.Random(address).getrandbits(8 * DATA_BYTES)


class Memory:
    """What cocotbext-axi reads from: every beat holds a value of its own."""

    async def read(self, address: int, length: int) -> bytes:
        """The beat at `address`."""
        assert length == DATA_BYTES
        return _beat(address).to_bytes(length, "little")


class Masters:
    """All masters: each sends its own bursts and collects the beats that come back."""

    def __init__(
        self, dut: Any, bursts: int, send: Callable[[], Pauses], take: Callable[[], Pauses]
    ) -> None:
        self._dut = dut
        self.bursts = [[_random_burst() for _ in range(bursts)] for _ in range(PORTS)]
        self.beats: list[list[tuple[int, int]]] = [[] for _ in range(PORTS)]
        self._changed = Event()
        self._send = [send() for _ in range(PORTS)]
        self._take = [take() for _ in range(PORTS)]
        dut.in_arvalid_i.value = 0
        dut.in_rready_i.value = 0

    def start(self) -> None:
        """Begins to send and to collect."""
        cocotb.start_soon(self._send_bursts())
        cocotb.start_soon(self._collect())

    def expected(self, port: int) -> list[tuple[int, int]]:
        """Data and last mark of every beat that the master of `port` has asked for."""
        return [
            (_beat(address + i * DATA_BYTES), int(i == length))
            for address, length in self.bursts[port]
            for i in range(length + 1)
        ]

    async def check(self) -> None:
        """Returns when every master has got exactly what it asked for."""
        expected = [self.expected(port) for port in range(PORTS)]
        while any(len(got) < len(want) for got, want in zip(self.beats, expected, strict=True)):
            self._changed.clear()
            await self._changed.wait()
        assert self.beats == expected

    async def _send_bursts(self) -> None:
        dut = self._dut
        waiting = [deque(bursts) for bursts in self.bursts]
        offered = [False] * PORTS
        while any(waiting):
            valid, addresses, lengths = 0, 0, 0
            for port in range(PORTS):
                pause = next(self._send[port])
                offered[port] = bool(waiting[port]) and (offered[port] or not pause)
                address, length = waiting[port][0] if offered[port] else _random_burst()
                valid |= offered[port] << port
                addresses |= address << 64 * port
                lengths |= length << 8 * port
            dut.in_arvalid_i.value = valid
            dut.in_araddr_i.value = addresses
            dut.in_arlen_i.value = lengths
            await RisingEdge(dut.clk_i)
            taken = int(dut.in_arready_o.value) & valid
            for port in range(PORTS):
                if taken >> port & 1:
                    waiting[port].popleft()
                    offered[port] = False
            await FallingEdge(dut.clk_i)
        dut.in_arvalid_i.value = 0

    async def _collect(self) -> None:
        dut = self._dut
        while True:
            dut.in_rready_i.value = sum(
                (not next(self._take[port])) << port for port in range(PORTS)
            )
            await RisingEdge(dut.clk_i)
            passing = int(dut.in_rvalid_o.value) & int(dut.in_rready_i.value)
            for port in range(PORTS):
                if passing >> port & 1:
                    assert dut.axi_rready_o.value == 1
                    beat = (int(dut.in_rdata_o.value), int(dut.in_rlast_o.value))
                    assert int(dut.in_rresp_o.value) == 0
                    self.beats[port].append(beat)
                    self._changed.set()
            await FallingEdge(dut.clk_i)


def _random_burst() -> tuple[int, int]:
    """Address and beats - 1 of a burst within a page."""
    length = random.choice([0, 1, random.randrange(8), random.randrange(32)])
    first = random.randrange(PAGE // DATA_BYTES - length)
    return random.getrandbits(52) * PAGE + first * DATA_BYTES, length


@cocotb.test(timeout_time=2000, timeout_unit="us")
@cocotb.parametrize(
    send_pauses=[never, bursty], port_pauses=[never, bursty], take_pauses=[never, bursty]
)
async def gives_every_master_its_beats(
    dut: Any, send_pauses: Any, port_pauses: Any, take_pauses: Any
) -> None:
    start_clock(dut)
    masters = Masters(dut, 15, send_pauses, take_pauses)
    bus = AxiReadBus.from_prefix(MasterPorts(dut, "axi", DATA_BYTES), "axi")
    slave = AxiSlaveRead(bus, dut.clk_i, dut.rst_ni, target=Memory(), reset_active_level=False)
    slave.ar_channel.set_pause_generator(port_pauses())
    slave.r_channel.set_pause_generator(port_pauses())
    StreamMonitor(dut, "axi_ar", fields=ADDRESS, separator="")
    await reset(dut)
    masters.start()

    await masters.check()


async def _mix_responses(dut: Any, pauses: Pauses) -> None:
    """A memory that answers the masters in any order, beat by beat."""
    queues: list[deque[tuple[int, int]]] = [deque() for _ in range(PORTS)]
    dut.axi_arready_i.value = 1
    dut.axi_rvalid_i.value = 0
    dut.axi_rid_i.value = 0
    dut.axi_rresp_i.value = 0
    offered = False
    while True:
        await RisingEdge(dut.clk_i)
        if offered and dut.axi_rready_o.value == 1:
            offered = False
        if dut.axi_arvalid_o.value == 1:
            address, length = int(dut.axi_araddr_o.value), int(dut.axi_arlen_o.value)
            queues[int(dut.axi_arid_o.value)].extend(
                (_beat(address + i * DATA_BYTES), int(i == length)) for i in range(length + 1)
            )
        await FallingEdge(dut.clk_i)
        filled = [port for port in range(PORTS) if queues[port]]
        if not offered and filled and not next(pauses):
            port = random.choice(filled)
            data, last = queues[port].popleft()
            dut.axi_rid_i.value = port
            dut.axi_rdata_i.value = data
            dut.axi_rlast_i.value = last
            offered = True
        dut.axi_rvalid_i.value = int(offered)


@cocotb.test(timeout_time=2000, timeout_unit="us")
@cocotb.parametrize(take_pauses=[never, bursty, mostly_paused])
async def sorts_mixed_beats(dut: Any, take_pauses: Any) -> None:
    start_clock(dut)
    masters = Masters(dut, 10, never, take_pauses)
    cocotb.start_soon(_mix_responses(dut, bursty()))
    await reset(dut)
    masters.start()

    await masters.check()


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def serves_all_in_turn_without_a_gap(dut: Any) -> None:
    """When all masters always ask, an address goes out every cycle and all have equal shares."""
    start_clock(dut)
    masters = Masters(dut, 20, never, never)
    cocotb.start_soon(_mix_responses(dut, never()))
    port = StreamMonitor(dut, "axi_ar", fields=ADDRESS, separator="")
    await reset(dut)
    masters.start()

    addresses = await port.wait_for(20 * PORTS)
    assert port.cycles[-1] - port.cycles[0] == len(addresses) - 1
    assert [address["id"] for address in addresses] == list(range(PORTS)) * 20
    await masters.check()

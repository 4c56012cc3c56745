# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_axi_read.

Order and protocol are proved against cocotbext-axi, the rate against a pipelined memory of fixed
latency.
"""

import itertools
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.axi import AxiReadBus, AxiSlaveRead

from sim.bus.axi_ports import MasterPorts
from sim.bus.clock import reset, start_clock
from sim.bus.stream import (
    Pauses,
    StreamMonitor,
    StreamSink,
    StreamSource,
    bursty,
    mostly_paused,
    never,
)

DATA_BYTES = int(os.environ["DATA_BYTES"])
MAX_BURST = int(os.environ["MAX_BURST"])
FIFO_BEATS = int(os.environ["FIFO_BEATS"])
PAGE = 4096
REQUEST = ("addr", "beats")
ADDRESS = ("addr", "len")
# Beyond the first gigabyte: carries from the offset into the upper half of the base are seen.
SPAN = 1 << 30


class Memory:
    """An endless memory in which every beat holds a value of its own; some beats cannot be read."""

    def __init__(self) -> None:
        self.base = random.getrandbits(33) << 30 | random.getrandbits(20) * DATA_BYTES
        self.bad: set[int] = set()

    def beat(self, address: int) -> int:
        """The beat at absolute `address`."""
        return random.Random(address).getrandbits(8 * DATA_BYTES)

    async def read(self, address: int, length: int) -> bytes:
        """What cocotbext-axi calls; raises for a bad beat, which it answers with an error."""
        assert length == DATA_BYTES
        if address in self.bad:
            raise ValueError("bad beat")
        return self.beat(address).to_bytes(length, "little")

    def addresses(self, requests: list[dict[str, int]]) -> list[int]:
        """Absolute addresses of all beats of `requests`."""
        return [
            self.base + request["addr"] + beat * DATA_BYTES
            for request in requests
            for beat in range(request["beats"])
        ]

    def beats(self, requests: list[dict[str, int]]) -> list[int]:
        """All beats of `requests`."""
        return [self.beat(address) for address in self.addresses(requests)]


def _random_request(beats: int | None = None) -> dict[str, int]:
    address = random.randrange(SPAN) // DATA_BYTES * DATA_BYTES
    if random.random() < 0.3:
        # Just before the end of a page.
        address |= (PAGE - random.choice([1, 2, 3]) * DATA_BYTES) % PAGE
    if beats is None:
        beats = random.choice([1, 2, random.randint(1, MAX_BURST), random.randint(1, 150)])
    return {"addr": address, "beats": beats}


class Bench:
    """A running engine on a memory of cocotbext-axi, with its streams."""

    def __init__(self, dut: Any, **pauses: Callable[[], Pauses]) -> None:
        self.dut = dut
        self.memory = Memory()
        self.source = StreamSource(dut, "req", _pauses(pauses, "request"), fields=REQUEST)
        self.sink = StreamSink(dut, "data", _pauses(pauses, "data"))
        self.errors = 0
        dut.base_i.value = self.memory.base
        dut.halt_i.value = 0
        bus = AxiReadBus.from_prefix(MasterPorts(dut, "axi", DATA_BYTES), "axi")
        self._slave = AxiSlaveRead(
            bus, dut.clk_i, dut.rst_ni, target=self.memory, reset_active_level=False
        )
        self._slave.ar_channel.set_pause_generator(_pauses(pauses, "address"))
        self._slave.r_channel.set_pause_generator(_pauses(pauses, "response"))
        self.addresses = StreamMonitor(dut, "axi_ar", fields=ADDRESS, separator="")
        self.output = StreamMonitor(dut, "data")

    async def start(self) -> None:
        """Resets the engine and watches what must always hold."""
        await reset(self.dut)
        cocotb.start_soon(self._watch())

    async def wait_until_idle(self) -> None:
        """Returns when the engine says so."""
        while self.dut.idle_o.value != 1:
            await FallingEdge(self.dut.clk_i)

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk_i)
            assert self.dut.axi_rready_o.value == 1
            self.errors += int(self.dut.error_o.value)


def _pauses(pauses: dict[str, Callable[[], Pauses]], name: str) -> Pauses:
    return pauses.get(name, never)()


@cocotb.test(timeout_time=2000, timeout_unit="us")
@cocotb.parametrize(
    request_pauses=[never, mostly_paused],
    address_pauses=[never, bursty],
    response_pauses=[never, bursty],
    data_pauses=[never, bursty],
)
async def reads_requests_in_order(
    dut: Any,
    request_pauses: Any,
    address_pauses: Any,
    response_pauses: Any,
    data_pauses: Any,
) -> None:
    start_clock(dut)
    bench = Bench(
        dut,
        request=request_pauses,
        address=address_pauses,
        response=response_pauses,
        data=data_pauses,
    )
    await bench.start()

    requests = [_random_request() for _ in range(16)]
    expected = bench.memory.beats(requests)
    cocotb.start_soon(bench.source.send(requests))

    assert await bench.sink.receive(len(expected)) == expected
    await bench.wait_until_idle()
    assert bench.errors == 0


@cocotb.test(timeout_time=2000, timeout_unit="us")
@cocotb.parametrize(data_pauses=[never, bursty])
async def reports_every_bad_beat(dut: Any, data_pauses: Any) -> None:
    """A pulse per bad beat; the beats around it come unharmed, in order."""
    start_clock(dut)
    bench = Bench(dut, data=data_pauses)
    await bench.start()

    requests = [_random_request() for _ in range(12)]
    addresses = bench.memory.addresses(requests)
    bench.memory.bad = set(random.sample(addresses, 20))
    cocotb.start_soon(bench.source.send(requests))

    received = await bench.sink.receive(len(addresses))
    for address, beat in zip(addresses, received, strict=True):
        assert address in bench.memory.bad or beat == bench.memory.beat(address)
    assert bench.errors == sum(address in bench.memory.bad for address in addresses)


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def asks_only_for_what_has_a_place(dut: Any) -> None:
    """While no beat leaves, bursts fill the FIFO as far as whole ones fit, and no further."""
    start_clock(dut)
    bench = Bench(dut)
    await bench.start()

    request = _random_request(3 * FIFO_BEATS + 5)
    cocotb.start_soon(bench.source.send([request]))
    await ClockCycles(dut.clk_i, 4 * FIFO_BEATS + 100)
    asked = sum(burst["len"] + 1 for burst in bench.addresses.words)
    assert FIFO_BEATS - MAX_BURST < asked <= FIFO_BEATS
    assert dut.idle_o.value == 1

    expected = bench.memory.beats([request])
    assert await bench.sink.receive(len(expected)) == expected


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def stands_still_while_halted(dut: Any) -> None:
    """A halt stops addresses at once; what is under way ends, then the engine is idle."""
    start_clock(dut)
    bench = Bench(dut, response=bursty)
    await bench.start()

    requests = [_random_request() for _ in range(40)]
    expected = bench.memory.beats(requests)
    cocotb.start_soon(bench.source.send(requests))
    received = cocotb.start_soon(bench.sink.receive(len(expected)))
    for halt in range(1, 8):
        await bench.addresses.wait_for(4 * halt)
        await FallingEdge(dut.clk_i)
        halted_at = len(bench.addresses.words)
        dut.halt_i.value = 1
        await bench.wait_until_idle()
        stopped = len(bench.addresses.words)
        # Two more may have stood in the register of the port.
        assert stopped <= halted_at + 2
        for _ in range(30):
            await FallingEdge(dut.clk_i)
            assert dut.idle_o.value == 1
        assert len(bench.addresses.words) == stopped
        dut.halt_i.value = 0
    assert len(bench.addresses.words) < len(requests), "the halts came too late to stop anything"

    assert await received == expected


class PipelinedMemory:
    """Answers every address after a fixed latency, a beat per cycle, any number under way."""

    def __init__(self, dut: Any, memory: Memory, latency: int) -> None:
        self._dut, self._memory, self._latency = dut, memory, latency
        dut.axi_arready_i.value = 1
        dut.axi_rvalid_i.value = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut = self._dut
        # Absolute address of each beat, whether it ends its burst, and its earliest cycle.
        queue: list[tuple[int, bool, int]] = []
        for cycle in itertools.count():
            await FallingEdge(dut.clk_i)
            if dut.rst_ni.value == 1 and dut.axi_arvalid_o.value == 1:
                address, beats = int(dut.axi_araddr_o.value), int(dut.axi_arlen_o.value) + 1
                queue += [
                    (address + i * DATA_BYTES, i == beats - 1, cycle + self._latency)
                    for i in range(beats)
                ]
            ready = bool(queue) and queue[0][2] <= cycle
            dut.axi_rvalid_i.value = int(ready)
            dut.axi_rdata_i.value = random.getrandbits(8 * DATA_BYTES)
            dut.axi_rresp_i.value = 0
            if ready:
                address, last, _ = queue.pop(0)
                dut.axi_rdata_i.value = self._memory.beat(address)
                dut.axi_rlast_i.value = int(last)


def _long_requests() -> Iterator[dict[str, int]]:
    while True:
        yield _random_request(random.randint(2 * MAX_BURST, 4 * MAX_BURST))


def _row_requests() -> Iterator[dict[str, int]]:
    while True:
        yield _random_request(random.randint(1, 4))


def _single_beats() -> Iterator[dict[str, int]]:
    while True:
        yield _random_request(1)


@cocotb.test(timeout_time=2000, timeout_unit="us")
@cocotb.parametrize(kind=[_long_requests, _row_requests, _single_beats])
async def reads_a_beat_per_cycle(dut: Any, kind: Any) -> None:
    """Without stalls and with places for the latency no cycle is lost after the first beat."""
    start_clock(dut)
    source, sink = StreamSource(dut, "req", fields=REQUEST), StreamSink(dut, "data")
    memory = Memory()
    latency = FIFO_BEATS - MAX_BURST - 16
    dut.base_i.value = memory.base
    dut.halt_i.value = 0
    PipelinedMemory(dut, memory, latency)
    output = StreamMonitor(dut, "data")
    await reset(dut)

    requests: list[dict[str, int]] = []
    beats = 0
    for request in kind():
        requests.append(request)
        beats += request["beats"]
        if beats >= 4 * FIFO_BEATS:
            break
    cocotb.start_soon(source.send(requests))

    assert await sink.receive(beats) == memory.beats(requests)
    await FallingEdge(dut.clk_i)
    assert output.cycles[-1] - output.cycles[0] == beats - 1

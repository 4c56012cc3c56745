# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_axi_write.

Data, order and protocol are proved against cocotbext-axi, the rate against a memory that takes
everything at once and acknowledges after a fixed latency.
"""

import itertools
import os
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, Event, FallingEdge, RisingEdge
from cocotbext.axi import AxiSlaveWrite, AxiWriteBus

from sim.bus.axi_ports import MasterPorts
from sim.bus.clock import reset, start_clock
from sim.bus.stream import (
    Pauses,
    StreamMonitor,
    StreamSource,
    Word,
    bursty,
    mostly_paused,
    never,
)

DATA_BYTES = int(os.environ["DATA_BYTES"])
MAX_BURST = int(os.environ["MAX_BURST"])
FIFO_BEATS = int(os.environ["FIFO_BEATS"])
MAX_OUTSTANDING = int(os.environ["MAX_OUTSTANDING"])
PAGE = 4096
REQUEST = ("addr", "beats")
DATA = ("data", "strb")
# Beyond the first gigabyte: carries from the offset into the upper half of the base are seen.
SPAN = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Beats of data and strobes from a byte offset."""

    addr: int
    beats: tuple[tuple[int, int], ...]

    def word(self) -> dict[str, int]:
        """As the request stream takes it."""
        return {"addr": self.addr, "beats": len(self.beats)}


class Memory:
    """What cocotbext-axi writes to; bytes of some beats cannot be written."""

    def __init__(self) -> None:
        self.base = random.getrandbits(33) << 30 | random.getrandbits(20) * DATA_BYTES
        self.bytes: dict[int, int] = {}
        self.bad: set[int] = set()

    async def write(self, address: int, data: bytes) -> None:
        """Stores `data`; raises for a bad beat, which cocotbext-axi answers with an error."""
        if address // DATA_BYTES * DATA_BYTES in self.bad:
            raise ValueError("bad beat")
        self.bytes.update(enumerate(data, start=address))

    def addresses(self, requests: list[Request]) -> list[int]:
        """Absolute addresses of all beats of `requests`."""
        return [
            self.base + request.addr + beat * DATA_BYTES
            for request in requests
            for beat in range(len(request.beats))
        ]

    def expected(self, requests: list[Request]) -> dict[int, int]:
        """The bytes that `requests` write, later ones over earlier ones."""
        content: dict[int, int] = {}
        beats = [beat for request in requests for beat in request.beats]
        for address, (data, strobes) in zip(self.addresses(requests), beats, strict=True):
            if address not in self.bad:
                written = data.to_bytes(DATA_BYTES, "little")
                content.update(
                    (address + i, written[i]) for i in range(DATA_BYTES) if strobes >> i & 1
                )
        return content

    def burst_ends(self, request: Request) -> list[int]:
        """The number of beats of `request` that have gone out with each of its bursts."""
        address, beats = self.base + request.addr, len(request.beats)
        ends, sent = [], 0
        while sent < beats:
            page = (PAGE - (address + sent * DATA_BYTES) % PAGE) // DATA_BYTES
            sent += min(beats - sent, MAX_BURST, page)
            ends.append(sent)
        return ends


def _random_request(beats: int | None = None) -> Request:
    address = random.randrange(SPAN) // DATA_BYTES * DATA_BYTES
    if random.random() < 0.3:
        # Just before the end of a page.
        address |= (PAGE - random.choice([1, 2, 3]) * DATA_BYTES) % PAGE
    if beats is None:
        beats = random.choice([1, 2, random.randint(1, MAX_BURST), random.randint(1, 150)])
    everything = (1 << DATA_BYTES) - 1
    strobes = [everything, 0, everything >> random.randrange(DATA_BYTES)]
    return Request(
        addr=address,
        beats=tuple(
            (
                random.getrandbits(8 * DATA_BYTES),
                random.choice([*strobes, random.getrandbits(DATA_BYTES)]),
            )
            for _ in range(beats)
        ),
    )


class Bench:
    """An engine with its streams and what must always hold; the other side of AXI comes apart."""

    def __init__(self, dut: Any, **pauses: Callable[[], Pauses]) -> None:
        self.dut = dut
        self.memory = Memory()
        self.done = 0
        self.errors = 0
        self._changed = Event()
        self._requests = StreamSource(dut, "req", _pauses(pauses, "request"), fields=REQUEST)
        self._beats = StreamSource(dut, "data", _pauses(pauses, "data"), fields=DATA)
        dut.base_i.value = self.memory.base
        dut.halt_i.value = 0
        self.data = StreamMonitor(dut, "data", fields=DATA)
        self.addresses = StreamMonitor(dut, "axi_aw", fields=("addr", "len"), separator="")
        self.written = StreamMonitor(dut, "axi_w", fields=("data", "strb", "last"), separator="")

    async def start(self, requests: list[Request]) -> None:
        """Resets the engine and begins to send `requests`, addresses and data independently."""
        await reset(self.dut)
        cocotb.start_soon(self._watch(requests))
        words: list[Word] = [request.word() for request in requests]
        beats: list[Word] = [
            {"data": data, "strb": strobes}
            for request in requests
            for data, strobes in request.beats
        ]
        cocotb.start_soon(self._requests.send(words))
        cocotb.start_soon(self._beats.send(beats))

    async def wait_for(self, requests: int) -> None:
        """Returns when that many requests are done."""
        while self.done < requests:
            self._changed.clear()
            await self._changed.wait()

    def check_addresses_wait_for_data(self) -> None:
        """Every address went out only when all its beats had come in."""
        beats = 0
        for address, cycle in zip(self.addresses.words, self.addresses.cycles, strict=True):
            beats += address["len"] + 1
            assert self.data.cycles[beats - 1] < cycle

    async def _watch(self, requests: list[Request]) -> None:
        """Counts pulses; a request is done in the cycle after its last response, never earlier."""
        dut = self.dut
        bursts = [len(self.memory.burst_ends(request)) for request in requests]
        due = list(itertools.accumulate(bursts))
        responses = 0
        while True:
            await RisingEdge(dut.clk_i)
            assert dut.axi_bready_o.value == 1
            if dut.done_o.value == 1:
                assert due[self.done] == responses
                self.done += 1
                self._changed.set()
            else:
                assert self.done == len(due) or due[self.done] > responses
            self.errors += int(dut.error_o.value)
            assert (dut.idle_o.value == 1) <= (responses == len(self.addresses.words))
            responses += int(dut.axi_bvalid_i.value)


def _pauses(pauses: dict[str, Callable[[], Pauses]], name: str) -> Pauses:
    return pauses.get(name, never)()


def _attach_slave(bench: Bench, **pauses: Callable[[], Pauses]) -> AxiSlaveWrite:
    dut = bench.dut
    bus = AxiWriteBus.from_prefix(MasterPorts(dut, "axi", DATA_BYTES), "axi")
    slave = AxiSlaveWrite(bus, dut.clk_i, dut.rst_ni, target=bench.memory, reset_active_level=False)
    slave.aw_channel.set_pause_generator(_pauses(pauses, "address"))
    slave.w_channel.set_pause_generator(_pauses(pauses, "data"))
    slave.b_channel.set_pause_generator(_pauses(pauses, "response"))
    return slave


@cocotb.test(timeout_time=2000, timeout_unit="us")
@cocotb.parametrize(
    request_pauses=[never, mostly_paused],
    data_pauses=[never, bursty],
    port_pauses=[never, bursty],
    response_pauses=[never, mostly_paused],
)
async def writes_requests_in_order(
    dut: Any,
    request_pauses: Any,
    data_pauses: Any,
    port_pauses: Any,
    response_pauses: Any,
) -> None:
    start_clock(dut)
    bench = Bench(dut, request=request_pauses, data=data_pauses)
    _attach_slave(bench, address=port_pauses, data=port_pauses, response=response_pauses)
    requests = [_random_request() for _ in range(12)]
    await bench.start(requests)

    await bench.wait_for(len(requests))
    assert bench.memory.bytes == bench.memory.expected(requests)
    assert bench.errors == 0
    bench.check_addresses_wait_for_data()


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def reports_every_bad_response(dut: Any) -> None:
    """A pulse per burst with a bad beat; everything else is written."""
    start_clock(dut)
    bench = Bench(dut)
    _attach_slave(bench)
    everything = (1 << DATA_BYTES) - 1
    requests = [
        Request(addr=drawn.addr, beats=tuple((data, everything) for data, _ in drawn.beats))
        for drawn in (_random_request() for _ in range(12))
    ]
    addresses = bench.memory.addresses(requests)
    bench.memory.bad = set(random.sample(addresses, 10))
    await bench.start(requests)

    await bench.wait_for(len(requests))
    assert bench.memory.bytes == bench.memory.expected(requests)
    bad_bursts = 0
    for request in requests:
        beats = bench.memory.addresses([request])
        ends = bench.memory.burst_ends(request)
        for start, end in zip([0, *ends], ends, strict=False):
            bad_bursts += any(address in bench.memory.bad for address in beats[start:end])
    assert bench.errors == bad_bursts > 0


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def limits_bursts_without_response(dut: Any) -> None:
    """While no response comes, MAX_OUTSTANDING bursts go out and no more."""
    start_clock(dut)
    bench = Bench(dut)
    dut.axi_awready_i.value = 1
    dut.axi_wready_i.value = 1
    dut.axi_bvalid_i.value = 0
    dut.axi_bresp_i.value = 0
    requests = [_random_request(1) for _ in range(MAX_OUTSTANDING + 10)]
    await bench.start(requests)

    await bench.written.wait_for(MAX_OUTSTANDING)
    await ClockCycles(dut.clk_i, 50)
    await FallingEdge(dut.clk_i)
    assert len(bench.addresses.words) == len(bench.written.words) == MAX_OUTSTANDING
    assert bench.done == 0
    dut.axi_bvalid_i.value = 1
    for answered in range(1, len(requests) + 1):
        # A response may only answer a burst that has been written.
        await FallingEdge(dut.clk_i)
        dut.axi_bvalid_i.value = 0
        await bench.wait_for(answered)
        if answered < len(requests):
            await bench.written.wait_for(answered + 1)
            await FallingEdge(dut.clk_i)
            dut.axi_bvalid_i.value = 1
    assert len(bench.addresses.words) == len(requests)


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def stands_still_while_halted(dut: Any) -> None:
    """A halt stops addresses at once; bursts under way end, then the engine is idle."""
    start_clock(dut)
    bench = Bench(dut)
    _attach_slave(bench, data=bursty, response=bursty)
    requests = [_random_request() for _ in range(40)]
    await bench.start(requests)

    for halt in range(1, 8):
        await bench.addresses.wait_for(4 * halt)
        await FallingEdge(dut.clk_i)
        halted_at = len(bench.addresses.words)
        dut.halt_i.value = 1
        while dut.idle_o.value != 1:
            await FallingEdge(dut.clk_i)
        stopped = len(bench.addresses.words)
        # Two more may have stood in the register of the port.
        assert stopped <= halted_at + 2
        for _ in range(30):
            await FallingEdge(dut.clk_i)
            assert dut.idle_o.value == 1
        assert len(bench.addresses.words) == stopped
        dut.halt_i.value = 0
    assert len(bench.addresses.words) < len(requests), "the halts came too late to stop anything"

    await bench.wait_for(len(requests))
    assert bench.memory.bytes == bench.memory.expected(requests)


async def _acknowledge(dut: Any, latency: int) -> None:
    """Takes every address and beat at once; answers each burst `latency` cycles after its end."""
    dut.axi_awready_i.value = 1
    dut.axi_wready_i.value = 1
    dut.axi_bvalid_i.value = 0
    dut.axi_bresp_i.value = 0
    due: deque[int] = deque()
    for cycle in itertools.count():
        await RisingEdge(dut.clk_i)
        if dut.rst_ni.value == 1 and dut.axi_wvalid_o.value == 1 and dut.axi_wlast_o.value == 1:
            due.append(cycle + latency)
        await FallingEdge(dut.clk_i)
        answer = bool(due) and due[0] <= cycle
        if answer:
            due.popleft()
        dut.axi_bvalid_i.value = int(answer)


def _long_requests() -> Iterator[Request]:
    while True:
        yield _random_request(random.randint(2 * MAX_BURST, 4 * MAX_BURST))


def _row_requests() -> Iterator[Request]:
    while True:
        yield _random_request(random.randint(3, 6))


@cocotb.test(timeout_time=2000, timeout_unit="us")
@cocotb.parametrize(kind=[_long_requests, _row_requests])
async def writes_a_beat_per_cycle(dut: Any, kind: Any) -> None:
    """Without stalls a beat comes in every cycle, and the last one leaves soon after."""
    start_clock(dut)
    bench = Bench(dut)
    latency = min(100, 2 * MAX_OUTSTANDING - 16)
    cocotb.start_soon(_acknowledge(dut, latency))
    requests: list[Request] = []
    for request in kind():
        requests.append(request)
        if sum(len(request.beats) for request in requests) >= 4 * FIFO_BEATS:
            break
    await bench.start(requests)

    await bench.wait_for(len(requests))
    beats = sum(len(request.beats) for request in requests)
    assert len(bench.written.words) == beats
    assert bench.data.cycles[-1] - bench.data.cycles[0] == beats - 1
    assert bench.written.cycles[-1] - bench.data.cycles[-1] <= MAX_BURST + 16
    bench.check_addresses_wait_for_data()

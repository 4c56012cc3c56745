# SPDX-License-Identifier: Apache-2.0
"""Plays flex_axi_read to a module that owns a request/data pair: requests in, beats of them out."""

from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.queue import Queue
from cocotb.triggers import Event, RisingEdge

from sim.bus.stream import Pauses, StreamMonitor, StreamSink, StreamSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`beats` memory beats from byte offset `address`."""

    address: int
    beats: int


class ReadEngine:
    """Serves the requests of ports `req_*` from `memory` with the beats of ports `data_*`.

    `requests` holds what was asked for so far, in order. Without pauses a request is taken in
    every cycle and its beats come in consecutive cycles from the cycle after. A request that is
    not beat aligned, empty or beyond the memory fails the test.
    """

    def __init__(
        self,
        dut: Any,
        memory: bytes,
        request_pauses: Pauses | None = None,
        data_pauses: Pauses | None = None,
    ) -> None:
        fields = ("addr", "beats")
        self._dut = dut
        self._memory = memory
        self._beat_bytes = len(dut.data_data_i) // 8
        self._sink = StreamSink(dut, "req", request_pauses, fields=fields)
        self._source = StreamSource(dut, "data", data_pauses)
        self._queue: Queue[Request] = Queue()
        self._taken = Event()
        self.requests: list[Request] = []
        StreamMonitor(dut, "req", fields=fields)
        cocotb.start_soon(self._take_requests())
        cocotb.start_soon(self._give_beats())

    async def wait_for(self, count: int) -> None:
        """Returns once `count` requests have been taken."""
        while len(self.requests) < count:
            self._taken.clear()
            await self._taken.wait()

    async def _take_requests(self) -> None:
        while True:
            await RisingEdge(self._dut.clk_i)
            if self._dut.rst_ni.value == 1:
                break
        while True:
            [word] = await self._sink.receive(1)
            request = Request(address=word["addr"], beats=word["beats"])
            end = request.address + request.beats * self._beat_bytes
            assert request.beats > 0, f"{request}: empty"
            assert request.address % self._beat_bytes == 0, f"{request}: not beat aligned"
            assert end <= len(self._memory), f"{request}: beyond the memory"
            self.requests.append(request)
            self._taken.set()
            self._queue.put_nowait(request)

    async def _give_beats(self) -> None:
        size = self._beat_bytes
        while True:
            request = await self._queue.get()
            offsets = range(request.address, request.address + request.beats * size, size)
            await self._source.send(
                [int.from_bytes(self._memory[at : at + size], "little") for at in offsets]
            )

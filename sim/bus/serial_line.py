# SPDX-License-Identifier: Apache-2.0
"""A serial line at the pins `rx_i` and `tx_o` of a module, and a `flexcc.host.Port` on top of it.

The host's code blocks, so it runs in a thread (`cocotb.task.bridge`), and the line's own work as
coroutines of the simulation. Faults are drawn at random where a bench asks for them.
"""

import os
import random
import tty
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import cocotb
from cocotb.queue import Queue
from cocotb.task import resume
from cocotb.triggers import FallingEdge, SimTimeoutError, Timer, with_timeout

from sim.bus.clock import CLOCK_PERIOD_NS

_PS = 1000
_DEVICE_BYTES = 4096


class SerialLine:
    """Both wires of a line whose bits last `clocks_per_bit` cycles of the module's clock.

    `skew` is the relative error of the other side's clock. Of the bytes sent, the share
    `lost` does not go out, the share `bent` has a wrong bit; of those received the same.
    """

    def __init__(
        self,
        dut: Any,
        clocks_per_bit: int,
        *,
        skew: float = 0.0,
        lost: float = 0.0,
        bent: float = 0.0,
    ) -> None:
        self._dut = dut
        self._bit_ps = round(clocks_per_bit * CLOCK_PERIOD_NS * _PS * (1 + skew) / 2) * 2
        self._lost, self._bent = lost, bent
        self._came: Queue[int] = Queue()
        self.faults = 0
        """Bytes that were lost or bent."""
        dut.rx_i.value = 1
        cocotb.start_soon(self._receive())

    @resume
    async def write(self, data: bytes) -> None:
        """Sends all of `data`, one byte right after the other."""
        await self.send(data)

    @resume
    async def read(self, count: int, timeout_s: float) -> bytes:
        """The next `count` bytes; fewer if nothing comes for `timeout_s` of simulated time."""
        data = bytearray()
        while len(data) < count:
            try:
                byte = await with_timeout(self._came.get(), round(timeout_s * 1e9), "ns")
            except SimTimeoutError:
                break
            data.append(byte)
        return bytes(data)

    async def send(self, data: bytes) -> None:
        """Sends all of `data`, from a coroutine."""
        for byte in data:
            for bent in self._spoilt(byte):
                for bit in (0, *(bent >> i & 1 for i in range(8)), 1):
                    await self._put(bit)

    async def host(self, program: Callable[[Path], None]) -> None:
        """Runs `program`, which is told a serial device that leads to this line, in a thread.

        Returns when it does, and raises what it raises. Simulated time goes on while it waits.
        """
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        failures: list[BaseException] = []

        def run() -> None:
            try:
                program(Path(os.ttyname(theirs)))
            except BaseException as error:
                failures.append(error)

        thread = Thread(target=run)
        thread.start()
        while thread.is_alive():
            try:
                await self.send(os.read(ours, _DEVICE_BYTES))
            except BlockingIOError:
                await Timer(self._bit_ps * 10, "ps")
            while not self._came.empty():
                os.write(ours, bytes([self._came.get_nowait()]))
        os.close(ours)
        os.close(theirs)
        if failures:
            raise failures[0]

    async def glitch(self, duration_ns: int) -> None:
        """Pulls the line down for less than a start bit."""
        self._dut.rx_i.value = 0
        await Timer(duration_ns, "ns")
        self._dut.rx_i.value = 1

    async def _put(self, bit: int) -> None:
        self._dut.rx_i.value = bit
        await Timer(self._bit_ps, "ps")

    async def _receive(self) -> None:
        tx = self._dut.tx_o
        while True:
            await FallingEdge(tx)
            await Timer(self._bit_ps * 3 // 2, "ps")
            byte = 0
            for i in range(8):
                byte |= int(tx.value) << i
                await Timer(self._bit_ps, "ps")
            assert tx.value == 1, "a byte has no stop bit"
            for bent in self._spoilt(byte):
                self._came.put_nowait(bent)

    def _spoilt(self, byte: int) -> list[int]:
        """What becomes of a byte on its way."""
        if random.random() < self._lost:
            self.faults += 1
            return []
        if random.random() < self._bent:
            self.faults += 1
            return [byte ^ 1 << random.randrange(8)]
        return [byte]

# SPDX-License-Identifier: Apache-2.0
"""A master for AXI4-Lite registers that runs only during an access, so idle cycles cost nothing."""

from typing import Any

import cocotb
from cocotb.triggers import Combine, RisingEdge

_OKAY = 0


class AxiLiteError(Exception):
    """A register access was answered with an error."""


class AxiLiteMaster:
    """Reads and writes 32-bit registers at a slave port `prefix`, one access at a time."""

    def __init__(self, dut: Any, prefix: str) -> None:
        self._dut = dut
        self._prefix = prefix
        for name in ("awvalid", "wvalid", "arvalid", "bready", "rready"):
            self._input(name).value = 0
        self._input("awprot").value = 0
        self._input("arprot").value = 0

    async def write(self, address: int, value: int, strobes: int = 0xF) -> None:
        """Writes `value`; raises AxiLiteError when the answer is not OKAY."""
        self._input("awaddr").value = address
        self._input("wdata").value = value
        self._input("wstrb").value = strobes
        channels = [cocotb.start_soon(self._offer(channel)) for channel in ("aw", "w")]
        await Combine(*channels)
        await self._take("b")
        self._check("b", f"write to {address:#x}")

    async def read(self, address: int) -> int:
        """The register at `address`; raises AxiLiteError when the answer is not OKAY."""
        self._input("araddr").value = address
        await self._offer("ar")
        await self._take("r")
        self._check("r", f"read of {address:#x}")
        return int(self._output("rdata").value.to_unsigned())

    def _input(self, name: str) -> Any:
        return getattr(self._dut, f"{self._prefix}_{name}_i")

    def _output(self, name: str) -> Any:
        return getattr(self._dut, f"{self._prefix}_{name}_o")

    async def _offer(self, channel: str) -> None:
        self._input(f"{channel}valid").value = 1
        await self._edge_with(self._output(f"{channel}ready"))
        self._input(f"{channel}valid").value = 0

    async def _take(self, channel: str) -> None:
        self._input(f"{channel}ready").value = 1
        await self._edge_with(self._output(f"{channel}valid"))
        self._input(f"{channel}ready").value = 0

    async def _edge_with(self, port: Any) -> None:
        """Returns at the first clock edge that finds `port` at one."""
        await RisingEdge(self._dut.clk_i)
        while port.value != 1:
            await RisingEdge(self._dut.clk_i)

    def _check(self, channel: str, access: str) -> None:
        response = int(self._output(f"{channel}resp").value.to_unsigned())
        if response != _OKAY:
            raise AxiLiteError(f"{access}: response {response}")

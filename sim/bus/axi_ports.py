# SPDX-License-Identifier: Apache-2.0
"""Shows cocotbext-axi a whole AXI4 master where a module leaves constants to its parent."""

from typing import Any

from cocotb.types import LogicArray

from sim.bus.axi import Unsuffixed

# Signals that a parent ties: bursts count upwards in beats of the full data width, one ID.
_INCREMENTING = 0b01


class TiedPort:
    """Stands in for a port that the module lacks: always the same value, whatever is driven."""

    def __init__(self, width: int, value: int) -> None:
        self._value = LogicArray(value, width)

    def __len__(self) -> int:
        return len(self._value)

    @property
    def value(self) -> LogicArray:
        """The constant."""
        return self._value

    @value.setter
    def value(self, value: object) -> None:
        """Ignores what the other side drives."""

    def setimmediatevalue(self, value: object) -> None:
        """Ignores what the other side drives."""


class MasterPorts(Unsuffixed):
    """The ports of a master as `<prefix>_araddr` and so on, those it lacks tied to constants.

    Give it to cocotbext-axi: `AxiReadBus.from_prefix(MasterPorts(dut, "axi", data_bytes), "axi")`.
    """

    def __init__(self, dut: Any, prefix: str, data_bytes: int) -> None:
        super().__init__(dut)
        size = data_bytes.bit_length() - 1
        tied = {"id": (1, 0), "size": (3, size), "burst": (2, _INCREMENTING)}
        for channel in ("ar", "aw"):
            for name, (width, value) in tied.items():
                self._tie(f"{prefix}_{channel}{name}", width, value)
        for channel in ("r", "b"):
            self._tie(f"{prefix}_{channel}id", 1, 0)

    def _tie(self, name: str, width: int, value: int) -> None:
        if not hasattr(self, name):
            setattr(self, name, TiedPort(width, value))


class SlavePorts(MasterPorts):
    """The same of a slave: what its master ties is driven into nothing."""

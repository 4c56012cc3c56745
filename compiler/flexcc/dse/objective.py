# SPDX-License-Identifier: Apache-2.0
"""What a design is wanted to be best at, and the limits it has to keep."""

from dataclasses import dataclass, replace
from enum import Enum

from flexcc.errors import InputError
from flexcc.targets.device import Device

__all__ = ["Limit", "Limits", "Objective"]


class Objective(Enum):
    """What the explorer optimises."""

    LATENCY = "latency"
    """Fewest cycles of an image; cores share it."""
    THROUGHPUT = "throughput"
    """Most images a second; copies of a design each have their own."""
    AREA = "area"
    """Least share of the device, of the resource that has the largest."""
    EFFICIENCY = "efficiency"
    """Most useful products of those that the arrays could make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A number of units, or a share of what the device has."""

    value: float
    percent: bool

    @staticmethod
    def parse(text: str) -> "Limit":
        """Reads `1200` or `60%`.

        Raises:
            ValueError: `text` is neither, or not positive.
        """
        percent = text.endswith("%")
        value = float(text.removesuffix("%")) if percent else int(text)
        if not 0 < value <= (100 if percent else 1_000_000):
            raise ValueError(f"{text!r} is out of range")
        return Limit(value=value, percent=percent)

    def of(self, available: int) -> int:
        """The units that it leaves."""
        units = int(available * self.value / 100) if self.percent else int(self.value)
        return min(units, available)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a design; None is the device's own.

    `max_ms` is the longest that an image may take.
    """

    dsp: Limit | None = None
    bram36: Limit | None = None
    ddr_banks: int | None = None
    clock_mhz: float | None = None
    max_ms: float | None = None

    def device(self, device: Device) -> Device:
        """What is left of a device.

        Raises:
            InputError: more memory channels are asked for than there are, or nothing is left.
        """
        banks = device.memory_channels if self.ddr_banks is None else self.ddr_banks
        if banks > device.memory_channels:
            raise InputError(
                f"{device.name} has {device.memory_channels} memory channels, not {banks}; ask for "
                f"at most {device.memory_channels}"
            )
        dsp = device.dsp if self.dsp is None else self.dsp.of(device.dsp)
        bram36 = device.bram36 if self.bram36 is None else self.bram36.of(device.bram36)
        if not dsp or not bram36:
            raise InputError(f"the limits leave nothing of {device.name}; raise them")
        return replace(device, dsp=dsp, bram36=bram36, memory_channels=banks)

    def clock(self, device: Device) -> float:
        """The clock in MHz."""
        return device.clock_mhz if self.clock_mhz is None else self.clock_mhz

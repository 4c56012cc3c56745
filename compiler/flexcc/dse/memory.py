# SPDX-License-Identifier: Apache-2.0
"""What a device's memory channels carry."""

from flexcc.targets.device import Device

__all__ = ["USABLE_SHARE", "beats_per_cycle", "bytes_per_cycle"]

USABLE_SHARE = 0.85
"""Of a channel's bytes, those left beside refresh, changes of direction and of rows."""


def beats_per_cycle(device: Device, clock_mhz: float) -> float:
    """Beats that a channel carries in a cycle.

    It gives its port's bytes in each cycle of the device's clock, USABLE_SHARE of them; at a lower
    clock the port itself is the limit.
    """
    return min(1.0, USABLE_SHARE * device.clock_mhz / clock_mhz)


def bytes_per_cycle(device: Device, clock_mhz: float) -> float:
    """Bytes that all channels carry in a cycle, read and written together."""
    beats = device.memory_channels * beats_per_cycle(device, clock_mhz)
    return beats * device.memory_bytes

# SPDX-License-Identifier: Apache-2.0
"""What an accelerator takes of a device: multipliers, RAM, LUTs and registers."""

from dataclasses import dataclass

from flexcc.accelerator import Accelerator
from flexcc.dse.area import cells
from flexcc.dse.rams import core_rams, ram_halves
from flexcc.dse.ultra_rams import ultra_rams
from flexcc.targets.device import Device, Family

__all__ = [
    "CONTROL_MULTIPLIERS",
    "Resources",
    "array_multipliers",
    "lane_multipliers",
    "multipliers",
    "ram_blocks",
    "resources",
    "window_multipliers",
]

CONTROL_MULTIPLIERS = 1
"""The store engine multiplies the rows and beats of a request, 16 by 16 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Used units of each resource of `Device`; None is not known before synthesis."""

    dsp: int
    bram36: int | None = None
    uram: int | None = None
    lut: int | None = None
    ff: int | None = None


def array_multipliers(*, m: int, p: int, n: int, packed: bool) -> int:
    """M*P*N, or with two pixel columns on one multiplier M*ceil(P/2)*N."""
    return m * (-(-p // 2) if packed else p) * n


def lane_multipliers(
    *, p: int, q: int, family: Family, sums: bool, bends: bool = False, wide: bool = False
) -> int:
    """Those of the P*Q lanes behind the array.

    Requantisation multiplies 27 x 24 bits: two 27x18 multipliers, or four of 25x18 or 18x18. A sum
    has two products of 25 x 8 bits, each of which takes one multiplier, or two of 18x18. Its bend
    is another requantisation. The upper bits of a `wide` accumulator, 12 x 25, take half of what
    requantisation does.
    """
    requantisation = 2 if family is Family.XCUP else 4
    products = 4 if family is Family.ECP5 else 2
    own = requantisation * (1 + bends) + wide * requantisation // 2
    return p * q * (own + sums * products)


def window_multipliers(*, taps: int, beat_bytes: int, packed: bool, family: Family) -> int:
    """Taps of each byte of a beat, two bytes on one multiplier if packed, and requantisation."""
    if not taps:
        return 0
    products = beat_bytes * taps // (2 if packed else 1)
    return products + lane_multipliers(p=beat_bytes, q=1, family=family, sums=False)


def multipliers(accelerator: Accelerator, family: Family) -> int:
    """Multipliers of all cores: both engines, lanes behind the array, and few elsewhere in each.

    The fetch unit multiplies the channels of a window record by the words of each, which are six
    with slopes, else a power of two.
    """
    a = accelerator
    array = array_multipliers(m=a.m, p=a.p, n=a.n, packed=a.packed)
    lanes = lane_multipliers(p=a.p, q=a.q, family=family, sums=a.sums, bends=a.bends, wide=a.wide)
    window = window_multipliers(
        taps=a.window_taps,
        beat_bytes=a.beat_bytes,
        packed=a.packed and a.beat_pixels > 1,
        family=family,
    )
    fetch = int(a.slopes and a.window_taps > 0)
    return a.cores * (array + lanes + window + fetch + CONTROL_MULTIPLIERS)


def ram_blocks(accelerator: Accelerator) -> int:
    """Blocks of 36 Kbit of one core; two RAMs of 18 Kbit share one."""
    return -(-sum(map(ram_halves, core_rams(accelerator))) // 2)


def resources(accelerator: Accelerator, device: Device) -> Resources:
    """What `accelerator` takes of `device`: multipliers and, on UltraScale+, RAM as Yosys maps it.

    LUTs and registers are estimates (`flexcc.dse.area`), for UltraScale+ as well, and for designs
    of 8 bits without on-chip memory, whose own have no formula. No other RAM is UltraRAM.
    """
    a, dsp = accelerator, multipliers(accelerator, device.family)
    if device.family is not Family.XCUP:
        return Resources(dsp=dsp)
    blocks = -(-a.cores * sum(map(ram_halves, core_rams(a))) // 2)
    if a.wide or a.on_chip_bytes:
        return Resources(dsp=dsp, bram36=blocks, uram=ultra_rams(a))
    area = cells(a)
    return Resources(dsp=dsp, bram36=blocks, uram=0, lut=round(area.lut), ff=round(area.ff))

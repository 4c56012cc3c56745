# SPDX-License-Identifier: Apache-2.0
"""What an accelerator takes of a device. Figures that only synthesis can tell are None."""

from dataclasses import dataclass

from flexcc.accelerator import Accelerator
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
_AXI_FIFO_BEATS = 128
_BLOCK_SHAPES = ((72, 512), (36, 1024), (18, 2048), (9, 4096))
_SHALLOW_WORDS = 64
_WINDOW_CHANNEL_BITS = {False: 150, True: 256}
"""Without slopes and with them."""
_SLOPE_BITS = 106


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
    """Multipliers of all cores: both engines, lanes behind the array, and one elsewhere in each."""
    a = accelerator
    array = array_multipliers(m=a.m, p=a.p, n=a.n, packed=a.packed)
    lanes = lane_multipliers(p=a.p, q=a.q, family=family, sums=a.sums, bends=a.bends, wide=a.wide)
    window = window_multipliers(
        taps=a.window_taps,
        beat_bytes=a.beat_bytes,
        packed=a.packed and a.beat_pixels > 1,
        family=family,
    )
    return a.cores * (array + lanes + window + CONTROL_MULTIPLIERS)


def _blocks(words: int, bits: int) -> int:
    """Blocks of 36 Kbit for a RAM, by the best of their shapes; shallow RAMs are made of LUTs."""
    if words <= _SHALLOW_WORDS:
        return 0
    return min(-(-bits // width) * -(-words // depth) for width, depth in _BLOCK_SHAPES)


def ram_blocks(accelerator: Accelerator) -> int:
    """Blocks of 36 Kbit that the buffers of one core need by their geometry.

    A bound for exploration, not a figure of any tool: P banks of two halves for activations and
    for outputs, M rows of the weight ring, parameters, lists, three AXI FIFOs, and the lines and
    channels of the window engine. Sums take another buffer like that for outputs, and a FIFO;
    tables half a block a lane.
    """
    a = accelerator
    word = a.n * 8
    tables = -(-a.p * a.q // 2) if a.tables else 0
    window = 0
    if a.window_taps:
        window = _blocks(2 * a.window_channels, _WINDOW_CHANNEL_BITS[a.slopes])
    if a.window_taps > 1:
        window += 2 * _blocks(a.window_beats, a.beat_bytes * 8)
    return window + (
        a.p * (_blocks(2 * a.act_words, word) + (1 + a.sums) * _blocks(2 * a.out_words, word))
        + a.m * _blocks(a.weight_words, word)
        + _blocks(a.param_passes * a.drain_cycles, a.q * a.record_bytes * 8)
        + (_blocks(a.param_passes * a.drain_cycles, a.q * _SLOPE_BITS) if a.bends else 0)
        + _blocks(2 * a.list_entries, 64)
        + (3 + a.sums) * _blocks(_AXI_FIFO_BEATS, a.beat_bytes * 8)
        + tables
    )


def resources(accelerator: Accelerator, device: Device) -> Resources:
    """What is known of `accelerator` on `device` without synthesis."""
    return Resources(dsp=multipliers(accelerator, device.family))

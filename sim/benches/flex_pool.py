# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_pool: maxima of random windows against numpy."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge
from numpy.typing import NDArray

from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, bursty, never

N, PIXELS = int(os.environ["N"]), int(os.environ["PIXELS"])
LATENCY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Per read: which pixels count, and the pixels. A `pair` is two windows."""

    reads: list[tuple[NDArray[np.bool_], NDArray[np.int8]]]
    pair: bool


def random_window() -> Window:
    """One to twelve reads; masks from none to all, bytes often at an extreme."""
    density = random.choice((0.0, 0.1, 0.5, 1.0))
    generator = np.random.default_rng(random.getrandbits(64))
    reads = []
    for _ in range(random.choice((1, 1, 2, 3, random.randint(1, 12)))):
        pixels = generator.integers(-128, 128, (PIXELS, N), dtype=np.int8)
        pixels[generator.random((PIXELS, N)) < 0.1] = random.choice((-128, 127))
        reads.append((generator.random(PIXELS) < density, pixels))
    return Window(reads=reads, pair=PIXELS == 4 and random.random() < 0.5)


def maxima(window: Window) -> bytes:
    """The results: of a window twice the same."""
    result = np.full((2, N), -128, dtype=np.int8)
    for mask, pixels in window.reads:
        for place in np.flatnonzero(mask):
            which = place // 2 if window.pair else slice(None)
            result[which] = np.maximum(result[which], pixels[place])
    return result.tobytes()


async def drive(dut: Any, windows: list[Window], pauses: Pauses, ends: list[int]) -> None:
    """Puts in the windows' reads; notes the cycle of each window's last read in `ends`."""
    cycle = 0
    for window in windows:
        for index, (mask, pixels) in enumerate(window.reads):
            while True:
                await FallingEdge(dut.clk_i)
                cycle += 1
                pause = next(pauses)
                last = index == len(window.reads) - 1
                dut.valid_i.value = int(not pause)
                dut.first_i.value = int(index == 0)
                dut.last_i.value = int(last)
                dut.pair_i.value = int(window.pair)
                dut.mask_i.value = sum(int(bit) << place for place, bit in enumerate(mask))
                dut.data_i.value = int.from_bytes(pixels.tobytes(), "little")
                if not pause:
                    break
        ends.append(cycle)
    await FallingEdge(dut.clk_i)
    dut.valid_i.value = 0


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(pauses=[never, bursty])
async def finds_the_maximum(dut: Any, pauses: Callable[[], Pauses]) -> None:
    """Results per window, LATENCY cycles after its last read."""
    windows = [random_window() for _ in range(800)]
    start_clock(dut)
    dut.valid_i.value = 0
    await reset(dut)
    ends: list[int] = []
    cocotb.start_soon(drive(dut, windows, pauses(), ends))
    cycle = seen = 0
    while seen < len(windows):
        await RisingEdge(dut.clk_i)
        if dut.valid_o.value == 1:
            got = int(dut.data_o.value.to_unsigned()).to_bytes(2 * N, "little")
            assert got == maxima(windows[seen]), f"window {seen}"
            assert cycle == ends[seen] + LATENCY
            seen += 1
        cycle += 1

# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_axi_read_split: data come in the order of their addresses, each from its memory.

Every beat holds a value that follows from memory and address.
"""

import os
import random
from collections.abc import Callable
from typing import Any

import cocotb

from sim.bus.clock import reset, start_clock
from sim.bus.stream import (
    Pauses,
    StreamMonitor,
    StreamSink,
    StreamSource,
    bursty,
    mostly_paused,
    never,
)

DATA_BYTES = int(os.environ["DATA_BYTES"])
WINDOW = 1 << int(os.environ["WINDOW_BITS"])
BASE = 0x3_0001_2000
ADDRESS, DATA = ("addr", "len"), ("data", "resp", "last")
_MEMORIES = ("far", "near")


def _beats(memory: str, address: int, length: int) -> list[dict[str, int]]:
    return [
        {
            "data": random.Random(f"{memory} {address + i * DATA_BYTES}").getrandbits(
                8 * DATA_BYTES
            ),
            "resp": address // DATA_BYTES % 4,
            "last": int(i == length),
        }
        for i in range(length + 1)
    ]


class Memory:
    """Answers the addresses that one side gets."""

    def __init__(self, dut: Any, name: str, ask: Pauses, answer: Pauses) -> None:
        self.name = name
        self.addresses = StreamSink(dut, f"{name}_ar", ask, fields=ADDRESS, separator="")
        self.data = StreamSource(dut, f"{name}_r", answer, fields=DATA, separator="")
        self.asked = StreamMonitor(dut, f"{name}_ar", fields=ADDRESS, separator="")
        self._due: list[dict[str, int]] = []

    def start(self) -> None:
        """Begins to take addresses and to answer them."""
        cocotb.start_soon(self._ask())

    async def _ask(self) -> None:
        answered = 0
        cocotb.start_soon(self._take())
        while True:
            word = (await self.asked.wait_for(answered + 1))[answered]
            answered += 1
            await self.data.send(_beats(self.name, word["addr"], word["len"]))

    async def _take(self) -> None:
        while True:
            await self.addresses.receive(1)


def _random_burst(memory: str) -> tuple[int, int]:
    """Offset from the base and beats - 1, some at the very edges of the window."""
    length = random.choice([0, 1, random.randrange(16)])
    size = (length + 1) * DATA_BYTES
    if memory == "near":
        last = WINDOW - size
        return random.choice([0, last, random.randrange(last) // DATA_BYTES * DATA_BYTES]), length
    outside = [WINDOW, -size, WINDOW << 4, 1 << 40, random.getrandbits(32) * WINDOW + WINDOW]
    return random.choice(outside), length


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(
    far=[never, bursty, mostly_paused], near=[never, bursty], take=[never, mostly_paused]
)
async def keeps_the_order(
    dut: Any,
    far: Callable[[], Pauses],
    near: Callable[[], Pauses],
    take: Callable[[], Pauses],
) -> None:
    start_clock(dut)
    dut.base_i.value = BASE
    source = StreamSource(dut, "in_ar", fields=ADDRESS, separator="")
    sink = StreamSink(dut, "in_r", take(), fields=DATA, separator="")
    StreamMonitor(dut, "in_r", fields=DATA, separator="")
    memories = {
        name: Memory(dut, name, pauses(), pauses())
        for name, pauses in zip(_MEMORIES, (far, near), strict=True)
    }
    await reset(dut)
    for memory in memories.values():
        memory.start()
    wanted: list[dict[str, int]] = []
    sent: dict[str, list[dict[str, int]]] = {name: [] for name in _MEMORIES}
    bursts = []
    for _ in range(120):
        name = random.choice(_MEMORIES)
        offset, length = _random_burst(name)
        address = BASE + offset
        seen = offset if name == "near" else address
        bursts.append({"addr": address, "len": length})
        sent[name].append({"addr": seen, "len": length})
        wanted += _beats(name, seen, length)
    cocotb.start_soon(source.send(bursts))

    assert await sink.receive(len(wanted)) == wanted
    for name, memory in memories.items():
        assert memory.asked.words == sent[name]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def moves_a_beat_per_cycle(dut: Any) -> None:
    """Across changes of memory too, when both have their data ready."""
    start_clock(dut)
    dut.base_i.value = BASE
    source = StreamSource(dut, "in_ar", fields=ADDRESS, separator="")
    sink = StreamSink(dut, "in_r", fields=DATA, separator="")
    beats = StreamMonitor(dut, "in_r", fields=DATA, separator="")
    memories = [Memory(dut, name, never(), never()) for name in _MEMORIES]
    await reset(dut)
    for memory in memories:
        memory.start()
    bursts = [{"addr": BASE + (i % 2) * WINDOW, "len": 15} for i in range(8)]
    cocotb.start_soon(source.send(bursts))
    await sink.receive(8 * 16)
    await beats.wait_for(8 * 16)
    assert beats.cycles[-1] - beats.cycles[0] == 8 * 16 - 1

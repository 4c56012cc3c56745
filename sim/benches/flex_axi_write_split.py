# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_axi_write_split: bursts arrive whole where they belong, responses come in order."""

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
ADDRESS, BEAT, ANSWER = ("addr", "len"), ("data", "strb", "last"), ("resp",)
_MEMORIES = ("far", "near")


class Memory:
    """Takes the bursts that one side gets and answers each with what follows from its address."""

    def __init__(self, dut: Any, name: str, pauses: Callable[[], Pauses]) -> None:
        self.addresses = StreamSink(dut, f"{name}_aw", pauses(), fields=ADDRESS, separator="")
        self.beats = StreamSink(dut, f"{name}_w", pauses(), fields=BEAT, separator="")
        self.answers = StreamSource(dut, f"{name}_b", pauses(), fields=ANSWER, separator="")
        self.bursts: list[tuple[int, list[dict[str, int]]]] = []
        self._came = StreamMonitor(dut, f"{name}_aw", fields=ADDRESS, separator="")
        self._wrote = StreamMonitor(dut, f"{name}_w", fields=BEAT, separator="")

    def start(self) -> None:
        """Begins to take bursts, beats independently of addresses, and to answer them."""
        for task in (self._serve(), _drain(self.addresses), _drain(self.beats)):
            cocotb.start_soon(task)

    async def _serve(self) -> None:
        number, first = 0, 0
        while True:
            word = (await self._came.wait_for(number + 1))[number]
            last = first + word["len"] + 1
            beats = (await self._wrote.wait_for(last))[first:last]
            number, first = number + 1, last
            self.bursts.append((word["addr"], beats))
            await self.answers.send([_response(word["addr"])])


async def _drain(sink: StreamSink) -> None:
    while True:
        await sink.receive(1)


def _response(address: int) -> int:
    return address // DATA_BYTES % 4


def _random_offset(memory: str, beats: int) -> int:
    size = beats * DATA_BYTES
    if memory == "near":
        last = WINDOW - size
        return random.choice([0, last, random.randrange(last) // DATA_BYTES * DATA_BYTES])
    return random.choice([WINDOW, -size, 1 << 40, random.getrandbits(32) * WINDOW + WINDOW])


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(
    far=[never, bursty, mostly_paused], near=[never, bursty], master=[never, bursty]
)
async def sorts_whole_bursts(
    dut: Any,
    far: Callable[[], Pauses],
    near: Callable[[], Pauses],
    master: Callable[[], Pauses],
) -> None:
    """Beats are offered whether or not their address has been taken."""
    start_clock(dut)
    dut.base_i.value = BASE
    addresses = StreamSource(dut, "in_aw", master(), fields=ADDRESS, separator="")
    beats = StreamSource(dut, "in_w", master(), fields=BEAT, separator="")
    answers = StreamSink(dut, "in_b", master(), fields=ANSWER, separator="")
    StreamMonitor(dut, "in_b", fields=ANSWER, separator="")
    memories = {
        name: Memory(dut, name, pauses) for name, pauses in zip(_MEMORIES, (far, near), strict=True)
    }
    await reset(dut)
    for memory in memories.values():
        memory.start()
    sent: dict[str, list[tuple[int, list[dict[str, int]]]]] = {name: [] for name in _MEMORIES}
    asked, data, wanted = [], [], []
    for _ in range(80):
        name = random.choice(_MEMORIES)
        count = random.choice([1, 2, random.randint(1, 16)])
        offset = _random_offset(name, count)
        seen = offset if name == "near" else BASE + offset
        burst = [
            {
                "data": random.getrandbits(8 * DATA_BYTES),
                "strb": random.getrandbits(DATA_BYTES),
                "last": int(i == count - 1),
            }
            for i in range(count)
        ]
        asked.append({"addr": BASE + offset, "len": count - 1})
        data += burst
        sent[name].append((seen, burst))
        wanted.append(_response(seen))
    cocotb.start_soon(addresses.send(asked))
    cocotb.start_soon(beats.send(data))

    assert await answers.receive(len(wanted)) == wanted
    for name, memory in memories.items():
        assert memory.bursts == sent[name]

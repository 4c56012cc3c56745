# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_weight_load: both rings word for word, their room, repeats, rate."""

import os
import random
from collections.abc import Callable, Sequence
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, Event, RisingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.read_engine import ReadEngine
from sim.bus.stream import Pauses, StreamSource, bursty, mostly_paused, never
from sim.weight_images import Fetch, Image, WeightShape, place, random_image, random_images

SHAPE = WeightShape(
    rows=int(os.environ["M"]),
    lanes=int(os.environ["N"]),
    chains=int(os.environ["Q"]),
    beat_bytes=int(os.environ["DATA_BYTES"]),
    weight_words=int(os.environ["WEIGHT_WORDS"]),
    param_passes=int(os.environ["PARAM_PASSES"]),
    record_bytes=int(os.environ["RECORD_BYTES"]),
)
COUNT_MASK = 0xFFFF


class Ring:
    """Plays a ring's RAM and its reader: `units` are counted, each of `words` words.

    Checks every write's address and data, that nothing is overwritten before its release, and
    that the counter tells exactly what earlier cycles have written. `cycles` holds the cycle of
    each write.
    """

    def __init__(
        self,
        dut: Any,
        name: str,
        expected: Sequence[int],
        *,
        words: int,
        depth: int,
        pauses: Pauses,
    ) -> None:
        self._dut = dut
        self._enable = getattr(dut, f"{name}_wr_en_o")
        self._address = getattr(dut, f"{name}_wr_addr_o")
        self._data = getattr(dut, f"{name}_wr_data_o")
        self._count = getattr(dut, f"{name}s_written_o")
        self._release = getattr(dut, f"{name}s_released_i")
        self._name = name
        self._expected = expected
        self._words = words
        self._depth = depth
        self._pauses = pauses
        self._released = 0
        self._progress = Event()
        self.cycles: list[int] = []
        self._release.value = 0
        cocotb.start_soon(self._watch())

    async def wait_for_all(self) -> None:
        """Returns once every expected word has been written and all units are counted."""
        while len(self.cycles) < len(self._expected):
            self._progress.clear()
            await self._progress.wait()

    async def _watch(self) -> None:
        cycle = 0
        while True:
            await RisingEdge(self._dut.clk_i)
            cycle += 1
            if self._dut.rst_ni.value != 1:
                continue
            units = len(self.cycles) // self._words
            assert int(self._count.value) == units & COUNT_MASK, f"{self._name}: wrong count"
            if self._enable.value == 1:
                self._check_write()
                self.cycles.append(cycle)
                self._progress.set()
            if not next(self._pauses):
                self._released = random.randint(self._released, units)
                self._release.value = self._released & COUNT_MASK

    def _check_write(self) -> None:
        number = len(self.cycles)
        assert number < len(self._expected), f"{self._name}: a word too many"
        unit = number // self._words
        assert unit - self._released < self._depth, f"{self._name} {number}: no room"
        address = int(self._address.value)
        assert address == number % (self._depth * self._words), f"{self._name} {number}: {address}"
        assert int(self._data.value) == self._expected[number], f"{self._name} {number}: data"


class Rings:
    """Both rings, with what a list of images must write to them."""

    def __init__(self, dut: Any, images: Sequence[Image], pauses: Callable[[], Pauses]) -> None:
        weights = [word for image in images for word in image.weights]
        params = [word for image in images for word in image.params]
        self.weights = Ring(
            dut, "weight", weights, words=1, depth=SHAPE.weight_words, pauses=pauses()
        )
        self.params = Ring(
            dut,
            "param",
            params,
            words=SHAPE.param_words,
            depth=SHAPE.param_passes,
            pauses=pauses(),
        )

    async def wait_for_all(self) -> None:
        """Returns once everything has been written."""
        await self.weights.wait_for_all()
        await self.params.wait_for_all()


def hardly_ever() -> Pauses:
    """The reader of a ring comes by once in about 200 cycles: rings are full most of the time."""
    while True:
        yield random.random() < 0.995


async def _run(
    dut: Any,
    memory: bytes,
    fetches: Sequence[Fetch],
    *,
    pauses: Callable[[], Pauses] = never,
    data_pauses: Callable[[], Pauses] = never,
    ring_pauses: Callable[[], Pauses] = never,
) -> Rings:
    """Streams the records to their end; returns the rings."""
    source = StreamSource(dut, "cmd", pauses())
    engine = ReadEngine(dut, memory, pauses(), data_pauses())
    images = [image for fetch in fetches for image in fetch.streamed()]
    rings = Rings(dut, images, ring_pauses)
    start_clock(dut)
    await reset(dut)
    cocotb.start_soon(source.send([word for fetch in fetches for word in fetch.words()]))
    requests = [request for fetch in fetches for request in fetch.requests()]
    await engine.wait_for(len(requests))
    await rings.wait_for_all()
    # Nothing more may come, nor may it seem that anything does.
    while dut.busy_o.value == 1:
        await RisingEdge(dut.clk_i)
    await ClockCycles(dut.clk_i, 20)
    assert dut.busy_o.value == 0
    assert engine.requests == requests
    return rings


def _random_groups() -> list[tuple[list[Image], int]]:
    """Groups of one to four images, repeated once to three times; fewer the longer words are."""
    count = 2 + 6 // max(1, SHAPE.word_bytes // SHAPE.beat_bytes)
    return [
        (random_images(SHAPE, random.randint(1, 4)), random.randint(1, 3)) for _ in range(count)
    ]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(
    pauses=[never, bursty],
    data_pauses=[never, bursty, mostly_paused],
    ring_pauses=[never, mostly_paused, hardly_ever],
)
async def fills_rings(
    dut: Any,
    pauses: Callable[[], Pauses],
    data_pauses: Callable[[], Pauses],
    ring_pauses: Callable[[], Pauses],
) -> None:
    memory, fetches = place(SHAPE, _random_groups())
    await _run(
        dut, memory, fetches, pauses=pauses, data_pauses=data_pauses, ring_pauses=ring_pauses
    )


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def keeps_its_rate(dut: Any) -> None:
    """A cycle per beat or ring word, whichever is longer, and one per header; no others."""
    images = [random_image(SHAPE, random.randint(5, 40), True) for _ in range(24)]
    memory, fetches = place(SHAPE, [(images[start : start + 3], 1) for start in range(0, 24, 3)])
    rings = await _run(dut, memory, fetches)
    cycles = sorted([*rings.weights.cycles, *rings.params.cycles])
    # The first write comes with the end of the first parameter word, after its header.
    first = 1 + max(1, SHAPE.param_bytes // SHAPE.beat_bytes)
    total = sum(image.cycles(SHAPE) for image in images)
    assert cycles[-1] - cycles[0] == total - first


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def skips_records_that_ask_for_nothing(dut: Any) -> None:
    memory, [before, after] = place(SHAPE, [(random_images(SHAPE, 2), 1)] * 2)
    nothing = [
        Fetch(address=0, beats=0, repeats=3, images=()),
        Fetch(address=0, beats=3, repeats=0, images=()),
    ]
    source = StreamSource(dut, "cmd")
    engine = ReadEngine(dut, memory)
    rings = Rings(dut, [*before.images, *after.images], never)
    start_clock(dut)
    await reset(dut)
    fetches = [before, *nothing, after]
    cocotb.start_soon(source.send([word for fetch in fetches for word in fetch.words()]))
    await engine.wait_for(2)
    await rings.wait_for_all()
    assert engine.requests == [*before.requests(), *after.requests()]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(ring=["weight", "param"])
async def waits_for_room(dut: Any, ring: str) -> None:
    """A full ring blocks the engine; nothing is overwritten."""
    weights = SHAPE.weight_words + 1 if ring == "weight" else 1
    passes = 1 if ring == "weight" else SHAPE.param_passes + 1
    image = random_image(SHAPE, weights, True)
    memory, fetches = place(SHAPE, [([image], passes)])
    source = StreamSource(dut, "cmd")
    ReadEngine(dut, memory)
    rings = Rings(dut, fetches[0].streamed(), lambda: iter(lambda: True, None))
    start_clock(dut)
    await reset(dut)
    cocotb.start_soon(source.send(fetches[0].words()))
    while dut.blocked_o.value != 1:
        await RisingEdge(dut.clk_i)
    await ClockCycles(dut.clk_i, 50)
    assert dut.blocked_o.value == 1
    assert dut.busy_o.value == 1
    if ring == "weight":
        assert len(rings.weights.cycles) == SHAPE.weight_words
    else:
        assert len(rings.params.cycles) == SHAPE.param_passes * SHAPE.param_words


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def waits_for_memory(dut: Any) -> None:
    """While memory brings nothing, the engine is starved, and not otherwise."""
    memory, fetches = place(SHAPE, [(random_images(SHAPE, 1), 1)])
    source = StreamSource(dut, "cmd")
    ReadEngine(dut, memory, data_pauses=iter(lambda: True, None))
    rings = Rings(dut, fetches[0].streamed(), never)
    start_clock(dut)
    await reset(dut)
    await RisingEdge(dut.clk_i)
    assert dut.starved_o.value == 0
    assert dut.busy_o.value == 0
    cocotb.start_soon(source.send(fetches[0].words()))
    while dut.starved_o.value != 1:
        await RisingEdge(dut.clk_i)
    await ClockCycles(dut.clk_i, 50)
    assert dut.starved_o.value == 1
    assert dut.busy_o.value == 1
    assert not rings.weights.cycles


# Counters of 16 bits wrap in long programs. One long run is enough: where beats hold many words.
if SHAPE.word_bytes < SHAPE.beat_bytes:

    @cocotb.test(timeout_time=1, timeout_unit="ms")
    async def counts_modulo_65536(dut: Any) -> None:
        image = random_image(SHAPE, 1000, False)
        memory, fetches = place(SHAPE, [([image], 67)])
        await _run(dut, memory, fetches)

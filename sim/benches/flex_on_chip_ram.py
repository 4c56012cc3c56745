# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_on_chip_ram: all masters at once, against an array."""

import os
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, bursty, mostly_paused, never

DATA_BYTES = int(os.environ["DATA_BYTES"])
WORDS = int(os.environ["WORDS"])
READERS, WRITERS = int(os.environ["READERS"]), int(os.environ["WRITERS"])
ADDRESS_BITS = (WORDS * DATA_BYTES - 1).bit_length()
BITS = 8 * DATA_BYTES
OKAY, DECERR = 0, 3
# From the edge that takes an address to that which takes its first word.
LATENCY = 8


@dataclass(slots=True)
class Reader:
    """A master's bursts, (word, beats), and the beats that came: cycle, data, response, last."""

    pauses: Pauses
    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    offered: bool = False
    taken: list[int] = field(default_factory=list)
    beats: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Writer:
    """A master's bursts, (word, [(data, strobes)]), and the responses that came."""

    pauses: Pauses
    addresses: deque[tuple[int, int]] = field(default_factory=deque)
    beats: deque[tuple[int, int, int]] = field(default_factory=deque)
    address_offered: bool = False
    beat_offered: bool = False
    answers: list[int] = field(default_factory=list)

    def burst(self, word: int, beats: list[tuple[int, int]]) -> None:
        """Has the burst sent behind those that wait."""
        self.addresses.append((word, len(beats)))
        self.beats.extend((*beat, int(i == len(beats) - 1)) for i, beat in enumerate(beats))


class Bench:
    """Drives all ports, edge by edge."""

    def __init__(self, dut: Any, pauses: Callable[[], Pauses]) -> None:
        self.dut, self.cycle = dut, 0
        self.readers = [Reader(pauses()) for _ in range(READERS)]
        self.writers = [Writer(pauses()) for _ in range(WRITERS)]
        for name in ("arvalid", "rready", "awvalid", "wvalid", "bready"):
            getattr(dut, f"axi_{name}_i").value = 0

    async def until(self, done: Callable[[], bool]) -> None:
        """Runs to the first edge after which `done`."""
        while not done():
            ready, taking = self._drive()
            await RisingEdge(self.dut.clk_i)
            self.cycle += 1
            self._collect(ready, taking)
            await FallingEdge(self.dut.clk_i)

    def came(self, beats: list[int], answers: int) -> bool:
        """Whether each reader has so many beats, and every writer so many responses."""
        read = [len(reader.beats) for reader in self.readers]
        return read == beats and all(len(w.answers) == answers for w in self.writers)

    def _drive(self) -> tuple[int, int]:
        dut = self.dut
        ready = sum((not next(r.pauses)) << i for i, r in enumerate(self.readers))
        taking = sum((not next(w.pauses)) << i for i, w in enumerate(self.writers))
        dut.axi_rready_i.value, dut.axi_bready_i.value = ready, taking
        for r in self.readers:
            r.offered = bool(r.waiting) and (r.offered or not next(r.pauses))
        asked = [r.waiting[0] if r.offered else (0, 1) for r in self.readers]
        dut.axi_arvalid_i.value = sum(r.offered << i for i, r in enumerate(self.readers))
        dut.axi_araddr_i.value = _packed([w * DATA_BYTES for w, _ in asked], ADDRESS_BITS)
        dut.axi_arlen_i.value = _packed([n - 1 for _, n in asked], 8)
        for w in self.writers:
            w.address_offered = bool(w.addresses) and (w.address_offered or not next(w.pauses))
            w.beat_offered = bool(w.beats) and (w.beat_offered or not next(w.pauses))
        told = [w.addresses[0] if w.address_offered else (0, 1) for w in self.writers]
        beats = [w.beats[0] if w.beat_offered else (0, 0, 0) for w in self.writers]
        dut.axi_awvalid_i.value = sum(w.address_offered << i for i, w in enumerate(self.writers))
        dut.axi_wvalid_i.value = sum(w.beat_offered << i for i, w in enumerate(self.writers))
        dut.axi_awaddr_i.value = _packed([w * DATA_BYTES for w, _ in told], ADDRESS_BITS)
        dut.axi_awlen_i.value = _packed([n - 1 for _, n in told], 8)
        dut.axi_wdata_i.value = _packed([data for data, _, _ in beats], BITS)
        dut.axi_wstrb_i.value = _packed([strobes for _, strobes, _ in beats], DATA_BYTES)
        dut.axi_wlast_i.value = _packed([last for _, _, last in beats], 1)
        return ready, taking

    def _collect(self, ready: int, taking: int) -> None:
        dut = self.dut
        taken, came = int(dut.axi_arready_o.value), int(dut.axi_rvalid_o.value) & ready
        data, last = int(dut.axi_rdata_o.value), int(dut.axi_rlast_o.value)
        responses = int(dut.axi_rresp_o.value)
        for i, r in enumerate(self.readers):
            if r.offered and taken >> i & 1:
                r.waiting.popleft()
                r.taken.append(self.cycle)
                r.offered = False
            if came >> i & 1:
                word = data >> BITS * i & (1 << BITS) - 1
                r.beats.append((self.cycle, word, responses >> 2 * i & 3, last >> i & 1))
        told, wrote = int(dut.axi_awready_o.value), int(dut.axi_wready_o.value)
        answered, answers = int(dut.axi_bvalid_o.value) & taking, int(dut.axi_bresp_o.value)
        for i, w in enumerate(self.writers):
            if w.address_offered and told >> i & 1:
                w.addresses.popleft()
                w.address_offered = False
            if w.beat_offered and wrote >> i & 1:
                w.beats.popleft()
                w.beat_offered = False
            if answered >> i & 1:
                w.answers.append(answers >> 2 * i & 3)


def _packed(values: list[int], width: int) -> int:
    return sum(value << width * i for i, value in enumerate(values))


def _merge(old: int, data: int, strobes: int) -> int:
    mask = sum(0xFF << 8 * i for i in range(DATA_BYTES) if strobes >> i & 1)
    return old & ~mask | data & mask


async def _fill(bench: Bench) -> list[int]:
    """Writes every word, all masters in turn; returns the contents."""
    contents = [random.getrandbits(BITS) for _ in range(WORDS)]
    sent = [0] * WRITERS
    for number, first in enumerate(range(0, WORDS, 16)):
        writer = number % WRITERS
        beats = [(word, (1 << DATA_BYTES) - 1) for word in contents[first : first + 16]]
        bench.writers[writer].burst(first, beats)
        sent[writer] += 1
    await bench.until(lambda: [len(w.answers) for w in bench.writers] == sent)
    for w in bench.writers:
        assert set(w.answers) <= {OKAY}
        w.answers.clear()
    return contents


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(pauses=[never, bursty, mostly_paused])
async def reads_what_was_written(dut: Any, pauses: Callable[[], Pauses]) -> None:
    """Rounds in which all masters write in one half and read in the other, which then change."""
    start_clock(dut)
    bench = Bench(dut, pauses)
    await reset(dut)
    contents = await _fill(bench)
    half = WORDS // 2
    for round_ in range(6):
        written, read = (0, half) if round_ % 2 else (half, 0)
        wanted: list[list[tuple[int, int, int]]] = [[] for _ in range(READERS)]
        count = 8
        for r, reader in enumerate(bench.readers):
            for _ in range(count):
                beats = random.choice([1, 2, random.randint(1, 16)])
                first = read + random.randrange(half - beats)
                reader.waiting.append((first, beats))
                ends = [0] * (beats - 1) + [1]
                words = contents[first : first + beats]
                wanted[r] += [(w, OKAY, end) for w, end in zip(words, ends, strict=True)]
        share = half // WRITERS
        for w, writer in enumerate(bench.writers):
            for _ in range(count):
                beats = random.choice([1, 2, random.randint(1, 8)])
                first = written + w * share + random.randrange(share - beats)
                burst = [
                    (random.getrandbits(BITS), random.getrandbits(DATA_BYTES)) for _ in range(beats)
                ]
                writer.burst(first, burst)
                for i, (data, strobes) in enumerate(burst):
                    contents[first + i] = _merge(contents[first + i], data, strobes)
        goals = [len(goal) for goal in wanted]
        await bench.until(partial(bench.came, goals, count))
        for reader, goal in zip(bench.readers, wanted, strict=True):
            assert [(data, resp, last) for _, data, resp, last in reader.beats] == goal
            reader.beats.clear()
        for writer in bench.writers:
            assert writer.answers == [OKAY] * count
            writer.answers.clear()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def answers_beyond_its_end(dut: Any) -> None:
    """With an error for what the addresses can name, and nothing is written."""
    start_clock(dut)
    bench = Bench(dut, never)
    await reset(dut)
    contents = await _fill(bench)
    reader, writer = bench.readers[0], bench.writers[0]
    reader.waiting.append((WORDS - 1, 2))
    writer.burst(WORDS - 1, [(0, (1 << DATA_BYTES) - 1)] * 2)
    await bench.until(lambda: len(reader.beats) == 2 and len(writer.answers) == 1)
    assert [resp for _, _, resp, _ in reader.beats] == [DECERR, DECERR]
    assert writer.answers == [DECERR]
    reader.beats.clear()
    reader.waiting.extend([(0, 1), (WORDS - 1, 1)])
    await bench.until(lambda: len(reader.beats) == 2)
    assert [beat[1:] for beat in reader.beats] == [
        (contents[0], OKAY, 1),
        (contents[-1], OKAY, 1),
    ]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_master_moves_a_word_per_cycle(dut: Any) -> None:
    """All at once, bursts without a gap; they fall into step within as many cycles as there are."""
    start_clock(dut)
    bench = Bench(dut, never)
    await reset(dut)
    await _fill(bench)
    start, bursts, beats = bench.cycle, 12, 8
    for reader in bench.readers:
        reader.waiting.extend([(8, beats)] * bursts)
    for writer in bench.writers:
        for _ in range(bursts):
            writer.burst(WORDS // 2, [(0, 0)] * beats)
    await bench.until(
        lambda: (
            all(len(reader.beats) == bursts * beats for reader in bench.readers)
            and all(len(writer.answers) == bursts for writer in bench.writers)
        )
    )
    assert min(reader.beats[0][0] - reader.taken[0] for reader in bench.readers) == LATENCY
    for reader in bench.readers:
        lost = reader.beats[-1][0] - reader.beats[0][0] - (bursts * beats - 1)
        assert lost < READERS
    assert bench.cycle - start < bursts * beats + LATENCY + max(READERS, WRITERS) + 6

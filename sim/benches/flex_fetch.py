# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_fetch: good and broken programs against a plain parser, restarts, rate."""

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from flexcc.program.encode import encode
from flexcc.program.formats import ARRAY_LISTS, CONTROL_END, HEADER, STORE_TILE, Engine
from sim.bus.clock import reset, start_clock
from sim.bus.read_engine import ReadEngine, Request
from sim.bus.stream import Pauses, bursty, mostly_paused, never
from sim.programs import (
    RECEIVERS,
    WORD_BYTES,
    broken_program,
    image,
    parse,
    random_program,
    random_record,
    to_beats,
)

BEAT_BYTES = int(os.environ["DATA_BYTES"])
ENGINES = [e for e in RECEIVERS if e is not Engine.SKIP or int(os.environ["SUMS"])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A program in memory; `words` includes what fills its last beat and follows it."""

    address: int
    words: list[int]

    @property
    def beats(self) -> int:
        """Beats of the program."""
        return len(self.words) * WORD_BYTES // BEAT_BYTES

    def request(self) -> Request:
        """What it asks of memory."""
        return Request(address=self.address, beats=self.beats)


class Receivers:
    """Takes the words of all engines; a start makes it forget what has come so far."""

    def __init__(self, dut: Any, pauses: Callable[[], Pauses]) -> None:
        self._dut = dut
        self.streams: dict[str, list[int]] = {}
        self.cycles: dict[str, list[int]] = {}
        for name in RECEIVERS.values():
            getattr(dut, f"{name}_ready_i").value = 0
            cocotb.start_soon(self._receive(name, pauses()))

    @property
    def words(self) -> int:
        """Words that have come since the start."""
        return sum(map(len, self.streams.values()))

    async def _receive(self, name: str, pauses: Pauses) -> None:
        dut = self._dut
        data, valid = getattr(dut, f"{name}_data_o"), getattr(dut, f"{name}_valid_o")
        ready = getattr(dut, f"{name}_ready_i")
        words: list[int] = []
        cycles: list[int] = []
        self.streams[name], self.cycles[name] = words, cycles
        cycle = 0
        while True:
            taking = not next(pauses)
            ready.value = int(taking)
            await RisingEdge(dut.clk_i)
            cycle += 1
            if dut.start_i.value == 1:
                words.clear()
                cycles.clear()
            elif taking and valid.value == 1:
                words.append(int(data.value))
                cycles.append(cycle)


def store_programs(programs: Sequence[list[int]]) -> tuple[bytes, list[Stored]]:
    """A memory that holds `programs`, each followed by the random words that fill its beats."""
    memory = random.randbytes(BEAT_BYTES)
    stored = []
    for words in programs:
        filled = to_beats(words, BEAT_BYTES)
        stored.append(Stored(address=len(memory), words=filled))
        memory += image(filled)
    return memory, stored


async def start(dut: Any, program: Stored) -> None:
    """Gives the start pulse; returns in the cycle after it."""
    dut.start_i.value = 1
    dut.program_addr_i.value = program.address
    dut.program_beats_i.value = program.beats
    await RisingEdge(dut.clk_i)
    dut.start_i.value = 0
    dut.program_addr_i.value = random.getrandbits(40)
    dut.program_beats_i.value = random.getrandbits(24)
    await RisingEdge(dut.clk_i)


async def check(dut: Any, receivers: Receivers, program: Stored) -> None:
    """Waits for the end of the run and compares everything that it has put out."""
    expected = parse(program.words, ENGINES)
    while dut.busy_o.value == 1 or receivers.words < expected.words:
        await RisingEdge(dut.clk_i)
    # Nothing more may come, not even out of the deepest FIFO.
    await ClockCycles(dut.clk_i, 8)
    assert receivers.streams == expected.streams
    assert int(dut.error_o.value) == expected.error
    assert int(dut.end_valid_o.value) == (not expected.error)
    if not expected.error:
        assert int(dut.end_tiles_o.value) == expected.end_tiles


async def _begin(dut: Any) -> None:
    start_clock(dut)
    dut.start_i.value = 0
    await reset(dut)


async def _run(
    dut: Any,
    programs: Sequence[list[int]],
    pauses: Callable[[], Pauses] = never,
    data_pauses: Callable[[], Pauses] = never,
    word_pauses: Callable[[], Pauses] = never,
) -> Receivers:
    """Runs programs one after the other, each to its end."""
    memory, stored = store_programs(programs)
    engine = ReadEngine(dut, memory, pauses(), data_pauses())
    receivers = Receivers(dut, word_pauses)
    await _begin(dut)
    for program in stored:
        await start(dut, program)
        await check(dut, receivers, program)
    assert engine.requests == [program.request() for program in stored if program.beats]
    return receivers


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(
    data_pauses=[never, bursty, mostly_paused], word_pauses=[never, bursty, mostly_paused]
)
async def hands_out_records(
    dut: Any, data_pauses: Callable[[], Pauses], word_pauses: Callable[[], Pauses]
) -> None:
    programs = [random_program(random.randint(0, 60), ENGINES) for _ in range(6)]
    await _run(dut, programs, bursty, data_pauses, word_pauses)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pauses=[never, bursty])
async def stops_at_what_it_does_not_understand(dut: Any, pauses: Callable[[], Pauses]) -> None:
    """Broken programs end with an error, the records before it are handed out; good ones follow."""
    programs = []
    for _ in range(120):
        programs += [
            broken_program(random.randint(0, 6), ENGINES),
            random_program(random.randint(0, 6), ENGINES),
        ]
    assert sum(parse(to_beats(words, BEAT_BYTES), ENGINES).error for words in programs) >= 50
    await _run(dut, programs, pauses, pauses, pauses)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def names_every_mistake(dut: Any) -> None:
    """Each mistake alone, between good records, which are not reached after it."""
    good = random_record(STORE_TILE, 0)
    end = random_record(CONTROL_END, 0)

    def header(engine: int, kind: int, words: int) -> int:
        return encode(HEADER, engine=engine, kind=kind, words=words)[0]

    mistakes = [
        [0],
        [1 << 64 - 1],
        [header(5, 0, 1), 0],
        [header(255, 0, 1), 0],
        [header(Engine.CONTROL, 1, 1), 0],
        [header(Engine.LOAD, 1, 6), *[0] * 6],
        [header(Engine.LOAD, 3, 1), 0],
        [header(Engine.LOAD, 2, 0)],
        [header(Engine.LOAD, 2, 2), 7, 0],
        [header(Engine.ARRAY, 3, 0)],
        [header(Engine.CONTROL, 0, 0)],
        [header(Engine.CONTROL, 0, 2), 0, 0],
        [header(Engine.LOAD, 0, 5), *[0] * 5],
        [header(Engine.LOAD, 0, 7), *[0] * 7],
        [header(Engine.WEIGHTS, 0, 1), 0],
        [header(Engine.ARRAY, 1, 3), 0, 0, 0],
        [header(Engine.STORE, 0, 6), *[0] * 6],
        [good[0] | 1 << 40, *good[1:]],
        [header(Engine.STORE, 0, 5), 0, 0],
    ]
    programs = [[*good, *mistake, *good, *end] for mistake in mistakes]
    # No end at all, no program at all, and an end that is cut off by the end of the program.
    whole = BEAT_BYTES // WORD_BYTES
    programs += [good * whole, [], [*(good * whole)[:-1], end[0]]]
    assert all(parse(words).error for words in programs)
    await _run(dut, programs)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(pauses=[never, bursty, mostly_paused])
async def forgets_the_run_before(dut: Any, pauses: Callable[[], Pauses]) -> None:
    """A start in the middle of a run, or of the wait for an earlier one, is as good as any."""
    programs = [random_program(random.randint(5, 30), ENGINES) for _ in range(40)]
    memory, stored = store_programs(programs)
    ReadEngine(dut, memory, pauses(), pauses())
    receivers = Receivers(dut, pauses)
    await _begin(dut)
    for number, program in enumerate(stored):
        await start(dut, program)
        if number % 4 == 3:
            await check(dut, receivers, program)
        else:
            await ClockCycles(dut.clk_i, random.choice([1, 2, 3, random.randint(4, 300)]))
    assert not parse(stored[-1].words, ENGINES).error


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def hands_out_a_word_per_cycle(dut: Any) -> None:
    words = random_record(ARRAY_LISTS, 400) + random_record(ARRAY_LISTS, 400)
    receivers = await _run(dut, [words + random_record(CONTROL_END, 0)])
    cycles = receivers.cycles["array"]
    assert len(cycles) == len(words)
    assert cycles[-1] - cycles[0] == len(words) - 1


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(engine=[RECEIVERS[e] for e in ENGINES])
async def waits_for_a_full_engine(dut: Any, engine: str) -> None:
    """An engine that takes nothing holds up the program, which loses nothing."""
    numbers = {name: number for number, name in RECEIVERS.items()}
    memory, [program] = store_programs([random_program(200, [numbers[engine]])])
    ReadEngine(dut, memory)
    paused = True

    def until_released() -> Pauses:
        while True:
            yield paused

    receivers = Receivers(dut, until_released)
    await _begin(dut)
    await start(dut, program)
    await ClockCycles(dut.clk_i, 600)
    assert dut.busy_o.value == 1
    assert dut.end_valid_o.value == 0
    paused = False
    await check(dut, receivers, program)

# SPDX-License-Identifier: Apache-2.0
"""Drivers and monitors of ready/valid streams with flat ports.

A stream `name` with payload fields `a` and `b` entering a module has the ports `name_a_i`,
`name_b_i`, `name_valid_i`, `name_ready_o`; leaving it, `name_a_o`, `name_b_o`, `name_valid_o`,
`name_ready_i`. A word is an int when the stream has one field, else a dict of ints by field name.
For channels of AXI, whose names have no underscore there, give `separator=""`.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import cocotb
from cocotb.triggers import Event, RisingEdge

Word: TypeAlias = int | dict[str, int]
# Yields, once per clock cycle, whether to pause in that cycle.
Pauses: TypeAlias = Iterator[bool]

DATA = ("data",)


def never() -> Pauses:
    """No pauses."""
    while True:
        yield False


def bursty() -> Pauses:
    """Runs of random length, from 1 to 8 cycles, alternately at work and in pause."""
    while True:
        for pausing in (False, True):
            for _ in range(random.randint(1, 8)):
                yield pausing


def mostly_paused() -> Pauses:
    """Pauses in seven of eight cycles on average: the other side is nearly always waited for."""
    while True:
        yield random.random() < 7 / 8


def randomly(probability: float) -> Callable[[], Pauses]:
    """A pause generator that pauses in each cycle with `probability`."""
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"a pause probability is at least 0 and below 1, not {probability}")

    def pauses() -> Pauses:
        while True:
            yield random.random() < probability

    pauses.__name__ = pauses.__qualname__ = f"randomly_{round(100 * probability)}"
    return pauses


class StreamSource:
    """Drives a stream that enters the module.

    Holds a word until it is taken; drives random payload while there is none to send.
    """

    def __init__(
        self,
        dut: Any,
        name: str,
        pauses: Pauses | None = None,
        *,
        fields: Sequence[str] = DATA,
        separator: str = "_",
    ) -> None:
        name += separator
        self._clock = dut.clk_i
        self._ports = {field: getattr(dut, f"{name}{field}_i") for field in fields}
        self._valid = getattr(dut, f"{name}valid_i")
        self._ready = getattr(dut, f"{name}ready_o")
        self._pauses = never() if pauses is None else pauses
        self._idle()

    async def send(self, words: Sequence[Word]) -> None:
        """Sends `words` in order; returns at the edge that takes the last one.

        Words follow each other in consecutive cycles unless the pauses or the module prevent it.
        """
        for word in words:
            while next(self._pauses):
                self._idle()
                await RisingEdge(self._clock)
            self._drive(word)
            await RisingEdge(self._clock)
            while not _is_one(self._ready):
                await RisingEdge(self._clock)
        self._idle()

    def _drive(self, word: Word) -> None:
        values = word if isinstance(word, dict) else dict.fromkeys(self._ports, word)
        if values.keys() != self._ports.keys() or (isinstance(word, int) and len(values) != 1):
            raise ValueError(f"a word of this stream has the fields {list(self._ports)}: {word}")
        for field, port in self._ports.items():
            port.value = values[field]
        self._valid.value = 1

    def _idle(self) -> None:
        for port in self._ports.values():
            port.value = random.getrandbits(len(port))
        self._valid.value = 0


class StreamSink:
    """Takes words from a stream that leaves the module; not ready unless words are asked for."""

    def __init__(
        self,
        dut: Any,
        name: str,
        pauses: Pauses | None = None,
        *,
        fields: Sequence[str] = DATA,
        separator: str = "_",
    ) -> None:
        name += separator
        self._clock = dut.clk_i
        self._ports = {field: getattr(dut, f"{name}{field}_o") for field in fields}
        self._valid = getattr(dut, f"{name}valid_o")
        self._ready = getattr(dut, f"{name}ready_i")
        self._pauses = never() if pauses is None else pauses
        self._ready.value = 0

    async def receive(self, count: int) -> list[Any]:
        """Takes `count` words; returns them in order at the edge that takes the last one."""
        words: list[Word] = []
        while len(words) < count:
            ready = not next(self._pauses)
            self._ready.value = int(ready)
            await RisingEdge(self._clock)
            if ready and _is_one(self._valid):
                words.append(_read_word(self._ports))
        self._ready.value = 0
        return words


class StreamMonitor:
    """Records every word that passes on a stream, whichever way it goes, and checks the protocol.

    A word offered must stay, unchanged, until it is taken: anything else fails the test at once.
    `words` holds what has passed so far; `cycles` the clock cycle of each, counted from the start.
    A word that passes at this very edge may not be there yet: `wait_for` is sure to see it.
    """

    def __init__(
        self, dut: Any, name: str, *, fields: Sequence[str] = DATA, separator: str = "_"
    ) -> None:
        name += separator
        enters = hasattr(dut, f"{name}valid_i")
        forward, backward = ("i", "o") if enters else ("o", "i")
        self._name = name.rstrip("_")
        self._clock = dut.clk_i
        self._reset = dut.rst_ni
        self._ports = {field: getattr(dut, f"{name}{field}_{forward}") for field in fields}
        self._valid = getattr(dut, f"{name}valid_{forward}")
        self._ready = getattr(dut, f"{name}ready_{backward}")
        self._passed = Event()
        self.words: list[Any] = []
        self.cycles: list[int] = []
        cocotb.start_soon(self._watch())

    async def wait_for(self, count: int) -> list[Any]:
        """Returns the first `count` words once that many have passed."""
        while len(self.words) < count:
            self._passed.clear()
            await self._passed.wait()
        return self.words[:count]

    async def _watch(self) -> None:
        waiting: Word | None = None
        cycle = 0
        while True:
            await RisingEdge(self._clock)
            cycle += 1
            if not _is_one(self._reset):
                waiting = None
                continue
            word = _read_word(self._ports) if _is_one(self._valid) else None
            assert waiting is None or word == waiting, (
                f"{self._name}: offered {waiting}, then {word} before it was taken"
            )
            waiting = word
            if word is not None and _is_one(self._ready):
                waiting = None
                self.words.append(word)
                self.cycles.append(cycle)
                self._passed.set()


def _is_one(port: Any) -> bool:
    return bool(port.value == 1)


def _read_word(ports: dict[str, Any]) -> Word:
    values = {field: _read_int(port) for field, port in ports.items()}
    return next(iter(values.values())) if len(values) == 1 else values


def _read_int(port: Any) -> int:
    value = port.value
    return int(value) if len(port) == 1 else int(value.to_unsigned())

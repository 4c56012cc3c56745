# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_store: memory after random tiles against numpy, stalls on every side, rates."""

import os
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge

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
from sim.store_program import Bytes, Kind, Shape, StoreTile, random_tile, with_parts

SHAPE = Shape(
    m=int(os.environ["M"]),
    p=int(os.environ["P"]),
    n=int(os.environ["N"]),
    data_bytes=int(os.environ["DATA_BYTES"]),
    out_words=int(os.environ["OUT_WORDS"]),
)
READ_LATENCY = 4
RECORD_WORDS = 6
POOL_LATENCY = 3
# Reads of a tile that hide the arrival and preparation of the next one, by the next one's kind, and
# reads of a half that hide its hand-over.
# Kinds of tiles that the engine is built for.
OUTPUT_PHASES = bool(int(os.environ["OUTPUT_PHASES"]))
KINDS = [kind for kind in Kind if OUTPUT_PHASES or kind is not Kind.PHASED]
WRONG_PHASES: list[tuple[Kind, dict[str, int]]] = [
    (Kind.PLAIN, {"phases_y": 0}),
    (Kind.PHASED, {"phases_x": 0}),
    (Kind.POOLED, {"phases_y": 2}),
    (Kind.POOLED, {"phases_x": 3}),
]
LONG_TILE = {Kind.PLAIN: 10, Kind.POOLED: 30, Kind.PHASED: 30}
LONG_HALF = 10
REQUEST, BEAT = ("addr", "beats"), ("data", "strb")


class OutputBuffer:
    """Plays the array's side of the output buffer, and the buffer itself.

    A half is filled with random bytes as soon as it is free (and the pauses allow it), so a half
    freed too early is read wrong. `filled` keeps the halves' contents in order.
    """

    def __init__(self, dut: Any, halves: int, pauses: Pauses) -> None:
        self._dut = dut
        self._halves = halves
        self._pauses = pauses
        self._freed = 0
        self._random = np.random.default_rng(random.getrandbits(64))
        self._banks = self._bytes(2 * SHAPE.out_words)
        self._reads: deque[tuple[int, int] | None] = deque([None] * (READ_LATENCY - 1))
        self.filled: list[Bytes] = []
        self.busy_cycles: list[int] = []

    async def run(self) -> None:
        """Serves reads and fills halves for ever."""
        dut, cycle = self._dut, 0
        while True:
            await FallingEdge(dut.clk_i)
            free = len(self.filled) - self._freed < 2
            fill = free and len(self.filled) < self._halves and not next(self._pauses)
            dut.group_full_i.value = int(fill)
            if fill:
                half = len(self.filled) % 2
                content = self._bytes(SHAPE.out_words)
                words = slice(half * SHAPE.out_words, (half + 1) * SHAPE.out_words)
                self._banks[:, words] = content
                self.filled.append(content)
            await RisingEdge(dut.clk_i)
            cycle += 1
            if dut.rd_en_o.value == 1:
                self._reads.append((int(dut.rd_addr_o.value), int(dut.rd_rotation_o.value)))
            else:
                self._reads.append(None)
            read = self._reads.popleft()
            if read is not None:
                dut.rd_data_i.value = int.from_bytes(self._columns(*read), "little")
            if dut.busy_o.value == 1:
                self.busy_cycles.append(cycle)
            self._freed += dut.group_freed_o.value == 1
            assert self._freed <= len(self.filled), "frees a half that was not full"

    def _bytes(self, words: int) -> Bytes:
        return self._random.integers(0, 256, (SHAPE.p, words, SHAPE.n), dtype=np.uint8)

    def _columns(self, addr: int, rotation: int) -> bytes:
        columns = []
        for p in range(SHAPE.p):
            wrap, bank = divmod(p + rotation, SHAPE.p)
            columns.append(self._banks[bank, (addr + wrap) % (2 * SHAPE.out_words)].tobytes())
        return b"".join(columns)


class WriteEngine:
    """Plays the write engine: takes requests and beats, acknowledges complete requests in order."""

    def __init__(
        self, dut: Any, requests: int, beats: int, pauses: tuple[Pauses, Pauses, Pauses]
    ) -> None:
        self._dut = dut
        request_pauses, beat_pauses, self._done_pauses = pauses
        self._counts = (requests, beats)
        self._requests = StreamMonitor(dut, "req", fields=REQUEST)
        self._beats = StreamMonitor(dut, "data", fields=BEAT)
        self._request_sink = StreamSink(dut, "req", request_pauses, fields=REQUEST)
        self._beat_sink = StreamSink(dut, "data", beat_pauses, fields=BEAT)

    def start(self) -> None:
        """Begins to take requests and beats."""
        requests, beats = self._counts
        cocotb.start_soon(self._request_sink.receive(requests))
        cocotb.start_soon(self._beat_sink.receive(beats))

    async def run(self, tiles: list[StoreTile]) -> None:
        """Acknowledges until all tiles count; checks that no tile counts too early."""
        dut, acknowledged, counted = self._dut, 0, 0
        totals = np.cumsum([len(tile.requests(SHAPE)) for tile in tiles])
        ends = totals[[not tile.part for tile in tiles]]
        beats_needed = 0
        while counted < len(ends):
            await FallingEdge(dut.clk_i)
            done = False
            if acknowledged < len(self._requests.words) and not next(self._done_pauses):
                need = beats_needed + self._requests.words[acknowledged]["beats"]
                if need <= len(self._beats.words):
                    done, beats_needed = True, need
            dut.done_i.value = int(done)
            await RisingEdge(dut.clk_i)
            counted = int(dut.tiles_done_o.value)
            assert counted <= int((ends <= acknowledged).sum()), "a tile counts too early"
            acknowledged += done
        dut.done_i.value = 0
        assert acknowledged == self._counts[0]
        assert beats_needed == self._counts[1]

    def requests(self) -> list[tuple[int, int]]:
        """Address and beats of all requests so far."""
        return [(word["addr"], word["beats"]) for word in self._requests.words]

    def memory(self) -> dict[int, bytes]:
        """The pixels written, by address; a pixel is strobed as a whole or not at all."""
        pixels: dict[int, bytes] = {}
        beats = iter(self._beats.words)
        for addr, count in self.requests():
            for beat_addr in range(addr, addr + count * SHAPE.data_bytes, SHAPE.data_bytes):
                beat = next(beats)
                data = beat["data"].to_bytes(SHAPE.data_bytes, "little")
                for place in range(0, SHAPE.data_bytes, SHAPE.n):
                    strobes = beat["strb"] >> place & ((1 << SHAPE.n) - 1)
                    assert strobes in (0, (1 << SHAPE.n) - 1)
                    if strobes:
                        assert beat_addr + place not in pixels, "a pixel is written twice"
                        pixels[beat_addr + place] = data[place : place + SHAPE.n]
        return pixels


def disjoint_tiles(count: int, kinds: Sequence[Kind], long: bool = False) -> list[StoreTile]:
    """Random tiles of any of `kinds` that do not overlap in memory."""
    tiles: list[StoreTile] = []
    taken: set[int] = set()
    while len(tiles) < count:
        kind = random.choice(kinds)
        tile = random_tile(
            SHAPE,
            kind,
            least_reads=LONG_TILE[kind] if long else 1,
            least_half_reads=LONG_HALF if long else 1,
        )
        beats = {
            addr // SHAPE.data_bytes + beat
            for addr, length in tile.requests(SHAPE)
            for beat in range(length)
        }
        if not beats & taken:
            taken |= beats
            tiles.append(tile)
    return with_parts(tiles)


async def store(
    dut: Any, tiles: list[StoreTile], pauses: tuple[Callable[[], Pauses], ...]
) -> OutputBuffer:
    """Runs `tiles` and checks memory; pauses of records, fills, requests, beats, done."""
    record, fill, request, beat, done = (pause() for pause in pauses)
    start_clock(dut)
    dut.group_full_i.value = 0
    dut.done_i.value = 0
    source = StreamSource(dut, "cmd", record)
    buffer = OutputBuffer(dut, sum(tile.freed(SHAPE) for tile in tiles), fill)
    requests = [request for tile in tiles for request in tile.requests(SHAPE)]
    engine = WriteEngine(
        dut, len(requests), sum(beats for _, beats in requests), (request, beat, done)
    )
    await reset(dut)
    cocotb.start_soon(source.send([word for tile in tiles for word in tile.words()]))
    cocotb.start_soon(buffer.run())
    engine.start()
    await engine.run(tiles)
    assert dut.error_o.value == 0
    assert engine.requests() == requests
    memory = engine.memory()
    first = 0
    for number, tile in enumerate(tiles):
        halves = buffer.filled[first : first + tile.halves(SHAPE)]
        first += tile.freed(SHAPE)
        for addr, pixel in tile.stored(SHAPE, halves).items():
            got = memory.pop(addr, None)
            assert got == pixel, f"tile {number} at {addr:#x}: {got!r}, not {pixel!r}: {tile}"
    assert not memory, f"pixels that no tile names: {sorted(memory)[:4]}"
    return buffer


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(
    pauses=[
        (never, never, never, never, never),
        (bursty, never, never, never, never),
        (never, bursty, never, never, never),
        (never, never, bursty, never, never),
        (never, never, never, bursty, never),
        (never, never, never, never, bursty),
        (bursty, bursty, mostly_paused, bursty, mostly_paused),
        (bursty, mostly_paused, bursty, mostly_paused, bursty),
    ]
)
async def memory_holds_the_tiles(dut: Any, pauses: tuple[Callable[[], Pauses], ...]) -> None:
    """Plain, pooled and phased tiles mixed, several under way at once."""
    await store(dut, disjoint_tiles(18, KINDS), pauses)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(kind=KINDS)
async def reads_every_cycle(dut: Any, kind: Kind) -> None:
    """Without stalls no cycle is lost, whatever the rows, planes, halves and tiles.

    But those of the pool's way, where a tile that goes another follows.
    """
    tiles = disjoint_tiles(8, [kind], long=True)
    buffer = await store(dut, tiles, (never,) * 5)
    cycles = buffer.busy_cycles
    assert len(cycles) == sum(tile.reads(SHAPE) for tile in tiles)
    ends = sum(one.single(SHAPE) and not other.single(SHAPE) for one, other in pairwise(tiles))
    assert cycles[-1] - cycles[0] + 1 == len(cycles) + POOL_LATENCY * ends


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(
    (
        ("kind", "wrong"),
        [
            (Kind.POOLED, {"header_engine": 1}),
            (Kind.POOLED, {"header_kind": 1}),
            (Kind.POOLED, {"header_words": 1}),
            (Kind.POOLED, {"rows": 0}),
            (Kind.PLAIN, {"cols": 0}),
            (Kind.PLAIN, {"planes": 0}),
            (Kind.POOLED, {"kernel_w": 0}),
            (Kind.POOLED, {"stride_h": 0}),
            *(WRONG_PHASES if OUTPUT_PHASES else ()),
        ],
    )
)
async def refuses_a_bad_record(dut: Any, kind: Kind, wrong: dict[str, int]) -> None:
    """An unknown or empty record is an error; what follows is swallowed."""
    tile = random_tile(SHAPE, kind)
    words = tile.words()
    match wrong:
        case {"header_engine": bit}:
            words[0] ^= bit << 24
        case {"header_kind": bit}:
            words[0] ^= bit << 16
        case {"header_words": more}:
            words[0] += more
        case _:
            words = replace(tile, **wrong).words()
    start_clock(dut)
    dut.group_full_i.value = 0
    dut.done_i.value = 0
    dut.req_ready_i.value = 1
    dut.data_ready_i.value = 1
    source = StreamSource(dut, "cmd")
    await reset(dut)
    assert dut.error_o.value == 0
    await source.send(words)
    while dut.error_o.value == 0:
        await RisingEdge(dut.clk_i)
    await source.send(words * 3)
    assert dut.error_o.value == 1
    assert dut.req_valid_o.value == 0
    assert dut.tiles_done_o.value == 0

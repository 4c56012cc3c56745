# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_ring_slicer: runs of words cut from or joined of beats, room, rate."""

import os
import random
from collections.abc import Callable, Sequence
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from sim.bus.clock import reset, start_clock
from sim.bus.stream import Pauses, bursty, mostly_paused, never

BEAT_BYTES = int(os.environ["DATA_BYTES"])
WORD_BYTES = int(os.environ["WORD_BYTES"])


def random_run() -> list[int]:
    """One to thirty random words."""
    return [random.getrandbits(WORD_BYTES * 8) for _ in range(random.randint(1, 30))]


def to_beats(words: Sequence[int]) -> list[int]:
    """The words of a run in whole beats, the last one filled with random bytes."""
    content = b"".join(word.to_bytes(WORD_BYTES, "little") for word in words)
    content += random.randbytes(-len(content) % BEAT_BYTES)
    return [
        int.from_bytes(content[at : at + BEAT_BYTES], "little")
        for at in range(0, len(content), BEAT_BYTES)
    ]


async def _run(
    dut: Any,
    runs: Sequence[list[int]],
    beat_pauses: Callable[[], Pauses],
    room_pauses: Callable[[], Pauses],
) -> int:
    """Puts the runs through, one after the other; returns the cycles from first to last word."""
    pausing, roomless = beat_pauses(), room_pauses()
    dut.valid_i.value = 0
    dut.room_i.value = 0
    dut.last_i.value = 0
    start_clock(dut)
    await reset(dut)
    received: list[int] = []
    cycles: list[int] = []
    cycle = 0
    for words in runs:
        left = len(words)
        beats = to_beats(words)
        offered = False
        # One cycle more after the last beat, for the write behind it.
        while beats or len(received) < len(words):
            offered = bool(beats) and (offered or not next(pausing))
            dut.valid_i.value = int(offered)
            dut.beat_i.value = beats[0] if offered else random.getrandbits(BEAT_BYTES * 8)
            dut.room_i.value = int(not next(roomless))
            dut.last_i.value = int(left == 1)
            await RisingEdge(dut.clk_i)
            cycle += 1
            done, word = bool(dut.beat_done_o.value == 1), bool(dut.word_o.value == 1)
            assert not word or dut.room_i.value == 1
            assert offered or not (done or word)
            if dut.wr_en_o.value == 1:
                received.append(int(dut.wr_data_o.value))
                cycles.append(cycle)
            left -= word
            if done:
                beats.pop(0)
                offered = False
        assert left == 0
        assert received == words
        received.clear()
    return cycles[-1] - cycles[0]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(beat_pauses=[never, bursty], room_pauses=[never, bursty, mostly_paused])
async def passes_words_in_order(
    dut: Any, beat_pauses: Callable[[], Pauses], room_pauses: Callable[[], Pauses]
) -> None:
    await _run(dut, [random_run() for _ in range(30)], beat_pauses, room_pauses)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def keeps_its_rate(dut: Any) -> None:
    """A word per cycle, or a beat per cycle when words are longer."""
    words = [random.getrandbits(WORD_BYTES * 8) for _ in range(101)]
    assert await _run(dut, [words], never, never) == 100 * max(1, WORD_BYTES // BEAT_BYTES)

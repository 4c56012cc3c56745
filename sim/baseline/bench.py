# SPDX-License-Identifier: Apache-2.0
"""Bench of the plain core's sequencer: its steps are those of the compiler's reduction lists."""

import os
from collections.abc import Callable
from typing import Any

import cocotb

from flexcc.accelerator import Accelerator
from sim.array_program import expect
from sim.baseline.program import plain_tiles
from sim.benches.flex_sequencer import Surroundings, start
from sim.bus.stream import Pauses, StreamSource, bursty, never


def _accelerator() -> Accelerator:
    return Accelerator(
        m=8,
        p=int(os.environ["COLUMNS"]),
        n=8,
        q=2,
        packed=True,
        beat_bytes=32,
        act_words=int(os.environ["ACT_WORDS"]),
        weight_words=int(os.environ["WEIGHT_WORDS"]),
        param_passes=int(os.environ["PARAM_PASSES"]),
        out_words=256,
        list_entries=256,
    )


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(record_pauses=[never, bursty], pauses=[never, bursty])
async def steps_of_the_lists(
    dut: Any, record_pauses: Callable[[], Pauses], pauses: Callable[[], Pauses]
) -> None:
    plain = plain_tiles(60, _accelerator())
    tiles = [item.tile for item in plain]
    source = StreamSource(dut, "cmd", record_pauses())
    await start(dut)
    surroundings = Surroundings(dut, expect(tiles), tiles, pauses())
    cocotb.start_soon(source.send([word for item in plain for word in item.words()]))
    await surroundings.run()

# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_board, as modules or as a netlist: a build run over the serial line at its pins.

The host's own code sends what the build needs, starts it, and fetches what it left. What comes back
is the memory that the reference expects, byte by byte.
"""

import json
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.task import bridge

from flexcc.host import Link, LinkError, run_image
from flexcc.host.accelerator import Piece
from sim.bus.clock import CLOCK_PERIOD_NS, reset, start_clock
from sim.bus.serial_line import SerialLine

JOB = Path(os.environ["BOARD_JOB"])


def _link(dut: Any, job: dict[str, Any]) -> Link:
    line = SerialLine(dut, job["clocks_per_bit"])
    byte_s = job["clocks_per_bit"] * 10 * CLOCK_PERIOD_NS * 1e-9
    return Link(line, timeout_s=100 * byte_s, gap_s=job["gap_cycles"] * CLOCK_PERIOD_NS * 1.2e-9)


@cocotb.test()
async def runs_a_build(dut: Any) -> None:
    job = json.loads((JOB / "job.json").read_text())
    image = np.fromfile(JOB / "image.bin", np.uint8)
    expected = np.fromfile(JOB / "expected.bin", np.uint8)
    start_clock(dut)
    link = _link(dut, job)
    await reset(dut)

    run = await bridge(run_image)(
        link,
        image,
        program_address=job["program_address"],
        program_beats=job["program_beats"],
        send=[Piece(first=first, end=end) for first, end in job["send"]],
        fetch=[Piece(first=first, end=end) for first, end in job["fetch"]],
        # Simulated time is short, and nothing but a hang lasts that long.
        timeout_s=600.0,
    )

    different = np.flatnonzero(run.memory != expected)
    assert different.size == 0, f"{different.size} bytes differ, first at {different[0]}"
    assert int(dut.light_o.value) & 1, "the lamp of the end is not lit"
    (JOB / "cycles.txt").write_text(f"{run.cycles}\n")


def _beyond(link: Link, end: int) -> list[str]:
    texts = []
    for action in (lambda: link.read_memory(end, 8), lambda: link.write_memory(end, bytes(8))):
        try:
            action()
        except LinkError as error:
            texts.append(str(error))
    return texts


@cocotb.test()
async def tells_where_memory_ends(dut: Any) -> None:
    job = json.loads((JOB / "job.json").read_text())
    start_clock(dut)
    link = _link(dut, job)
    await reset(dut)

    texts = await bridge(_beyond)(link, job["memory_bytes"])

    assert len(texts) == 2
    assert all("bus_error" in text for text in texts)

# SPDX-License-Identifier: Apache-2.0
"""Bench of flex_systolic_array: accumulators of random blocks against numpy, cycle by cycle.

With `TOO_EARLY=1` blocks end closer to each other than they can be drained: the module must
complain.
"""

import os
import random
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge
from numpy.typing import NDArray

from sim.bus.clock import reset, start_clock
from sim.operands import CHAIN_LANES, PACKING_OFFSET, bits, random_operands, signed_fields

M, P, N, Q = (int(os.environ.get(name, "1")) for name in ("M", "P", "N", "Q"))
PACKED = os.environ.get("PACKED") == "1"
ACC_WIDTH = int(os.environ.get("ACC_WIDTH", "32"))
WIDE = os.environ.get("WIDE") == "1"
TOO_EARLY = os.environ.get("TOO_EARLY") == "1"
DRAIN_LENGTH = M // Q
GROUPS = -(-P // 2) if PACKED else P
LATENCY = M + GROUPS + min(N, CHAIN_LANES) + 4
STEP_OFFSET = PACKING_OFFSET * (N // CHAIN_LANES) if PACKED else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Blocks and their steps: the cycle of each, which end a block, and which raise its sums."""

    cycles: NDArray[np.int64]
    first: NDArray[np.bool_]
    shift: NDArray[np.bool_]
    last: NDArray[np.bool_]


def _schedule(lengths: list[int], gaps: float) -> Schedule:
    """Steps of blocks of `lengths`, as early as they may come, but for random gaps.

    `gaps` is the probability of a cycle without a step where there could be one.
    """
    cycles: list[int] = []
    last: list[bool] = []
    cycle, earliest_last = 0, 0
    distance = DRAIN_LENGTH - 1 if TOO_EARLY else DRAIN_LENGTH
    for length in lengths:
        for step in range(length):
            while random.random() < gaps:
                cycle += 1
            ends = step == length - 1
            if ends:
                cycle = max(cycle, earliest_last)
                earliest_last = cycle + distance
            cycles.append(cycle)
            last.append(ends)
            cycle += 1
    first = np.array([True, *last[:-1]])
    return Schedule(
        cycles=np.array(cycles),
        first=first,
        shift=np.array([WIDE and not begins and random.random() < 0.2 for begins in first]),
        last=np.array(last),
    )


def _accumulators(
    schedule: Schedule, x: NDArray[np.int8], w: NDArray[np.int8]
) -> list[NDArray[np.int64]]:
    """[row, column] of every block."""
    products = np.einsum("tml,tpl->tmp", w.astype(np.int64), x.astype(np.int64)) + STEP_OFFSET
    blocks: list[NDArray[np.int64]] = []
    half = 1 << (ACC_WIDTH - 1)
    for step, product in enumerate(products):
        if schedule.first[step]:
            blocks.append(product)
        else:
            raised = blocks[-1] * (256 if schedule.shift[step] else 1) + product
            blocks[-1] = (raised + half) % (2 * half) - half
    return blocks


def _row(channel: int) -> int:
    """The row that computes an output channel."""
    return channel % Q * DRAIN_LENGTH + DRAIN_LENGTH - 1 - channel // Q


def _drained(
    schedule: Schedule, blocks: list[NDArray[np.int64]]
) -> dict[int, tuple[int, int, list[int]]]:
    """What is put out: cycle -> (block, beat, accumulators in the order of the port's bits)."""
    out = {}
    for number, cycle in enumerate(schedule.cycles[schedule.last]):
        for beat in range(DRAIN_LENGTH):
            rows = [_row(beat * Q + q) for q in range(Q)]
            values = [int(blocks[number][row, p]) for p in range(P) for row in rows]
            out[int(cycle) + LATENCY + beat] = (number, beat, values)
    return out


async def _start(dut: Any) -> None:
    start_clock(dut)
    dut.step_valid_i.value = 0
    await reset(dut)


async def _compare(dut: Any, lengths: list[int], gaps: float) -> None:
    """Runs blocks of `lengths` and compares what comes out, and when."""
    rng = np.random.default_rng(random.getrandbits(32))
    schedule = _schedule(lengths, gaps)
    x, w = random_operands(rng, len(schedule.cycles), (P, N), (M, N))
    out = _drained(schedule, _accumulators(schedule, x, w))
    # What the ports see: row m's weights m cycles later, random bytes where nothing belongs.
    cycles = max(out) + 10
    x_driven = rng.integers(-128, 128, (cycles, P, N), np.int8)
    w_driven = rng.integers(-128, 128, (cycles, M, N), np.int8)
    x_driven[schedule.cycles] = x
    for row in range(M):
        w_driven[schedule.cycles + row, row] = w[:, row]
    step_of = {int(cycle): step for step, cycle in enumerate(schedule.cycles)}

    for cycle in range(cycles):
        step = step_of.get(cycle)
        dut.step_valid_i.value = step is not None
        dut.step_first_i.value = (
            random.getrandbits(1) if step is None else int(schedule.first[step])
        )
        dut.step_last_i.value = random.getrandbits(1) if step is None else int(schedule.last[step])
        dut.step_shift_i.value = (
            random.getrandbits(1) if step is None else int(schedule.shift[step])
        )
        dut.x_i.value = bits(x_driven[cycle])
        dut.w_i.value = bits(w_driven[cycle])
        await RisingEdge(dut.clk_i)
        assert int(dut.out_valid_o.value) == (cycle in out), f"cycle {cycle}"
        if cycle in out:
            block, beat, values = out[cycle]
            seen = signed_fields(int(dut.out_acc_o.value), ACC_WIDTH, P * Q)
            assert seen == values, f"block {block} of {lengths[block]} steps, beat {beat}"
        await FallingEdge(dut.clk_i)


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(gaps=[0.0, 0.2, 0.8])
async def short_blocks(dut: Any, gaps: float) -> None:
    """Blocks of a step and a few more, which the drain holds up."""
    await _start(dut)
    await _compare(dut, [1, 1, 1, *(random.randint(1, 4) for _ in range(60))], gaps)


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(gaps=[0.0, 0.2])
async def blocks_of_any_length(dut: Any, gaps: float) -> None:
    """Blocks up to a few times the drain, some of which end exactly as early as they may."""
    lengths = [random.randint(1, 3 * DRAIN_LENGTH + 3) for _ in range(30)]
    await _start(dut)
    await _compare(dut, [DRAIN_LENGTH, DRAIN_LENGTH, *lengths, 100], gaps)


@cocotb.test(timeout_time=400, timeout_unit="us")
async def starts_again_after_reset(dut: Any) -> None:
    """A reset of one cycle in the middle of blocks and drains leaves nothing behind."""
    await _start(dut)
    for _ in range(20):
        for step in range(random.randint(LATENCY, LATENCY + 3 * DRAIN_LENGTH)):
            dut.step_valid_i.value = 1
            dut.step_first_i.value = int(step % DRAIN_LENGTH == 0)
            dut.step_last_i.value = int(step % DRAIN_LENGTH == DRAIN_LENGTH - 1)
            dut.step_shift_i.value = 0
            dut.x_i.value = random.getrandbits(len(dut.x_i))
            dut.w_i.value = random.getrandbits(len(dut.w_i))
            await FallingEdge(dut.clk_i)
        await reset(dut, 1)
        await _compare(dut, [1, 2, DRAIN_LENGTH], 0.1)

# SPDX-License-Identifier: Apache-2.0
"""Plans on the simulated RTL, from a memory image to the memory after the run."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from flexcc.backend.image import expected_image, first_difference, initial_image
from flexcc.backend.plan import Plan, StagePlan
from flexcc.backend.rtl import rtl_parameters
from sim.run_program import Failure, MemoryBehaviour, ProgramRun, run_program

__all__ = ["BEHAVIOURS", "run_equal", "run_image", "steps_of", "wild_memory"]


def wild_memory(seed: int, failures: tuple[Failure, ...] = ()) -> MemoryBehaviour:
    """Bursts that take 1 to 400 cycles each and overtake others, pauses on every channel."""
    return MemoryBehaviour(
        latency_cycles=1, latency_most=400, stall_seed=seed, stall_percent=30, failures=failures
    )


BEHAVIOURS = (
    MemoryBehaviour(),
    MemoryBehaviour(stall_seed=5, stall_percent=30, latency_cycles=13),
    wild_memory(6),
)
"""Memory without pauses, with some, and with all."""


def run_image(
    plan: Plan,
    image: NDArray[np.uint8],
    memory: MemoryBehaviour,
    watchdog_cycles: int = 20_000_000,
) -> ProgramRun:
    """The run of a plan's programs on a memory `image`, as long as no error ends it."""
    beats = (len(image) - plan.program_address) // plan.accelerator.beat_bytes
    [run] = run_program(
        rtl_parameters(plan.accelerator),
        image,
        program_offset=plan.program_address,
        program_beats=beats // plan.accelerator.cores,
        watchdog_cycles=watchdog_cycles,
        memory=memory,
    )
    return run


def steps_of(stage: StagePlan) -> int:
    """Steps of all tiles of a stage, those of all cores."""
    runs = [entry.run for entry in stage.entries]
    return sum(
        tile.array.rows
        * tile.array.groups
        * sum(sum(runs[p.list_start : p.list_start + p.list_entries]) for p in tile.passes)
        for tile in stage.tiles
    )


def run_equal(
    plan: Plan,
    inputs: Mapping[str, NDArray[np.int8]],
    tensors: Mapping[str, NDArray[np.int8]],
    memory: MemoryBehaviour,
) -> ProgramRun:
    """Runs `inputs` and asserts that every byte of memory is what the reference's `tensors` say."""
    image = initial_image(plan, inputs)
    run = run_image(plan, image, memory)
    expected = expected_image(plan, image, tensors)
    difference = first_difference(plan, expected, run.memory[: len(image)])
    assert difference is None, str(difference)
    return run

# SPDX-License-Identifier: Apache-2.0
"""The simulated RTL as a machine that turns memory images into memory images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flexcc.backend.plan import Plan
from flexcc.backend.rtl import rtl_parameters
from flexcc.build import Build
from flexcc.errors import InputError, MismatchError
from flexcc.measured import EngineCounts, Measured
from flexcc.options import MemoryOptions, TraceOptions
from flexcc.resources import find_sim

__all__ = ["Image", "Simulated", "simulate", "work_cycles"]

Image = NDArray[np.uint8]

_OPTIMISE_FROM_CYCLES = 3_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulated:
    """The memory after a simulated run, and what it measured."""

    memory: Image
    measured: Measured


def simulate(
    build: Build,
    images: Sequence[Image],
    memory: MemoryOptions,
    *,
    optimise: bool = False,
    trace: TraceOptions | None = None,
    watch: Callable[[int], None] | None = None,
) -> list[Simulated]:
    """Runs on each of `images`, which `build.image` made.

    `optimise` builds the faster simulator however short the runs are; long ones always do. `watch`
    is told now and then how many tiles have been computed, of all images together. `trace` writes
    waveforms.

    Raises:
        InputError: a tool that simulation needs is not installed.
        MismatchError: the accelerator stopped with an error, or did not stop, or broke one of its
            own assertions.
    """
    find_sim()
    from sim.run_program import (  # noqa: PLC0415
        MemoryBehaviour,
        MissingToolError,
        ProgramError,
        SimulationError,
        Trace,
        run_program,
    )

    plan = build.plan
    behaviour = MemoryBehaviour(
        stall_seed=memory.stalls,
        channels=memory.channels,
        beats_per_1000_cycles=memory.beats_per_1000_cycles,
    )
    if memory.latency_cycles is not None:
        behaviour = replace(behaviour, latency_cycles=memory.latency_cycles)
    # Everything between weights and program: inputs, and tensors as they were before any run.
    variable = plan.variable
    work = work_cycles(plan)
    try:
        runs = run_program(
            rtl_parameters(plan.accelerator),
            build.empty_image,
            program_offset=plan.program_address,
            program_beats=build.program_beats,
            # Twenty times its work, and a run hangs.
            watchdog_cycles=20 * work + 1_000_000,
            inputs=[{part.start: image[part] for part in variable} for image in images],
            memory=behaviour,
            optimise=optimise or work * len(images) > _OPTIMISE_FROM_CYCLES,
            watch=watch,
            trace=None
            if trace is None
            else Trace(file=str(trace.file.resolve()), first=trace.first, last=trace.last),
        )
    except MissingToolError as error:
        raise InputError(f"the RTL cannot be simulated: {error}") from error
    except (ProgramError, SimulationError) as error:
        raise MismatchError(f"the simulated RTL failed: {error}") from error
    simulated: list[Simulated] = []
    moved: dict[str, int] = {}
    for run in runs:
        assert run.account is not None
        outcome, account = run.outcome, run.account
        # The memory counts on from run to run.
        before, moved = (
            moved,
            {
                port: counts["read_beats"] + counts["write_beats"]
                for port, counts in outcome.ports.items()
            },
        )
        engines = {
            name: EngineCounts(
                busy=counts["busy"],
                starved=counts["starved"],
                blocked=counts["blocked"],
                idle=plan.accelerator.cores * outcome.cycles - sum(counts.values()),
            )
            for name, counts in outcome.engines.items()
        }
        measured = Measured(
            cycles=outcome.cycles,
            tiles=account.tiles,
            end=account.end,
            engines=engines,
            beats={port: beats - before.get(port, 0) for port, beats in moved.items()},
        )
        simulated.append(Simulated(memory=run.memory, measured=measured))
    return simulated


def work_cycles(plan: Plan) -> int:
    """A bound of the cycles of a run: array steps and memory beats, one after the other."""
    steps = 0
    for stage in plan.stages:
        runs = [entry.run for entry in stage.entries]
        per_group = sum(
            sum(runs[p.list_start : p.list_start + p.list_entries]) for p in stage.tiles[0].passes
        )
        steps += per_group * sum(tile.array.rows * tile.array.groups for tile in stage.tiles)
        loads = sum(
            len(load.addresses) * load.mem_rows * load.row_beats
            for tile in stage.tiles
            for load in (tile.load, *tile.skips)
        )
        fetches = sum(
            fetch.beats * fetch.repeats
            for tile in stage.tiles
            for group in tile.fetches
            for fetch in group
        )
        steps += loads + fetches
    return steps

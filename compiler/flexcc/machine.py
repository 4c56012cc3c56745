# SPDX-License-Identifier: Apache-2.0
"""What can run a build's program on its memory: interpreter, HLS kernel, simulated RTL, board."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flexcc.backend.interpreter import interpret
from flexcc.board_run import run_on_board
from flexcc.build import Build
from flexcc.csimulation import kernel
from flexcc.measured import Measured
from flexcc.options import Executor, MemoryOptions, TraceOptions
from flexcc.progress import Progress
from flexcc.simulation import Image, simulate

__all__ = ["Image", "Machine", "Ran", "machine"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ran:
    """Memory after a run, its cycles if the machine counts them, and where they went if known."""

    memory: Image
    cycles: int | None = None
    measured: Measured | None = None


Machine = Callable[[Sequence[Image]], Sequence[Ran]]
"""Memory before each run to what it made of it."""


def machine(
    build: Build,
    on: Executor,
    memory: MemoryOptions,
    progress: Progress,
    *,
    optimise: bool = False,
    trace: TraceOptions | None = None,
    port: Path | None = None,
) -> Machine:
    """The machine `on` for a build.

    `optimise` and `trace` concern the simulated RTL alone, `port` is the serial device of a board.

    Raises:
        InputError: a tool is missing, or the HLS library does not build the accelerator.
        ValueError: the reference has no memory, a board no port.
    """
    match on:
        case Executor.RTL:

            def simulated(images: Sequence[Image]) -> list[Ran]:
                tiles = build.plan.tiles * len(images)
                runs = simulate(
                    build,
                    images,
                    memory,
                    optimise=optimise,
                    trace=trace,
                    watch=lambda done: progress.detail(f"{done:,} of {tiles:,} tiles"),
                )
                return [
                    Ran(memory=run.memory, cycles=run.measured.cycles, measured=run.measured)
                    for run in runs
                ]

            return simulated
        case Executor.HLS:
            compiled = kernel(build.plan.accelerator)
            program = build.plan.program_address, build.program_beats
            return lambda images: [Ran(memory=compiled.run(image, *program)) for image in images]
        case Executor.INTERPRETER:
            return lambda images: [Ran(memory=_interpret(build, image)) for image in images]
        case Executor.BOARD:
            if port is None:
                raise ValueError("a board has a port")
            return lambda images: [
                Ran(memory=run.memory, cycles=run.cycles)
                for run in run_on_board(build, images, port)
            ]
        case Executor.REFERENCE:
            raise ValueError("the reference has no memory")


def _interpret(build: Build, image: Image) -> Image:
    memory, _ = interpret(
        build.plan.accelerator,
        image,
        program_address=build.plan.program_address,
        program_beats=build.program_beats,
    )
    return memory

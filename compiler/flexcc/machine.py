# SPDX-License-Identifier: Apache-2.0
"""What can run a build's program on its memory: interpreter, HLS kernel, simulated RTL."""

from collections.abc import Callable, Sequence

from flexcc.backend.interpret import interpret
from flexcc.build import Build
from flexcc.csimulation import kernel
from flexcc.measured import Measured
from flexcc.options import Executor, MemoryOptions, TraceOptions
from flexcc.progress import Progress
from flexcc.simulation import Image, simulate

__all__ = ["Image", "Machine", "machine"]

Machine = Callable[[Sequence[Image]], Sequence[tuple[Image, Measured | None]]]
"""Memory before each run to memory after it, and what it measured if it counts cycles."""


def machine(
    build: Build,
    on: Executor,
    memory: MemoryOptions,
    progress: Progress,
    *,
    optimise: bool = False,
    trace: TraceOptions | None = None,
) -> Machine:
    """The machine `on` for a build; `optimise` and `trace` concern the simulated RTL alone.

    Raises:
        InputError: a tool is missing, or the HLS library does not build the accelerator.
        ValueError: the reference has no memory.
    """
    match on:
        case Executor.RTL:

            def simulated(images: Sequence[Image]) -> list[tuple[Image, Measured]]:
                tiles = build.plan.tiles * len(images)
                runs = simulate(
                    build,
                    images,
                    memory,
                    optimise=optimise,
                    trace=trace,
                    watch=lambda done: progress.detail(f"{done:,} of {tiles:,} tiles"),
                )
                return [(run.memory, run.measured) for run in runs]

            return simulated
        case Executor.HLS:
            compiled = kernel(build.plan.accelerator)
            program = build.plan.program_address, build.program_beats
            return lambda images: [(compiled.run(image, *program), None) for image in images]
        case Executor.INTERPRETER:
            return lambda images: [(_interpret(build, image), None) for image in images]
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

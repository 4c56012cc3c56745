# SPDX-License-Identifier: Apache-2.0
"""Runs accelerator programs in Verilator: memory in, memory and counters out.

    [run] = run_program(
        {"M": 8, "P": 4, "N": 8, ...}, image, program_offset=0, program_beats=120,
        watchdog_cycles=1_000_000,
    )
    run.memory, run.outcome.cycles

The simulator is built once per set of parameters (see `sim.verilator`). Needs the `sim` extra.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from sim.harness.account import ACCOUNT, RunAccount, read_account, tiles_so_far
from sim.harness.job import (
    IMAGE,
    JOB_FOLDER_VARIABLE,
    PATCHES,
    Ending,
    Failure,
    Job,
    MemoryBehaviour,
    Outcome,
    Patch,
    Trace,
    memory_file,
)
from sim.harness.registers import ERRORS
from sim.verilator import BuildError, MissingToolError

__all__ = [
    "AcceleratorError",
    "BuildError",
    "Failure",
    "MemoryBehaviour",
    "MissingToolError",
    "Outcome",
    "ProgramError",
    "ProgramRun",
    "ProgramTimeoutError",
    "SimulationError",
    "Trace",
    "run_program",
]

Bytes: TypeAlias = bytes | npt.NDArray[np.uint8]
# Byte offsets and what is written there before a run.
Inputs: TypeAlias = Mapping[int, Bytes]

# Not zero, so that a design that forgets the base address is found out.
DEFAULT_BASE = 0x4_0000_0000
_TOP = "flex_sim_top"
_PAGE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRun:
    """A run: the whole memory after it, the counters, and if it ended the account of its cycles."""

    memory: npt.NDArray[np.uint8]
    outcome: Outcome
    account: RunAccount | None


class ProgramError(Exception):
    """A run did not end well; `number` says which, `run` holds its memory and counters."""

    def __init__(self, message: str, number: int, run: ProgramRun) -> None:
        super().__init__(message)
        self.number = number
        self.run = run


class ProgramTimeoutError(ProgramError):
    """The accelerator was not done when the watchdog's cycles were over."""


class AcceleratorError(ProgramError):
    """The accelerator ended the run with an error code."""


class SimulationError(Exception):
    """The simulator itself failed: an assertion in the design, a crash, no end in real time."""


def run_program(
    parameters: Mapping[str, int],
    image: Path | Bytes,
    *,
    program_offset: int,
    program_beats: int,
    watchdog_cycles: int,
    inputs: Sequence[Inputs] = ({},),
    base: int = DEFAULT_BASE,
    memory: MemoryBehaviour | None = None,
    seed: int | None = None,
    timeout_s: float = 3600.0,
    folder: Path | None = None,
    trace: Trace | None = None,
    optimise: bool = False,
    watch: Callable[[int], None] | None = None,
) -> list[ProgramRun]:
    """Runs a program once for each element of `inputs`, one after the other on one accelerator.

    `parameters` are those of `flex_top`. `image` is the memory at the start; it begins at address
    `base` (whole pages) and must hold everything that the program reads or writes, for other
    addresses answer with an error. Before each run its `inputs` are written into the memory, which
    otherwise stays as the previous run left it. `program_offset` is in bytes. `seed` drives
    uninitialised state and what AXI leaves open. Files and `sim.log` are left in `folder` if given.
    `trace` writes waveforms of some cycles of the first run. `optimise` compiles longer and
    simulates faster. `watch` is told now and then how many tiles have been computed, of all runs
    together.

    Raises:
        AcceleratorError: a run ended with an error code.
        ProgramTimeoutError: a run was not done after `watchdog_cycles`; tells the counters.
        SimulationError: the simulator failed, or took longer than `timeout_s` altogether.
        MissingToolError: the `sim` extra or a program of the system is not installed.
        BuildError: the simulator could not be built.
        ValueError: an input or the program lies outside the image.
    """
    if base % _PAGE:
        raise ValueError(f"the memory starts at a page, not at {base:#x}")
    with tempfile.TemporaryDirectory(prefix="flexcc-") as temporary:
        work = Path(temporary) if folder is None else folder.resolve()
        work.mkdir(parents=True, exist_ok=True)
        size = _write_image(image, work / IMAGE)
        if not 0 <= program_offset < size:
            raise ValueError(f"the program at {program_offset} lies outside of {size} bytes")
        job = Job(
            base=base,
            program_offset=program_offset,
            program_beats=program_beats,
            watchdog_cycles=watchdog_cycles,
            cores=parameters.get("Cores", 1),
            on_chip=parameters.get("OnChipBytes", 0) > 0,
            memory=memory or MemoryBehaviour(),
            runs=_write_patches(inputs, size, work / PATCHES),
            trace=trace,
        )
        job.write(work)
        for stale in (*work.glob("outcome_*.json"), *work.glob("memory_*.bin")):
            stale.unlink()
        (work / ACCOUNT).unlink(missing_ok=True)
        _simulate(
            parameters,
            work,
            seed,
            timeout_s,
            traced=trace is not None,
            optimise=optimise,
            watch=watch,
        )
        accounts = read_account(work / ACCOUNT)
        return [_result(work, number, accounts) for number in range(len(inputs))]


def _simulate(
    parameters: Mapping[str, int],
    work: Path,
    seed: int | None,
    timeout_s: float,
    *,
    traced: bool,
    optimise: bool,
    watch: Callable[[int], None] | None,
) -> None:
    try:
        # Imported here: without the `sim` extra this module still explains what is missing.
        from sim.runner import simulate  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"simulation needs the package {error.name}; install it with: pip install 'flexcc[sim]'"
        ) from error
    try:
        passed = simulate(
            _TOP,
            work,
            parameters,
            env={JOB_FOLDER_VARIABLE: str(work)},
            plusargs=[f"+account={work / ACCOUNT}"],
            seed=seed,
            timeout_s=timeout_s,
            traceable=traced,
            optimise=optimise,
            watch=None if watch is None else lambda: watch(tiles_so_far(work / ACCOUNT)),
        )
    except AssertionError as error:
        raise SimulationError(str(error)) from error
    if passed != 1:
        raise SimulationError(f"the bench of {_TOP} is one test, and {passed} ran")


def _result(work: Path, number: int, accounts: Sequence[RunAccount]) -> ProgramRun:
    outcome = Outcome.read(work, number)
    if outcome is None:
        raise SimulationError(f"run {number} left no outcome")
    # A private mapping: it outlives the folder, and writing to it changes no file.
    memory = np.memmap(memory_file(work, number), dtype=np.uint8, mode="c")
    account = accounts[number] if number < len(accounts) else None
    run = ProgramRun(memory=memory, outcome=outcome, account=account)
    match outcome.ending:
        case Ending.DONE:
            return run
        case Ending.ERROR:
            text = ERRORS.get(outcome.error, "unknown")
            message = f"run {number}: error {outcome.error} ({text}); {_state(outcome)}"
            raise AcceleratorError(message, number, run)
        case Ending.TIMEOUT:
            message = f"run {number}: not done when the watchdog ended it; {_state(outcome)}"
            raise ProgramTimeoutError(message, number, run)


def _state(outcome: Outcome) -> str:
    """All counters on one line."""
    counters = [f"cycles={outcome.cycles}", f"tiles_done={outcome.tiles_done}"]
    for group in (outcome.engines, outcome.ports):
        for name, values in group.items():
            numbers = ", ".join(f"{key} {value}" for key, value in values.items())
            counters.append(f"{name}: {numbers}")
    return "; ".join(counters)


def _write_image(image: Path | Bytes, path: Path) -> int:
    """Brings the image to `path`, without a copy if it is a file; returns its size."""
    if isinstance(image, Path):
        target = image.resolve(strict=True)
        if target != path:
            path.unlink(missing_ok=True)
            path.symlink_to(target)
    else:
        path.unlink(missing_ok=True)
        np.frombuffer(image, dtype=np.uint8).tofile(path)
    return path.stat().st_size


def _write_patches(
    inputs: Sequence[Inputs], size: int, path: Path
) -> tuple[tuple[Patch, ...], ...]:
    """Writes the bytes of all inputs to `path`, one after the other; returns where each goes."""
    runs: list[tuple[Patch, ...]] = []
    with path.open("wb") as file:
        for number, run in enumerate(inputs):
            patches: list[Patch] = []
            for offset, data in run.items():
                piece = data if isinstance(data, bytes) else data.tobytes()
                if offset < 0 or offset + len(piece) > size:
                    raise ValueError(
                        f"input {number}: {len(piece)} bytes at {offset} lie outside of {size}"
                    )
                patches.append(Patch(offset=offset, source=file.tell(), size=len(piece)))
                file.write(piece)
            runs.append(tuple(patches))
    return tuple(runs)

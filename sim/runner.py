# SPDX-License-Identifier: Apache-2.0
"""Runs cocotb benches: `simulate(top, ...)` builds a module and runs its bench in Verilator."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cocotb_tools.config
import find_libpython

from sim.sources import ROOT
from sim.verilator import Design, Parameters, build

DEFAULT_SEED = 1
_LOG_TAIL_LINES = 60
_WATCH_PERIOD_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """Names of a bench's cocotb tests by outcome."""

    passed: tuple[str, ...]
    failed: tuple[str, ...]


def default_seed() -> int:
    """The seed of a run that names none: `$FLEXCC_SEED`, else a constant."""
    return int(os.environ.get("FLEXCC_SEED", DEFAULT_SEED))


def simulate(
    top: str,
    build_dir: Path | None,
    parameters: Parameters,
    *,
    bench: str | None = None,
    env: Mapping[str, str] | None = None,
    extra_sources: Sequence[Path] = (),
    plusargs: Sequence[str] = (),
    seed: int | None = None,
    timeout_s: float = 300.0,
    trace: bool = False,
    traceable: bool = False,
    optimise: bool = False,
    watch: Callable[[], None] | None = None,
) -> int:
    """Builds module `top` with `parameters`, runs its bench, returns the number of passed tests.

    The bench is the module `sim.benches.<top>` unless `bench` names another importable one. The
    run leaves `results.xml`, `sim.log` and, with `trace`, `dump.fst` in `build_dir` (a temporary
    folder if None); `traceable` leaves it to the bench what is written when
    (`sim.start.trace`). `env` adds environment variables for the bench. `seed` drives Python's
    `random` in the bench and every uninitialised bit of the design. `watch` is called now and then
    while the simulator runs.

    Raises:
        AssertionError: a test failed, no test ran, or the simulator died or hung; names the
            failed tests, the seed and the command that repeats the run.
        BuildError, MissingToolError: see `sim.verilator.build`.
    """
    design = Design(
        top=top,
        parameters=dict(parameters),
        extra_sources=tuple(extra_sources),
        trace=trace or traceable,
        optimise=optimise,
    )
    executable = build(design)
    seed = default_seed() if seed is None else seed
    with tempfile.TemporaryDirectory(prefix=f"{top}-") as temporary:
        folder = Path(temporary) if build_dir is None else build_dir.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        bench_env = _bench_environment(top, bench or f"sim.benches.{top}", folder, seed)
        command = [str(executable), *(["--trace"] if trace else [])]
        command += [
            "+verilator+rand+reset+2",
            f"+verilator+seed+{_verilator_seed(seed)}",
            *plusargs,
        ]
        ended = _run(command, folder, bench_env | dict(env or {}), timeout_s, watch)
        return _judge(top, folder, seed, ended)


def _bench_environment(top: str, bench: str, folder: Path, seed: int) -> dict[str, str]:
    """Environment of a simulator that runs cocotb module `bench` on module `top`."""
    libpython = find_libpython.find_libpython()
    if libpython is None:
        raise RuntimeError(
            "no shared libpython found; cocotb needs a Python built with --enable-shared"
        )
    python_path = [str(ROOT), *(path for path in sys.path if path)]
    return {
        **os.environ,
        "COCOTB_TOPLEVEL": top,
        "COCOTB_TEST_MODULES": bench,
        "COCOTB_RANDOM_SEED": str(seed),
        "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
        # Verilator applies writes at the right moment; this also allows the clock written in C++.
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "TOPLEVEL_LANG": "verilog",
        "GPI_USERS": f"{libpython};{cocotb_tools.config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join(python_path),
    }


def _verilator_seed(seed: int) -> int:
    """Verilator takes seeds from 1 to 2^31 - 1."""
    return seed % (2**31 - 1) + 1


def _run(
    command: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    timeout_s: float,
    watch: Callable[[], None] | None,
) -> str | None:
    """Runs the simulator in `folder`; returns what was wrong with its end, if anything."""
    for stale in ("results.xml", "dump.fst"):
        (folder / stale).unlink(missing_ok=True)
    with open(folder / "sim.log", "w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = _wait(process, timeout_s, watch)
        except subprocess.TimeoutExpired:
            return f"no end after {timeout_s} s"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return None if code == 0 else f"the simulator ended with code {code}"


def _wait(
    process: subprocess.Popen[bytes], timeout_s: float, watch: Callable[[], None] | None
) -> int:
    """The process's code, once it has ended.

    Raises:
        subprocess.TimeoutExpired: it had not after `timeout_s`.
    """
    end = time.monotonic() + timeout_s
    while watch is not None:
        try:
            return process.wait(min(_WATCH_PERIOD_S, max(end - time.monotonic(), 0)))
        except subprocess.TimeoutExpired:
            if time.monotonic() >= end:
                raise
            watch()
    return process.wait(timeout_s)


def _judge(top: str, folder: Path, seed: int, ended: str | None) -> int:
    """The number of passed tests, or an AssertionError that tells what failed."""
    result = _read_results(folder / "results.xml")
    problems = [f"failed: {name}" for name in result.failed]
    if ended is not None:
        problems.append(ended)
    if not result.passed and not problems:
        problems.append("no test ran")
    if not problems:
        return len(result.passed)
    log = (folder / "sim.log").read_text(errors="replace").splitlines()
    raise AssertionError(
        "\n".join(
            [
                f"{top}: " + "; ".join(problems),
                *log[-_LOG_TAIL_LINES:],
                f"seed {seed}; repeat with: FLEXCC_SEED={seed} {_repeat_command()}",
            ]
        )
    )


def _repeat_command() -> str:
    """The command that repeats the running test, as far as it is known."""
    test = os.environ.get("PYTEST_CURRENT_TEST")
    if test is None:
        return shlex.join([sys.executable, *sys.argv])
    return "pytest " + shlex.quote(test.rsplit(" ", 1)[0])


def _read_results(path: Path) -> BenchResult:
    """Reads cocotb's JUnit file; a missing one means that no test was finished."""
    passed: list[str] = []
    failed: list[str] = []
    if path.is_file():
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            outcomes = {child.tag for child in case}
            if outcomes & {"failure", "error"}:
                failed.append(case.get("name", "?"))
            elif "skipped" not in outcomes:
                passed.append(case.get("name", "?"))
    return BenchResult(passed=tuple(passed), failed=tuple(failed))

# SPDX-License-Identifier: Apache-2.0
"""Whole networks in C simulation of the HLS kernel, at the shapes that the RTL is measured at.

`python -m designs.whole.hls [NETWORK...]` measures them (default: all whose models are at hand; a
trained network is `trained/NAME`) and writes hls.json. What counts is processor time, of all
threads: with cores to spare the run takes no longer.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from designs.machine import machine
from designs.trained import whole as trained
from designs.whole import networks
from designs.whole.tables import header, row
from flexcc import compile_model, reference
from flexcc.backend.image import expected_image, first_difference
from flexcc.build import Build, load_build
from flexcc.console import progress
from flexcc.csimulation import kernel
from flexcc.errors import MismatchError
from flexcc.execute import read_inputs
from flexcc.options import RunOptions
from flexcc.progress import Progress

__all__ = ["LIMITS", "NAMES", "Simulated", "at_hand", "main", "measure", "section", "stored"]

NAMES = (*networks.WHOLE, *(f"trained/{name}" for name in trained.RUNS))
"""The networks that are simulated; the trained ones by their folder."""

LIMITS = {"enet": 60.0, "unet": 180.0}
"""The seconds of processor time that a simulation may take at most."""

_STORED = Path(__file__).parent / "hls.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """A network on one image, every byte of memory equal to the reference's.

    Seconds are processor time: of the compiler, and of the run in all its threads; `elapsed` is how
    long the run took, whatever else the machine was doing. `machine` says what it was.
    """

    array: tuple[int, int, int]
    compared_bytes: int
    compiler_seconds: float
    run_seconds: float
    elapsed_seconds: float
    machine: str


def at_hand(name: str) -> bool:
    """Whether the model of a network is here."""
    own = name.removeprefix("trained/")
    return own == name or trained.at_hand(own)


def measure(name: str, reports: Progress) -> Simulated:
    """Compiles a network and simulates its kernel on an image.

    Raises:
        FlexccError: it cannot be compiled, stands still, or a byte differs.
    """
    own = name.removeprefix("trained/")
    with tempfile.TemporaryDirectory() as scratch, _cache(Path(scratch) / "cache"):
        folder = Path(scratch)
        if own == name:
            options = networks.compilation(networks.load_whole(own), folder)
        else:
            options = trained.compilation(trained.load_run(own), folder)
        compile_model(replace(options, verify=()), reports)
        build = load_build(options.output)
        tensors = _image(build, folder, options.calibration, reports)
        reports.step(f"simulating {name} on hls")
        return _simulate(build, tensors)


def _simulate(build: Build, inputs: dict[str, NDArray[np.int8]]) -> Simulated:
    plan, a = build.plan, build.plan.accelerator
    image = build.image(inputs)
    began = _processor_seconds(resource.RUSAGE_CHILDREN)
    simulated = kernel(a)
    compiling = _processor_seconds(resource.RUSAGE_CHILDREN) - began
    began, clock = _processor_seconds(resource.RUSAGE_SELF), time.perf_counter()
    after = simulated.run(image, plan.program_address, build.program_beats)
    running = _processor_seconds(resource.RUSAGE_SELF) - began
    elapsed = time.perf_counter() - clock
    batched = {name: values[np.newaxis] for name, values in inputs.items()}
    tensors = {name: values[0] for name, values in reference.run(build.graph, batched).items()}
    expected = expected_image(plan, image, tensors)
    difference = first_difference(plan, expected, after)
    if difference is not None:
        raise MismatchError(f"{build.model} on the HLS kernel: {difference}")
    return Simulated(
        array=(a.m, a.p, a.n),
        compared_bytes=len(expected),
        compiler_seconds=round(compiling, 1),
        run_seconds=round(running, 1),
        elapsed_seconds=round(elapsed, 1),
        machine=_machine(),
    )


def _image(
    build: Build, folder: Path, samples: Path | None, reports: Progress
) -> dict[str, NDArray[np.int8]]:
    """The image that the RTL is verified on, [C, H, W] by tensor name."""
    if samples is None:
        random = np.random.default_rng(0)
        arrays = {
            port.onnx_name: random.standard_normal(port.onnx_shape, dtype=np.float32)
            for port in build.graph.inputs
        }
    else:
        with np.load(samples) as data:
            arrays = {name: data[name][:1] for name in data}
    path = folder / "image.npz"
    floats: dict[str, Any] = {name: array.astype(np.float32) for name, array in arrays.items()}
    np.savez(path, **floats)
    options = RunOptions(build=folder / "build", input=path, output=folder / "unused.npz")
    _, batch = read_inputs(build, options, reports)
    return {name: values[0] for name, values in batch.tensors.items()}


@contextmanager
def _cache(folder: Path) -> Iterator[None]:
    """Kernels are kept in `folder`: one that was compiled before would take no time."""
    with mock.patch.dict(os.environ, FLEXCC_SIM_CACHE=str(folder)):
        yield


def _processor_seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _machine() -> str:
    """Processor, cores and compiler."""
    compiler = os.environ.get("CXX", "g++")
    shown = subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True)
    return f"{machine()}, {shown.stdout.splitlines()[0]}"


def stored() -> dict[str, Simulated]:
    """What was measured last, by name."""
    entries = json.loads(_STORED.read_text()) if _STORED.is_file() else {}
    return {
        name: Simulated(**{**entry, "array": tuple(entry["array"])})
        for name, entry in entries.items()
    }


def _store(figures: dict[str, Simulated]) -> None:
    """Keeps the figures of the networks that were measured, and those known of others."""
    known = {**stored(), **figures}
    entries = {name: asdict(known[name]) for name in NAMES if name in known}
    _STORED.write_text(json.dumps(entries, indent=1) + "\n")


def section() -> str:
    """The section of docs/results.md."""
    known = stored()
    rows = "\n".join(row(_row(name, figures)) for name, figures in known.items())
    machines = "\n".join(f"- {machine}" for machine in sorted({f.machine for f in known.values()}))
    columns = ("network, array", "bytes compared", "compiler", "run", "at most", "elapsed")
    return f"""\
## Whole networks on the HLS kernel

The same networks, arrays, programs and images in C simulation of the [HLS kernel](hls.md): all of
memory is equal to the integer reference's, as that of the RTL is.
`python -m designs.whole.hls` repeats it. Seconds of processor time, of all threads together; what
elapses meanwhile depends on what else the machine does. Measured on:

{machines}

{header(*columns)}
{rows}
"""


def _row(name: str, figures: Simulated) -> tuple[str, ...]:
    m, p, n = figures.array
    limit = LIMITS.get(name)
    return (
        f"{name}, {m} x {p} x {n}, {m * p * n:,} MAC per cycle",
        f"{figures.compared_bytes:,}",
        f"{figures.compiler_seconds:.1f} s",
        f"{figures.run_seconds:.1f} s",
        "" if limit is None else f"{limit:.0f} s",
        f"{figures.elapsed_seconds:.1f} s",
    )


def main(names: tuple[str, ...]) -> None:
    """Measures the networks `names`, and keeps the figures of each as soon as it is measured."""
    with progress(Console(stderr=True), wanted=True) as reports:
        for name in names:
            _store({name: measure(name, reports)})


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or tuple(filter(at_hand, NAMES)))

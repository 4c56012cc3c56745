# SPDX-License-Identifier: Apache-2.0
"""How long whole networks take in the simulated RTL, once their simulator is built.

`python -m designs.whole.simulation [NETWORK...]` runs `flexcc run --on rtl` twice (default: all
with a limit) and writes what the second run took to `simulation.json`.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from designs.machine import machine
from designs.whole.networks import compilation, load_whole
from designs.whole.tables import header, row
from flexcc import compile_model
from flexcc.build import load_build
from flexcc.console import progress
from flexcc.progress import Progress

__all__ = ["LIMITS", "Simulation", "main", "section", "stored"]

LIMITS = {"enet": 60.0, "unet": 180.0}
"""The seconds that a simulation may take at most."""

_STORED = Path(__file__).with_name("simulation.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A whole run of a network in the simulated RTL, from the command to the outputs in a file.

    `processor_seconds` are those of one thread, `elapsed_seconds` how long it took, whatever else
    the machine was doing. `machine` says what it was.
    """

    processor_seconds: float
    elapsed_seconds: float
    machine: str


def stored() -> dict[str, Simulation]:
    """What was measured last, by network."""
    entries = json.loads(_STORED.read_text()) if _STORED.is_file() else {}
    return {name: Simulation(**entry) for name, entry in entries.items()}


def measure(name: str, reports: Progress) -> Simulation:
    """Compiles a network and simulates it twice, the first time to build its simulator.

    Raises:
        CalledProcessError: a run fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        options = compilation(load_whole(name), folder)
        compile_model(options, reports)
        random = np.random.default_rng(0)
        images: dict[str, Any] = {
            port.onnx_name: random.random(port.onnx_shape, dtype=np.float32)
            for port in load_build(options.output).graph.inputs
        }
        np.savez(folder / "images.npz", **images)
        reports.step(f"building the simulator of {name}")
        _run(options.output, folder)
        reports.step(f"simulating {name}")
        return _run(options.output, folder)


def _run(build: Path, folder: Path) -> Simulation:
    words = [
        "-m",
        "flexcc",
        "run",
        str(build),
        "--on",
        "rtl",
        "--input",
        str(folder / "images.npz"),
    ]
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, *words, "--output", str(folder / "outputs.npz")],
        check=True,
        capture_output=True,
    )
    elapsed = time.perf_counter() - clock
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return Simulation(
        processor_seconds=round(user + system, 1),
        elapsed_seconds=round(elapsed, 1),
        machine=machine(),
    )


def section() -> str:
    """The section of docs/results.md."""
    known = stored()
    rows = "\n".join(
        row((name, *_cells(item, LIMITS[name]))) for name, item in sorted(known.items())
    )
    machines = ", ".join(sorted({item.machine for item in known.values()}))
    return f"""\
## Time of a simulation

`flexcc run BUILD --on rtl` once the simulator is built, from the command to the outputs in a file.
One thread; `python -m designs.whole.simulation` repeats it. Measured on {machines}.

{header("network", "processor", "elapsed", "at most")}
{rows}
"""


def _cells(item: Simulation, limit: float) -> tuple[str, ...]:
    seconds = (item.processor_seconds, item.elapsed_seconds)
    return (*(f"{value:.1f} s" for value in seconds), f"{limit:.0f} s")


def main(names: Sequence[str] = ()) -> None:
    """Measures the networks `names`, or all, and keeps the figures."""
    known = stored()
    with progress(Console(stderr=True), wanted=True) as reports:
        for name in names or LIMITS:
            known[name] = measure(name, reports)
            entries = {key: asdict(value) for key, value in sorted(known.items())}
            _STORED.write_text(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

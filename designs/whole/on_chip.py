# SPDX-License-Identifier: Apache-2.0
"""Tensors in on-chip memory: cycles, and the bytes that shared memory is spared.

`python -m designs.whole.on_chip [NAME...]` measures RUNS (default: all) and keeps their figures in
`on_chip.json`. The cycles without on-chip memory are those of the same networks' stored runs.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console

from designs.design import FOLDER
from designs.whole.board import compilation as board_compilation
from designs.whole.board import stored as stored_board
from designs.whole.networks import compilation, load_whole, stored_report
from designs.whole.verified import verified
from flexcc.build import load_build
from flexcc.console import progress
from flexcc.options import Options
from flexcc.progress import Progress

__all__ = ["RUNS", "Figures", "main", "measure", "section", "stored"]

_COLUMNS = (
    *("network, memory", "cores, array", "on chip", "cycles before", "cycles", "estimated"),
    *("shared memory before", "shared memory", "compared"),
)
_STORED = FOLDER / "whole" / "on_chip.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A network on some cores: how it is compiled into a folder, and its cycles without."""

    network: str
    memory: str
    options: Callable[[Path], Options]
    before: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A run of the simulated RTL that left every byte as it must be.

    `size` are the bytes of on-chip RAM, `uram` its blocks, `tensors` those that lie in it. `shared`
    and `near` are the bytes that shared and on-chip memory moved.
    """

    array: tuple[int, int, int]
    cores: int
    size: int
    uram: int
    tensors: int
    before: int
    cycles: int
    estimated: int
    shared: int
    near: int
    compared_bytes: int


def _one_core(name: str) -> Run:
    return Run(
        network=name,
        memory="a channel for each port",
        options=lambda folder: compilation(load_whole(name), folder),
        before=lambda: int(stored_report(name)["cycles"]["measured"]),
    )


def _on_board(name: str) -> Run:
    return Run(
        network=name,
        memory="shared channels",
        options=lambda folder: board_compilation(name, folder),
        before=lambda: stored_board(name).cycles,
    )


RUNS: Mapping[str, Run] = {"enet": _one_core("enet"), "enet/board": _on_board("enet")}
"""What is measured, by name."""


def measure(run: Run, reports: Progress) -> Figures:
    """Compiles a network with tensors on the chip and simulates an image of random pixels.

    Raises:
        FlexccError: it cannot be compiled, or a byte differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = replace(run.options(Path(folder)), on_chip=None)
        found = verified(options, reports)
        mapping = load_build(options.output).mapping
    a, report = mapping.accelerator, found.report
    assert report.run is not None
    assert report.resources.uram.used is not None
    beats = dict(report.run.beats)
    near = beats.pop("on_chip")
    return Figures(
        array=(a.m, a.p, a.n),
        cores=a.cores,
        size=a.on_chip_bytes,
        uram=report.resources.uram.used,
        tensors=len(mapping.residents),
        before=run.before(),
        cycles=found.cycles,
        estimated=found.estimated,
        shared=sum(beats.values()) * a.beat_bytes,
        near=near * a.beat_bytes,
        compared_bytes=found.compared_bytes,
    )


def stored() -> dict[str, Figures]:
    """What the last measurements wrote."""
    if not _STORED.is_file():
        return {}
    raw = json.loads(_STORED.read_text())
    return {name: Figures(**{**raw[name], "array": tuple(raw[name]["array"])}) for name in raw}


def section() -> str:
    """The section of docs/results.md."""
    rows = "\n".join(_row(name, figures) for name, figures in stored().items())
    return f"""\
## Tensors on the chip

With `--on-chip auto`, tensors that one layer writes and others read stay in UltraRAM beside the
shared memory ([dse.md](dse.md)): graph inputs, outputs, weights and program are what is left there.
The RAM is simulated as it is built, every byte of every tensor compared. Without on-chip memory
shared memory moves the bytes of both. The cycles before are those that the network's run without
it had when this was measured, by the mapping of its own day. The estimate knows no shared channels.
`python -m designs.whole.on_chip` repeats it.

| {" | ".join(_COLUMNS)} |
|{"---|" * len(_COLUMNS)}
{rows}
"""


def _row(name: str, figures: Figures) -> str:
    run = RUNS[name]
    shape = " x ".join(map(str, figures.array))
    moved = figures.shared + figures.near
    faster, fewer = figures.cycles / figures.before - 1, figures.shared / moved - 1
    return (
        f"| {run.network}, {run.memory} | {figures.cores} of {shape} "
        f"| {figures.tensors} tensors in {figures.size:,} bytes, {figures.uram} URAM "
        f"| {figures.before:,} | {figures.cycles:,} ({faster:+.1%}) | {figures.estimated:,} "
        f"| {moved:,} | {figures.shared:,} ({fewer:+.0%}) | {figures.compared_bytes:,} |"
    )


def main(names: tuple[str, ...] = tuple(RUNS)) -> None:
    """Measures the runs `names` and keeps their figures beside those of others."""
    with progress(Console(stderr=True), wanted=True) as reports:
        measured = {name: measure(RUNS[name], reports) for name in names}
    figures = stored() | measured
    ordered = {name: asdict(figures[name]) for name in RUNS if name in figures}
    _STORED.write_text(json.dumps(ordered, indent=1) + "\n")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or tuple(RUNS))

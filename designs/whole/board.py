# SPDX-License-Identifier: Apache-2.0
"""Networks on a whole board: several cores, and the board's memory channels between them.

`python -m designs.whole.board [NETWORK...]` measures those with a `board.toml` (default: all) and
writes each one's `board.json`. The goals are a fifteenth of the latency that FlexCNN's authors
model for the same networks at 300 MHz.
"""

import json
import sys
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from designs.design import FOLDER
from designs.models import NETWORKS, write_network
from designs.whole.verified import verified
from flexcc.console import progress
from flexcc.driver import explore_model
from flexcc.options import ArrayShape, ExploreOptions, Options
from flexcc.progress import Progress
from flexcc.targets import load_device

__all__ = [
    "BOARDS",
    "Board",
    "Figures",
    "compilation",
    "load_board",
    "main",
    "measure",
    "section",
    "stored",
]

BOARDS = tuple(name for name in sorted(NETWORKS) if (FOLDER / name / "board.toml").is_file())
"""The names of the networks that are run on a board's memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A network's board, array and cores, and the cycles in which an image has to be done."""

    target: str
    array: tuple[int, int, int]
    cores: int
    most_cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A run of the simulated RTL that left every byte as it must be.

    `estimated` are the explorer's cycles with shared memory channels, `moved` the bytes.
    """

    cycles: int
    estimated: int
    dsp: int
    moved: int
    compared_bytes: int


def load_board(name: str) -> Board:
    """The `board.toml` of a network; TypeError for a key too many or too few."""
    values = tomllib.loads((FOLDER / name / "board.toml").read_text())
    return Board(**{**values, "array": tuple(values["array"])})


def stored(name: str) -> Figures:
    """What the last measurement of a network wrote."""
    return Figures(**json.loads(_path(name).read_text()))


def compilation(name: str, folder: Path) -> Options:
    """How a network is compiled from and to `folder`, in which its model is written."""
    board = load_board(name)
    m, p, n = board.array
    model = folder / f"{name}.onnx"
    write_network(name, model)
    return Options(
        model=model,
        target=board.target,
        output=folder / "build",
        random_calibration=True,
        array=ArrayShape(m=m, p=p, n=n),
        cores=board.cores,
        board_memory=True,
    )


def measure(name: str, reports: Progress) -> Figures:
    """Compiles a network for its cores and simulates an image of random pixels.

    Raises:
        FlexccError: it cannot be compiled, or a byte differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = compilation(name, Path(folder))
        run = verified(options, reports)
        source = ExploreOptions(
            model=options.model,
            target=options.target,
            random_calibration=True,
            array=options.array,
            cores=options.cores,
        )
        design = explore_model(source, reports).front.best
    assert design.dsp == run.report.resources.dsp.used, "the design that is simulated"
    return Figures(
        cycles=run.cycles,
        estimated=design.cycles,
        dsp=design.dsp,
        moved=design.traffic,
        compared_bytes=run.compared_bytes,
    )


def section() -> str:
    """The section of docs/results.md."""
    rows = "\n".join(_row(name) for name in BOARDS)
    return f"""\
## Whole boards

Several cores on one image, and one memory: all ports share the channels of the U250, four of 64
bytes a cycle each, read and written together, 85 % of it usable, in which pages of 4 KB lie in
turn. The interleaving is assumed: the address maps of the card's own platform do not do it. The
estimate counts how long ports wait for each other ([dse.md](dse.md)); a test fails above 5 %.
Simulated with seeded random weights, every byte compared. The goal is a fifteenth of the latency
that FlexCNN's authors model for the network at 300 MHz. `python -m designs.whole.board` repeats it.

| network | cores, array | DSP | cycles | estimated | goal | at assumed 300 MHz | moved | compared |
|---|---|---|---|---|---|---|---|---|
{rows}
"""


def _row(name: str) -> str:
    board, figures = load_board(name), stored(name)
    device = load_device(board.target)
    shape = " x ".join(map(str, board.array))
    return (
        f"| {name} | {board.cores} of {shape} | {figures.dsp:,} ({figures.dsp / device.dsp:.0%}) "
        f"| {figures.cycles:,} | {figures.estimated:,} | {board.most_cycles:,} "
        f"| {figures.cycles / 300e3:.2f} ms | {figures.moved:,} | {figures.compared_bytes:,} |"
    )


def _path(name: str) -> Path:
    return FOLDER / name / "board.json"


def main(names: tuple[str, ...] = BOARDS) -> None:
    """Measures the networks `names` and keeps their figures."""
    with progress(Console(stderr=True), wanted=True) as reports:
        for name in names:
            _path(name).write_text(json.dumps(asdict(measure(name, reports)), indent=1) + "\n")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or BOARDS)

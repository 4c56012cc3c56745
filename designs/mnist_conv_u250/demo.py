# SPDX-License-Identifier: Apache-2.0
"""Compiles the digit network, simulates its accelerator, shows what it reads and how fast.

Run by `make demo`. Everything it prints has been computed in this run.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.columns import Columns
from rich.console import Console
from rich.table import Column, Table

from designs.design import load_design
from flexcc import compile_model
from flexcc.console import progress, stdout
from flexcc.driver import require_equal
from flexcc.execute import run_build
from flexcc.options import Backend, Executor, MemoryOptions, RunOptions
from flexcc.progress import Progress
from flexcc.report import Report, RunSummary
from flexcc.report_text import summary_rows

STALL_SEED = 1
_SHADES = " .:-=+*#%@"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figures:
    """What the demonstration shows."""

    report: Report
    stalled: RunSummary
    digits: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    predicted: NDArray[np.intp]
    right: int
    total: int


def measure(output: Path, reports: Progress) -> Figures:
    """Compiles into `output`, simulates with and without stalls, reads all digits.

    Raises:
        FlexccError: anything fails, a byte that differs included.
    """
    design = load_design("mnist_conv_u250")
    report = compile_model(design.options(output, (Backend.RTL,)), reports)
    require_equal(report)
    with np.load(design.calibration_file) as data:
        digits, labels = data["x"], data["y"]
    # The digits are sorted by class.
    chosen = np.linspace(0, len(digits) - 1, design.verify_images).astype(int)
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder) / "x.npz", Path(folder) / "y.npz"
        np.savez(inputs, x=digits[chosen])
        stalled = run_build(
            RunOptions(
                build=output,
                input=inputs,
                output=outputs,
                on=Executor.RTL,
                check=True,
                memory=MemoryOptions(stalls=STALL_SEED),
            ),
            reports,
        )
        predicted = _classes(outputs)
        run_build(RunOptions(build=output, input=design.calibration_file, output=outputs), reports)
        read = _classes(outputs)
    return Figures(
        report=report,
        stalled=stalled,
        digits=digits[chosen, 0],
        labels=labels[chosen],
        predicted=predicted,
        right=int((read == labels).sum()),
        total=len(labels),
    )


def _classes(outputs: Path) -> NDArray[np.intp]:
    """The class of each image: the largest of the ten outputs."""
    with np.load(outputs) as arrays:
        (scores,) = (arrays[name] for name in arrays.files)
    classes: NDArray[np.intp] = scores.reshape(len(scores), -1).argmax(axis=1)
    return classes


def _picture(digit: NDArray[np.uint8]) -> str:
    """A digit of 28 x 28 pixels in 7 lines of 14 characters."""
    blocks = digit.reshape(7, 4, 14, 2).mean(axis=(1, 3)) / 256 * len(_SHADES)
    return "\n".join("".join(_SHADES[int(value)] for value in row) for row in blocks)


def show(figures: Figures, console: Console) -> None:
    """Prints the digits, what the accelerator read, and the figures."""
    pictures = (
        f"{_picture(digit)}\nis {label}, read as {'' if label == got else '[red]'}{got}"
        f"{'' if label == got else '[/]'}"
        for digit, label, got in zip(figures.digits, figures.labels, figures.predicted, strict=True)
    )
    console.print(Columns(pictures, padding=(1, 3), equal=True))
    read = int((figures.predicted == figures.labels).sum())
    stalled = figures.stalled
    rows = [
        ("digits read by the simulated RTL", f"{read} of {len(figures.labels)} right"),
        ("digits read by the integer reference", f"{figures.right:,} of {figures.total:,} right"),
        ("accuracy", f"{figures.right / figures.total:.2%}"),
        *summary_rows(figures.report),
        (
            "the same with random memory stalls",
            f"equal in all {stalled.compared_bytes:,} bytes, {stalled.cycles:,} cycles",
        ),
    ]
    table = Table(Column(), Column(), box=box.SIMPLE, show_header=False)
    for label, text in rows:
        table.add_row(label, text)
    console.print(table)


@contextmanager
def _timed(console: Console) -> Iterator[None]:
    start = time.monotonic()
    yield
    console.print(f"{time.monotonic() - start:.0f} s")


def main() -> None:
    """Shows the demonstration; the build stays in build/mnist_conv_u250."""
    console = stdout()
    output = Path("build") / "mnist_conv_u250"
    with _timed(console):
        console.print("Compiling, then building a simulator of the accelerator (a minute) ...")
        with progress(Console(stderr=True), wanted=True) as reports:
            figures = measure(output, reports)
        show(figures, console)
        console.print(f"The accelerator is in {output}: open {output}/report.html.")


if __name__ == "__main__":
    main()

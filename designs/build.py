# SPDX-License-Identifier: Apache-2.0
"""Compiles a guarded design: `python -m designs.build DESIGN FOLDER`, for the top level's make.

Beside the folder stands an input to run it on, FOLDER.x.npz: the first sample that calibrates, or
random values.
"""

from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from designs.regression.guarded import GUARDED
from flexcc import compile_model
from flexcc.build import load_build
from flexcc.console import progress
from flexcc.options import Options

__all__ = ["build_design"]


def build_design(name: str, folder: Path) -> None:
    """Writes the build, and `<folder>.x.npz` beside it."""
    [design] = [design for design in GUARDED if design.name == name]
    options = design.options(folder, ())
    with progress(Console(stderr=True), wanted=True) as reports:
        compile_model(options, reports)
    inputs: dict[str, Any] = _input(options, folder)
    np.savez(folder.with_name(f"{folder.name}.x.npz"), **inputs)


def _input(options: Options, folder: Path) -> dict[str, NDArray[Any]]:
    """By name; `x` serves for any only input."""
    if options.calibration is not None:
        with np.load(options.calibration) as data:
            return {"x": data["x"][:1]}
    rng = np.random.default_rng(0)
    ports = load_build(folder).graph.inputs
    return {port.onnx_name: rng.random(port.onnx_shape, np.float32) for port in ports}


@click.command()
@click.argument("name", type=click.Choice([design.name for design in GUARDED]))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(*, name: str, folder: Path) -> None:
    """Compile the design NAME into FOLDER."""
    build_design(name, folder)


if __name__ == "__main__":
    main()

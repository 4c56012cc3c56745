# SPDX-License-Identifier: Apache-2.0
"""Which networks are run whole: those with a `whole.toml`, and the figures beside it.

`python -m designs.whole.networks [NETWORK...]` measures them (default: all) and writes each one's
`report.json`, the report of `flexcc` on the model with seeded random weights.
"""

import json
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from designs.design import FOLDER
from designs.models import NETWORKS, write_network
from designs.whole.verified import Verified, verified
from flexcc.console import progress
from flexcc.options import ArrayShape, Options
from flexcc.progress import Progress
from flexcc.report import report_json

__all__ = ["WHOLE", "Whole", "compilation", "load_whole", "main", "measure", "stored_report"]

WHOLE = tuple(name for name in sorted(NETWORKS) if (FOLDER / name / "whole.toml").is_file())
"""The names of the networks that are run whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A network of designs/, a board and an array.

    `goal` is the MAC efficiency wanted, `least` the one that is guarded; `missed` says, where the
    goal is not reached, what costs and what would win it back, a sentence or two each. `cores` are
    the numbers of cores that share an image, besides one alone.
    """

    name: str
    target: str
    array: tuple[int, int, int]
    goal: float
    least: float
    cores: tuple[int, ...] = ()
    missed: tuple[str, ...] = ()

    @property
    def stored(self) -> Path:
        """Where its report is kept."""
        return FOLDER / self.name / "report.json"


def load_whole(name: str) -> Whole:
    """The `whole.toml` of a network; TypeError for a key too many or too few."""
    values = tomllib.loads((FOLDER / name / "whole.toml").read_text())
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return Whole(name=name, **{**values, **lists})


def stored_report(name: str) -> dict[str, Any]:
    """The report that the last measurement of a network wrote, as JSON has it."""
    report: dict[str, Any] = json.loads(load_whole(name).stored.read_text())
    return report


def compilation(whole: Whole, folder: Path, cores: int = 1) -> Options:
    """How a network is compiled from and to `folder`, in which its model is written."""
    m, p, n = whole.array
    model = folder / f"{whole.name}.onnx"
    write_network(whole.name, model)
    return Options(
        model=model,
        target=whole.target,
        output=folder / "build",
        random_calibration=True,
        array=ArrayShape(m=m, p=p, n=n),
        cores=cores,
    )


def measure(whole: Whole, reports: Progress, cores: int = 1) -> Verified:
    """Compiles a network and simulates it on an image of random pixels.

    Raises:
        FlexccError: it cannot be compiled, or a byte differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        return verified(compilation(whole, Path(folder), cores), reports)


def main(names: tuple[str, ...]) -> None:
    """Measures the networks `names` and writes their reports."""
    with progress(Console(stderr=True), wanted=True) as reports:
        for name in names:
            whole = load_whole(name)
            whole.stored.write_text(report_json(measure(whole, reports).report))


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or WHOLE)

# SPDX-License-Identifier: Apache-2.0
"""Trained networks in one run of the simulated RTL: those with a file in whole/.

`python -m designs.trained.whole [NETWORK...]` measures them (default: all whose models are at hand)
and writes each one's report, whole/<name>.json.
"""

import json
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from designs.enet import accuracy as enet
from designs.trained import centerface, mnist_conv, openpose, unet_pupil
from designs.trained.harness import Floats
from designs.trained.models import find_model
from designs.whole.verified import Verified, verified
from flexcc.console import progress
from flexcc.frontend import import_model, load_model
from flexcc.options import ArrayShape, Options
from flexcc.progress import Progress
from flexcc.quantization import QuantizationOptions
from flexcc.report import report_json

__all__ = [
    "RUNS",
    "Run",
    "at_hand",
    "compilation",
    "load_run",
    "main",
    "measure",
    "stored_report",
]

_FOLDER = Path(__file__).resolve().parent / "whole"
_BYTES = QuantizationOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A trained network on a board and an array.

    `least` is the MAC efficiency that is guarded.
    """

    name: str
    target: str
    array: tuple[int, int, int]
    least: float

    @property
    def stored(self) -> Path:
        """Where its report is kept."""
        return _FOLDER / f"{self.name}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """Where a network's model is, None where it is not at hand, what calibrates it, and how."""

    model: Callable[[], Path | None]
    samples: Callable[[], Floats]
    quantization: QuantizationOptions = _BYTES


def _enet_samples() -> Floats:
    with np.load(enet.CALIBRATION) as data:
        samples: Floats = data["x"].astype(np.float32)
    return samples


def _elsewhere(
    name: str,
    samples: Callable[[], Floats],
    quantization: QuantizationOptions = _BYTES,
) -> _Network:
    return _Network(model=lambda: find_model(name), samples=samples, quantization=quantization)


_NETWORKS: Mapping[str, _Network] = {
    "mnist_conv": _Network(model=mnist_conv.model, samples=mnist_conv.samples),
    "enet": _Network(model=lambda: enet.MODEL, samples=_enet_samples),
    "unet_pupil": _elsewhere(unet_pupil.MODEL, unet_pupil.samples),
    "centerface_512": _elsewhere(centerface.MODEL, centerface.samples),
    "openpose_mobilenet_thin": _elsewhere(openpose.MODEL, openpose.samples),
    "openpose_mobilenet_thin-auto": _elsewhere(openpose.MODEL, openpose.samples, openpose.OPTIONS),
}

RUNS = tuple(name for name in _NETWORKS if (_FOLDER / f"{name}.toml").is_file())
"""The names of the networks that are run whole."""


def load_run(name: str) -> Run:
    """The `.toml` of a network; TypeError for a key too many or too few."""
    values = tomllib.loads((_FOLDER / f"{name}.toml").read_text())
    return Run(name=name, **{**values, "array": tuple(values["array"])})


def at_hand(name: str) -> bool:
    """Whether a network's model is here."""
    return _NETWORKS[name].model() is not None


def stored_report(name: str) -> dict[str, Any]:
    """The report that the last measurement of a network wrote, as JSON has it."""
    report: dict[str, Any] = json.loads(load_run(name).stored.read_text())
    return report


def compilation(run: Run, folder: Path) -> Options:
    """How a network is compiled to `folder`, all activations of 8 bits unless its options choose.

    The samples that calibrate it are written there.
    """
    network, (m, p, n) = _NETWORKS[run.name], run.array
    path = network.model()
    assert path is not None
    (port,) = import_model(load_model(path)).inputs
    calibration = folder / "samples.npz"
    samples: dict[str, Any] = {port.onnx_name: network.samples()}
    np.savez(calibration, **samples)
    return Options(
        model=path,
        target=run.target,
        output=folder / "build",
        calibration=calibration,
        quantization=network.quantization,
        array=ArrayShape(m=m, p=p, n=n),
    )


def measure(run: Run, reports: Progress) -> Verified:
    """Compiles a network and simulates it on one of its samples.

    Raises:
        FlexccError: it cannot be compiled, or a byte differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        return verified(compilation(run, Path(folder)), reports)


def main(names: tuple[str, ...]) -> None:
    """Measures the networks `names` and writes their reports."""
    with progress(Console(stderr=True), wanted=True) as reports:
        for name in names:
            run = load_run(name)
            run.stored.write_text(report_json(measure(run, reports).report))


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or tuple(filter(at_hand, RUNS)))

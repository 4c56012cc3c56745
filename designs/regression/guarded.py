# SPDX-License-Identifier: Apache-2.0
"""Which designs are guarded, and how each is measured."""

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from designs.area.points import sources_hash
from designs.design import DESIGNS, FOLDER, load_design
from designs.regression.figures import Figures, design_figures
from designs.whole.networks import WHOLE, compilation, load_whole
from flexcc import compile_model
from flexcc.backend.archive import pack
from flexcc.bitstream import BitstreamReport, write_bitstream
from flexcc.build import load_build
from flexcc.driver import require_equal
from flexcc.dse.mapping import Mapping
from flexcc.execute import run_build
from flexcc.options import Backend, Options, RunOptions
from flexcc.progress import Progress
from flexcc.report import Report
from flexcc.synthesis import SynthesisReport, write_synthesis
from flexcc.targets import load_device

__all__ = ["ALWAYS_PLACED", "ALWAYS_SIMULATED", "GUARDED", "Guarded", "Measurement"]

# What every regression does besides compiling; the rest is left to the full one.
ALWAYS_SIMULATED = ("mnist_conv_u250", "mnist_conv_ulx3s")
ALWAYS_PLACED = ("mnist_conv_ulx3s",)
_LABELLED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Figures of a design as it is now, its mapping as JSON, and flexcc's own report on it."""

    figures: Figures
    mapping: str
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A design whose folder holds `guard.json` and `mapping.json`."""

    name: str
    target: str

    @property
    def folder(self) -> Path:
        """Where its figures are kept."""
        return FOLDER / self.name

    @property
    def guard(self) -> Path:
        """Its figures."""
        return self.folder / "guard.json"

    @property
    def mapping(self) -> Path:
        """The decisions that they belong to."""
        return self.folder / "mapping.json"

    def options(self, output: Path, verify: tuple[Backend, ...]) -> Options:
        """What compiles it into `output`."""
        if self.name in WHOLE:
            output.parent.mkdir(parents=True, exist_ok=True)
            options = compilation(load_whole(self.name), output.parent)
            return replace(options, output=output, verify=verify)
        return load_design(self.name).options(output, verify)

    def measure(self, reports: Progress, *, simulate: bool, place: bool) -> Measurement:
        """Compiles it and, if asked, simulates its RTL, and makes its bitstream.

        Of designs that no open tool places the cells are counted in place of that.

        Raises:
            FlexccError: it cannot be compiled, a byte differs or the part has too few cells;
                TooSlowError if the clock is not reached.
        """
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "build"
            verify = (Backend.RTL,) if simulate else ()
            report = compile_model(self.options(output, verify), reports)
            if simulate:
                require_equal(report)
            mapping = load_build(output).mapping
            accuracy = self._accuracy(output, reports)
            cells: BitstreamReport | SynthesisReport | None = None
            if place and load_device(self.target).board is not None:
                cells = write_bitstream(output, Path(folder) / "bits", reports)
            elif place:
                cells = write_synthesis(output, Path(folder) / "cells", reports)
        return Measurement(
            figures=design_figures(report, cells, accuracy, sources_sha256=sources_hash()),
            mapping=_lines(mapping),
            report=report,
        )

    def reported(self, figures: Figures) -> Figures:
        """With the measured cycles of the report in its folder, if that estimates the same."""
        stored = self.folder / "report.json"
        if not stored.exists():
            return figures
        report = json.loads(stored.read_text())
        cycles, share = report["cycles"], report["mac_efficiency"]["measured"]
        if cycles["measured"] is None or cycles["estimated"] != figures.cycles_estimated:
            return figures
        return replace(figures, cycles_measured=int(cycles["measured"]), mac_efficiency=share)

    def _accuracy(self, build: Path, reports: Progress) -> float | None:
        """The share of labelled samples that the integer reference gets right, None without any."""
        if self.name in WHOLE or not load_design(self.name).calibration:
            return None
        with np.load(load_design(self.name).calibration_file) as data:
            samples, labels = data["x"], data["y"]
        # They are sorted by class.
        chosen = np.linspace(0, len(samples) - 1, _LABELLED).astype(int)
        inputs, outputs = build.with_name("labelled.npz"), build.with_name("scores.npz")
        np.savez(inputs, x=samples[chosen])
        run_build(RunOptions(build=build, input=inputs, output=outputs), reports)
        with np.load(outputs) as arrays:
            [scores] = (arrays[name] for name in arrays.files)
        right = scores.reshape(_LABELLED, -1).argmax(axis=1) == labels[chosen]
        return float(right.mean())


def _lines(mapping: Mapping) -> str:
    """A mapping without tensors on chip as JSON, a line for the accelerator and each group."""
    accelerator = json.dumps(pack(mapping.accelerator, {}))
    groups = ",\n    ".join(json.dumps(pack(group, {})) for group in mapping.groups)
    return f'{{\n  "accelerator": {accelerator},\n  "groups": [\n    {groups}\n  ]\n}}\n'


GUARDED = tuple(
    Guarded(name=name, target=target)
    for name, target in sorted(
        [(name, load_whole(name).target) for name in WHOLE]
        + [(name, load_design(name).target) for name in DESIGNS]
    )
)
"""All designs that are guarded."""

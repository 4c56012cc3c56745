# SPDX-License-Identifier: Apache-2.0
"""A trained network, from its ONNX file to the simulated accelerator, on real digits."""

import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from designs.design import DESIGNS, load_design
from designs.mnist_conv_u250.demo import measure, show
from flexcc.progress import Progress
from tests.e2e.command import flexcc

DESIGN = load_design("mnist_conv_u250")


def test_the_design_is_listed() -> None:
    assert DESIGN.name in DESIGNS


def test_demonstration(tmp_path: Path) -> None:
    """At least 20 digits on the RTL, every byte, with and without stalls; all on the reference."""
    figures = measure(tmp_path / "build", Progress())
    report = figures.report
    assert report.array.macs_per_cycle <= 256

    rtl = report.verify.rtl
    assert rtl is not None
    assert rtl.equal
    assert rtl.images >= 20
    assert rtl.compared_bytes == rtl.images * len_of_memory(tmp_path / "build")
    assert figures.stalled.images >= 20
    assert figures.stalled.compared_bytes == rtl.compared_bytes

    assert figures.total == 10_000
    assert figures.right / figures.total >= 0.992
    assert (figures.predicted == figures.labels).mean() >= 0.9
    assert set(figures.labels) == set(range(10))

    guard = json.loads((DESIGN.folder / "report.json").read_text())
    remedy = "run `make results` and review what changes"
    assert report.cycles.measured == pytest.approx(guard["cycles"]["measured"], rel=0.002), remedy
    assert asdict(report.resources) == guard["resources"], remedy

    measured, estimated = report.cycles.measured, report.cycles.estimated
    assert measured is not None
    assert estimated is not None
    assert abs(measured - estimated) < 0.05 * measured
    assert figures.stalled.cycles is not None
    assert figures.stalled.cycles > measured

    text = io.StringIO()
    show(figures, Console(file=text, width=100))
    assert "20 of 20 right" in text.getvalue()
    assert "9,9" in text.getvalue()


def len_of_memory(build: Path) -> int:
    size = json.loads((build / "plan.json").read_text())["memory_bytes"]
    assert isinstance(size, int)
    return size


@pytest.mark.slow
def test_packed_multipliers_from_the_command_line(tmp_path: Path) -> None:
    """Another array, whose pixel columns share multipliers; outputs as the reference gives them."""
    compiled = flexcc(
        DESIGN.folder / DESIGN.model, "--target", "zcu104", "--array", "8,4,8", "-o", "build",
        "--calibration", DESIGN.calibration_file, "--verify", "rtl", "--verify-images", "4",
        "--json", cwd=tmp_path,
    )  # fmt: skip
    assert compiled.code == 0, compiled.stderr
    report = json.loads(compiled.stdout)
    assert report["verify"]["rtl"]["equal"] is True
    assert report["verify"]["rtl"]["first_difference"] is None
    assert report["cycles"]["measured"] == pytest.approx(report["cycles"]["estimated"], rel=0.1)
    assert report["latency_ms"] == report["cycles"]["measured"] / (report["clock_mhz"] * 1000)

    with np.load(DESIGN.calibration_file) as data:
        np.savez(tmp_path / "x.npz", x=data["x"][::2500])
    outputs = {}
    for name, more in {
        "reference": (),
        "interpreter": ("--check",),
        "rtl": ("--check", "--stalls", "3", "--latency", "7"),
    }.items():
        result = flexcc(
            "run", "build", "--input", "x.npz", "--output", f"{name}.npz", "--on", name, "--json",
            *more, cwd=tmp_path,
        )  # fmt: skip
        assert result.code == 0, result.stderr
        assert json.loads(result.stdout)["images"] == 4
        with np.load(tmp_path / f"{name}.npz") as arrays:
            outputs[name] = arrays["Plus214_Output_0"]
    assert outputs["reference"].shape == (4, 10)
    np.testing.assert_array_equal(outputs["interpreter"], outputs["reference"])
    np.testing.assert_array_equal(outputs["rtl"], outputs["reference"])

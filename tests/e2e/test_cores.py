# SPDX-License-Identifier: Apache-2.0
"""A model shared by two cores, from the ONNX file to bytes of the program's model."""

import json
from pathlib import Path

import pytest

from tests.e2e.command import flexcc
from tests.e2e.test_residual import save_residual


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return save_residual(tmp_path)


@pytest.mark.parametrize("cores", ["2", "3"])
def test_cores_leave_what_one_leaves(work: Path, cores: str) -> None:
    result = flexcc(
        "model.onnx", "--target", "u250", "--array", "8,4,8", "--cores", cores,
        "--calibration", "data.npz", "-o", "build", cwd=work,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    report = json.loads((work / "build" / "report.json").read_text())
    assert report["array"]["cores"] == int(cores)
    assert report["array"]["macs_per_cycle"] == int(cores) * 256
    listing = (work / "build" / "program.txt").read_text()
    assert listing.count("core ") >= int(cores)
    assert listing.count("control_end") == int(cores)
    top = (work / "build" / "rtl" / "flex_system.sv").read_text()
    assert f".Cores         ({cores})" in top
    assert top.count("m_axi_out1_awaddr_o") == 2
    run = flexcc(
        "run", "build", "--input", "data.npz", "--output", "y.npz", "--on", "interpreter",
        "--check", "--json", cwd=work,
    )  # fmt: skip
    assert run.code == 0, run.stderr
    assert json.loads(run.stdout)["compared_bytes"] > 0


def test_more_cores_than_can_be_built_are_refused(work: Path) -> None:
    result = flexcc("model.onnx", "--target", "u250", "--cores", "5", "-o", "build", cwd=work)
    assert result.code != 0
    assert "5 is not in the range 1<=x<=4" in result.stderr

# SPDX-License-Identifier: Apache-2.0
"""`flexcc --on-chip`: a network whose tensors stay in on-chip memory, from model to proof."""

import json
from pathlib import Path

import numpy as np
import pytest

from designs.design import load_design
from flexcc.backend.rtl import rtl_parameters
from flexcc.build import load_build
from flexcc.layer_range import part_of
from flexcc.options import LayerRange
from tests.e2e.command import Result, flexcc

DESIGN = load_design("mnist_conv_u250")
LAYERS = ("Convolution28", "Convolution110", "Times212")


def compile_(folder: Path, on_chip: str, *more: str) -> Result:
    return flexcc(
        DESIGN.folder / DESIGN.model, "--target", "u250", "--array", "8,7,4", "-o", "build",
        "--calibration", DESIGN.calibration_file, "--on-chip", on_chip, *more, cwd=folder,
    )  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build, all that it stores for itself on chip, and two images."""
    folder = tmp_path_factory.mktemp("work")
    with np.load(DESIGN.calibration_file) as data:
        np.savez(folder / "x.npz", x=data["x"][::5000])
    result = compile_(folder, "auto", "--json")
    assert result.code == 0, result.stderr
    assert json.loads(result.stdout)["resources"]["uram"]["used"] > 0
    return folder


def run(work: Path, *more: str) -> Result:
    return flexcc(
        "run", "build", "--input", "x.npz", "--output", "y.npz", "--json", *more, cwd=work
    )


def test_the_build_says_what_lies_there(work: Path) -> None:
    plan = json.loads((work / "build" / "plan.json").read_text())
    near = {tensor["name"] for tensor in plan["tensors"] if tensor["on_chip"]}
    build = load_build(work / "build")
    assert near == {item.tensor for item in build.mapping.residents}
    assert near == {stage.output for stage in build.plan.stages[:-1]}
    assert plan["weights"]["address"] == build.plan.accelerator.on_chip_window
    weights = next(region for region in plan["regions"] if region["kind"] == "weights")
    assert weights["address"] == plan["weights"]["address"]
    top = (work / "build" / "rtl" / "flex_system.sv").read_text()
    assert f"({build.plan.accelerator.on_chip_bytes})" in top
    shown = flexcc("inspect", "build", cwd=work)
    assert shown.code == 0, shown.stderr
    for name in near:
        assert f"tensor {name} at" in shown.stdout
    assert " on chip, " in shown.stdout


@pytest.mark.parametrize("machine", ["interpreter", "hls"])
def test_every_byte_is_right(work: Path, machine: str) -> None:
    """Where memory is one, tensors on the chip are tensors like others."""
    result = run(work, "--on", machine, "--check")
    assert result.code == 0, result.stderr
    assert json.loads(result.stdout)["compared_bytes"] > 0


@pytest.mark.rtl
def test_rtl_leaves_every_byte_right(work: Path) -> None:
    """Two images: the RAM holds the first one's tensors when the second begins."""
    result = run(work, "--on", "rtl", "--check", "--stalls", "3")
    assert result.code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["images"] == 2
    assert summary["run"]["beats"]["on_chip"] > 0


def test_layers_alone_run_without_on_chip_memory(work: Path) -> None:
    """Nobody could fill it: their accelerator has none, and their addresses are the same."""
    build = load_build(work / "build")
    part = part_of(build, LayerRange(first=LAYERS[1], last=LAYERS[1]))
    assert "OnChipBytes" in rtl_parameters(build.plan.accelerator)
    assert "OnChipBytes" not in rtl_parameters(part.build.plan.accelerator)
    assert part.build.plan.tensors == build.plan.tensors
    result = run(work, "--on", "interpreter", "--layers", LAYERS[1])
    assert result.code == 0, result.stderr


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("much", "neither a number of bytes nor auto or off"),
        ("99999999999", "u250 has 1280 blocks of UltraRAM"),
    ],
)
def test_bytes_that_cannot_be_had(tmp_path: Path, wanted: str, why: str) -> None:
    result = compile_(tmp_path, wanted)
    assert result.code == 2
    assert why in " ".join(result.stderr.split())
    assert not (tmp_path / "build").exists()

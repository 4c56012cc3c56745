# SPDX-License-Identifier: Apache-2.0
"""A real design that the part cannot hold: refused when compiled, by the flow after a change."""

from pathlib import Path

import pytest

from designs.design import load_design
from tests.e2e.command import Result, flexcc

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

DESIGN = load_design("mnist_conv_ulx3s")


def compiled(folder: Path, array: str) -> Result:
    return flexcc(
        DESIGN.folder / DESIGN.model, "--target", DESIGN.target, "--array", array, "-o", "build",
        "--calibration", DESIGN.calibration_file, cwd=folder,
    )  # fmt: skip


def test_an_array_too_large_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    done = compiled(tmp_path, "8,4,8")
    assert done.code == 3
    assert "array 8,4,8: multipliers: 273 needed, 156 available on ulx3s-85f" in done.stderr
    assert not (tmp_path / "build").exists()


def test_a_change_that_overflows_the_part_names_resource_and_module(tmp_path: Path) -> None:
    """The smallest array, and then a memory of 1 MB in the RTL that the build holds."""
    pytest.importorskip("pyosys", reason="needs the extra synth")
    assert compiled(tmp_path, "2,1,4").code == 0
    top = tmp_path / "build" / "rtl" / "flex_ulx3s.sv"
    text = top.read_text()
    assert text.count(".MemoryBytes   (65536)") == 1
    top.write_text(text.replace(".MemoryBytes   (65536)", ".MemoryBytes   (1048576)"))
    done = flexcc("bitstream", "build", "-o", "bits", cwd=tmp_path)
    assert done.code == 3, done.stderr
    # 1 MB in blocks of 16 Kbit.
    [line] = [line for line in done.stderr.splitlines() if "DP16KD" in line]
    found = line.split("DP16KD: ")[1]
    assert int(found.split()[0]) > 512
    assert "needed, 208 available; most of them in u_board.u_memory.u_ram (512)" in found
    assert "choose a smaller array" in done.stderr
    assert not (tmp_path / "bits").exists()
